"""A verdict in sentences: what it means, on what grounds, and what a decision would take."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.effects import (
    ARTIFACT,
    FEWEST,
    MINIMUM,
    OTHER,
    Effect,
    Proof,
    Reliance,
    Rival,
    SplitRemoval,
    Trial,
    Verdict,
    comparisons,
    decisive,
    kept_without,
    leaning,
    reliance,
)
from unhans.report.text.number_format import LOGIT, PROBABILITY, RANK, SHARE, percent, range_written, samples_said

SPLITS = {"train": "training", "val": "validation"}

TRIALS = {
    "artifact": "the artifact",
    "mean colour": "its area in its mean colour",
    "random colour": "its area in a random colour",
    "area averaged": "averaging the pixels under it",
    "patch of the class": "a patch of the class in its area",
    "opposite change": "as large an opposite change",
    "colours exchanged": "its colour channels exchanged",
    "as strong noise": "noise as strong on each image",
    "elsewhere": "the same area elsewhere",
    "telea": "inpainted, Telea",
    "navier_stokes": "inpainted, Navier-Stokes",
    "blur": "blurred",
    "mean": "mean colour",
    "neighbour": "filled from another class",
    "unblend": "layer unblended",
    "truth": "the image before planting",
    "undo": "changed back",
}
PATCH, OF_WHOLE_IMAGES = "patch of the class", "opposite change"  # the latter is a control of transforms alone
GRADES = {
    "too few samples": "too few samples to say whether the network leans on it",
    "much": "the network leans on it",
    "a little": "the network leans on it a little, more than on as large an area elsewhere",
    "hardly recognised": "only {} of them were recognised before, so little could be lost",
    "not needed": "the network has back-up strategies and recognises the class without it",
    "open": "whether the network leans on it more than on any area of its size stays open",
}
RELIANCE: dict[Reliance, str] = {
    "alone": "the network relies on it alone, with hardly any other evidence for the class",
    "other evidence": "the network uses it, and has other evidence for the class as well",
    "together": "alone it is no sign of the class, but along with other evidence the network needs it",
    "open": "whether the network relies on it alone stays open",
}


def verdict_summary(proof: Proof) -> str:
    """Say a verdict in one sentence."""
    verdict, effect = proof.verdict, proof.added[0].effect
    if verdict.name == "proven":
        return f"Proven: the network uses the artifact as a sign of {proof.name!r}."
    if verdict.name == "not used":
        return f"Not used: for the network, the artifact alone is no sign of {proof.name!r}."
    if verdict.reason == "multiplicity":
        among = "for this look" if verdict.tests == 1 else f"among the {verdict.tests} tests of this look"
        return f"Open: alone its effect would be proven, but it is not sure enough {among}."
    if verdict.reason == "flips alone":
        return f"Open: {_flips(effect, proof.name)}"
    if verdict.reason == "neither shown nor excluded":
        return f"Open: an effect of {MINIMUM} or more is neither shown nor excluded by {samples_said(effect.n)}."
    decided = [rival for rival in proof.rivals if rival.control.name in verdict.decided_by]
    if verdict.reason == "too few samples":
        n = min((rival.n for rival in decided), default=effect.n)
        return f"Open: too few samples. A verdict takes {FEWEST} for each comparison, but one has only {n}."
    return f"Open: {_as_control(decided, proof.name)}"


def verdict_missing(proof: Proof) -> str:
    """Say what a decision would take; "" where there is one."""
    verdict, added = proof.verdict, proof.added
    if verdict.reason == "multiplicity":
        return _missing_among_tests(proof)
    if verdict.name != "open":
        return ""
    if verdict.reason == "flips alone":
        return "A network that tells the classes apart, such as one trained for longer, would tell."
    units = _units(added, verdict.decided_by)
    if verdict.reason == "too few samples":
        return f"{FEWEST} {units} or more for each comparison."
    needed = decisive(added, verdict.decided_by)
    if verdict.decided_by == (ARTIFACT,):
        shown = needed[0].values.mean() > needed[0].least  # what the mean speaks for: an effect, or that there is none
        return _needed(needed[0].samples() if shown else needed[0].samples_to_exclude(), "samples", NO_NUMBER)
    numbers = [each.samples() for each in needed]
    return _needed(None if None in numbers else max(filter(None, numbers)), units, NO_MORE)


def verdict_grounds(proof: Proof) -> dict[str, str]:
    """Return the grounds that there are, each in one text, by what they are about."""
    verdict, effect = proof.verdict, proof.added[0].effect
    shown = effect.n >= FEWEST and effect.probability_interval[0] >= MINIMUM
    every = {
        "Effect": effect_said(effect, proof.name) + f" {_excluded(effect)}" * (verdict.name == "not used"),
        "Controls": _controls(proof.rivals) if shown else "",
        "Removal": " ".join(_removals(proof)),
        "Reliance": " ".join(_reliances(proof)),
        "Test": _tested(verdict),
        "Missing": verdict_missing(proof),
    }
    return {label: text for label, text in every.items() if text}


def effect_said(effect: Effect, name: str, what: str = "the artifact") -> str:
    """Say what the artifact, or something else that stands for it, does to samples of other classes."""
    return (
        f"Added to {samples_said(effect.n)} of other classes, {what} changes the probability of {name!r} by "
        f"{PROBABILITY.in_full(effect)}, its logit by {LOGIT.in_full(effect)} and its rank by {RANK.in_full(effect)}; "
        f"{SHARE.in_full(effect)} of them are newly predicted as {name!r} (95 % intervals)."
    )


def trial_name(trial: Trial) -> str:
    """Say what was done in a trial: the same in tables, pictures and sentences."""
    if trial.name == "elsewhere" and trial.detail == "undo":
        return "the opposite of changing back"
    if trial.name == OTHER:
        return f"class {trial.detail}, which gains most"
    name = TRIALS.get(trial.name, trial.name)
    return f"{name} ({trial.detail})" if trial.detail else name


def _controls(rivals: Sequence[Rival]) -> str:
    """Say what each control does, those that the artifact cannot be told from first, and which there are none of."""
    failed, passed = ([rival for rival in rivals if rival.surpassed is does] for does in (False, True))
    told = []
    if failed:
        told.append(f"The artifact cannot be told from its control{'s' * (len(failed) > 1)}: {_doings(failed)}.")
    if passed:
        number = len(passed) + len(failed)
        which = "its only control" if number == 1 else "the others" if failed else f"each of its {number} controls"
        told.append(f"{'It' if failed else 'The artifact'} does more than {which}: {_doings(passed)}.")
    names = [rival.control.name for rival in rivals]
    if PATCH not in names and OF_WHOLE_IMAGES not in names:
        told.append("The patch of the class is left out: too few samples of it are known to be without the artifact.")
    if OTHER not in names:
        told.append("Its effect on another class is left out: there are only two classes.")
    return " ".join(told)


def _doings(rivals: Sequence[Rival]) -> str:
    return "; ".join(
        f"{_doing(rival.control)} (difference: {PROBABILITY.with_interval(rival.more, rival.interval)})"
        for rival in rivals
    )


def _doing(control: Trial) -> str:
    gains = PROBABILITY.in_full(control.effect)
    if control.name == OTHER:
        return f"the artifact changes that of {control.detail!r}, the class that gains most from it besides, by {gains}"
    return f"{trial_name(control)} changes the probability by {gains}"


NO_NUMBER = "No number of samples like these would tell: the effect lies too near to that bound."
NO_MORE = (
    "More samples would not decide this: on these, the artifact changes the probability no more, or hardly more, than "
    "that control."
)


def _missing_among_tests(proof: Proof) -> str:
    """How many samples would do at the rate that is left for the least sure comparison."""
    verdict, hardest = proof.verdict, max(comparisons(proof.added), key=lambda each: each.p_value)
    p_value = 1.0 if verdict.p_value is None else verdict.p_value
    rate = p_value * verdict.rate / verdict.q_value if verdict.q_value else verdict.rate
    return _needed(hardest.samples(rate), _units(proof.added, (hardest.name,)), NO_NUMBER)


def _needed(n: int | None, units: str, otherwise: str) -> str:
    if n is None:
        return otherwise
    unit = 10 ** max(0, len(str(n)) - 2)  # two digits, upwards
    return f"About {-(-n // unit) * unit} {units} would decide, if more are like these."


def _units(added: Sequence[Trial], names: Sequence[str]) -> str:
    """What is counted: samples, or the images that lend pixels to the controls."""
    lent = any(trial.donors is not None for trial in added[1:] if trial.name in names)
    return "images that lend their pixels" if lent else "samples"


LEAST = 1e-12  # p-values below are not told apart


def _tested(verdict: Verdict) -> str:
    """How sure it is that the artifact has an effect beyond every control, and how sure it must be."""
    if verdict.p_value is None or verdict.q_value is None:
        return ""
    p, q = (f"= {value:.2g}" if value >= LEAST else f"< {LEAST:.0g}" for value in (verdict.p_value, verdict.q_value))
    adjusted = f"; adjusted for the {verdict.tests} tests of this look (Benjamini-Hochberg) q {q}"
    return f"p {p}{adjusted * (verdict.tests != 1)}, at most {verdict.rate:.2g} is allowed."


def _flips(effect: Effect, name: str) -> str:
    return (
        f"{SHARE.in_full(effect)} of the samples are newly predicted as {name!r}, though its probability hardly moves "
        "(as where all classes are nearly equal)."
    )


def _as_control(failed: Sequence[Rival], name: str) -> str:
    rivals = " and ".join(
        f"its effect on {each.control.detail!r}, the class that gains most from it besides"
        if each.control.name == OTHER
        else trial_name(each.control)
        for each in failed
    )
    return (
        f"not told from its control{'s' * (len(failed) > 1)}. The artifact raises the probability of {name!r}, but by "
        f"no more than {rivals}, as far as can be told."
    )


def _excluded(effect: Effect) -> str:
    low, high = effect.probability_interval
    if high < 0:
        return "It makes the class less probable."
    direction = "It raises the probability, but an" if low > 0 else "An"
    return f"{direction} effect of {MINIMUM} or more is excluded."


def removal_where(removal: SplitRemoval) -> str:
    """Say from which samples an artifact was taken away: "validation, found by the detector"."""
    split = SPLITS.get(removal.split, removal.split)
    return f"{split}, found by the detector" if removal.by == "detector" else split


def _removals(proof: Proof) -> list[str]:
    """What removal does: on the samples that the artifact was isolated from, then on those of each split apart."""
    told = [_removal(proof.removed, proof.name)]
    told += [_removal(each.trials, proof.name, f" ({removal_where(each)})") for each in proof.removals]
    return [each for each in told if each]


def _reliances(proof: Proof) -> list[str]:
    """What the artifact is to the network, by adding and removing together, of all removals."""
    told = [(proof.removed, ""), *((each.trials, f" ({removal_where(each)})") for each in proof.removals)]
    return [said for removed, where in told if (said := _reliance(proof, removed, where))]


def _reliance(proof: Proof, removed: Sequence[Trial], where: str) -> str:
    found, kept = reliance(proof.verdict, removed), kept_without(removed)
    if found is None or kept is None:
        return ""
    share = f"{percent(kept.kept / kept.predicted)} {range_written(kept.interval)}"
    return (
        f"Of {kept.predicted} affected samples{where} that were recognised, {kept.kept} are without it ({share}), "
        f"{kept.control} with as much taken away elsewhere: {RELIANCE[found]}."
    )


def _removal(removed: Sequence[Trial], name: str, where: str = "") -> str:
    """Say what taking the artifact away does to affected samples, beside the control, and what follows."""
    if not removed:
        return ""
    fill, control = removed[0], removed[-1]
    grade = GRADES[str(leaning(removed))].format(fill.effect.predicted)
    of = f"{fill.effect.n} affected {'sample' if fill.effect.n == 1 else 'samples'}{where}"
    return (
        f"Taken away from {of} (fill: {fill.name}), it changes the probability of {name!r} by "
        f"{PROBABILITY.in_full(fill.effect)} and its logit by {LOGIT.in_full(fill.effect)}; {trial_name(control)} "
        f"changes the probability by {PROBABILITY.in_full(control.effect)}: {grade}."
    )
