"""A verdict in sentences: what it means, on what grounds, and what a decision would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unhans.effects import ARTIFACT, FEWEST, MINIMUM, OTHER, comparisons, decisive, leaning, rivals_of
from unhans.report.text.numerals import change_written, samples_said, share_said

if TYPE_CHECKING:
    from unhans.effects import Comparison, Effect, Proof, Rival, Trial, Verdict


COLOURS = {
    "mean colour": "its area in its mean colour",
    "random colour": "its area in a random colour",
    "area averaged": "the mean colour of the pixels under it",
    "opposite change": "as large a change in the opposite direction",
    "colours exchanged": "the same change with its colour channels exchanged",
    "as strong noise": "random noise as strong on each image",
}
_OF_WHOLE_IMAGES = "opposite change"  # a control of transforms alone
_ELSEWHERE = {"undo": "the opposite of undoing it"}  # what a removal is held against, by its fill
PATCH = "patch of the class"


GRADES = {
    "too few samples": "too few samples to say whether the network leans on it",
    "much": "the network leans on it",
    "a little": "the network leans on it a little, more than on as large an area elsewhere",
    "hardly recognised": "only {} of them were recognised before, so little could be lost",
    "not needed": "the network has back-up strategies and recognises the class without it",
    "open": "whether the network leans on it more than on any area of its size stays open",
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
    decided = [rival for rival in rivals_of(proof.added) if rival.control.name in verdict.decided_by]
    if verdict.reason == "too few samples":
        return f"Open: {_few(min((rival.n for rival in decided), default=effect.n))}"
    return f"Open: {_as_control(decided, proof.name)}"


def verdict_missing(proof: Proof) -> str:
    """Say what a decision would take; "" where there is one."""
    verdict = proof.verdict
    if verdict.reason != "multiplicity":
        return missing_said(verdict, proof.added)
    hardest = max(comparisons(proof.added), key=lambda each: each.p_value)
    p_value = 1.0 if verdict.p_value is None else verdict.p_value
    return more_said(
        hardest, p_value * verdict.rate / verdict.q_value if verdict.q_value else verdict.rate, proof.added
    )


def verdict_grounds(proof: Proof) -> dict[str, str]:
    """Return the grounds that there are, each in one text, by what they are about."""
    verdict, effect = proof.verdict, proof.added[0].effect
    shown = effect.n >= FEWEST and effect.probability_interval[0] >= MINIMUM
    tested = verdict.p_value is not None and verdict.q_value is not None
    every = {
        "Effect": effect_said(effect, proof.name) + f" {_excluded(effect)}" * (verdict.name == "not used"),
        "Controls": controls_said(rivals_of(proof.added)) if shown else "",
        "Removal": _removal(proof.removed, proof.name),
        "Test": tested_said(verdict.p_value, verdict.q_value, verdict.tests, verdict.rate) if tested else "",
        "Missing": verdict_missing(proof),
    }
    return {label: text for label, text in every.items() if text}


def verdict_sentence(proof: Proof) -> str:
    """Say a verdict and all its grounds in one text."""
    return " ".join([verdict_summary(proof), *verdict_grounds(proof).values()])


def effect_said(effect: Effect, name: str) -> str:
    """Say what the artifact does to samples of other classes."""
    return (
        f"Pasted on {samples_said(effect.n)} of other classes, the artifact changes the probability of {name!r} by "
        f"{probability_said(effect)}, its logit by {change_written(effect.logit, effect.logit_interval, 2)} and its "
        f"rank by {change_written(effect.rank, effect.rank_interval, 2)}; "
        f"{share_said(effect.share, effect.share_interval)} of them are newly predicted as {name!r} (95 % intervals)."
    )


def controls_said(rivals: Sequence[Rival]) -> str:
    """Say what each control does, those that the artifact cannot be told from first, and which there are none of."""
    failed, passed = ([rival for rival in rivals if rival.surpassed is does] for does in (False, True))
    told = []
    if failed:
        told.append(f"The artifact cannot be told from its control{'s' * (len(failed) > 1)}: {_doings(failed)}.")
    if passed:
        number = len(passed) + len(failed)
        which = "its only control" if number == 1 else "the others" if failed else f"each of its {number} controls"
        told.append(f"{'It' if failed else 'The artifact'} does more than {which}: {_doings(passed)}.")
    return " ".join([*told, *_missing([rival.control.name for rival in (*passed, *failed)])])


def removal_said(effect: Effect, fill: str, elsewhere: Effect, name: str, grade: str) -> str:
    """Say what taking the artifact away does to affected samples, beside the control; grade: what follows."""
    return (
        f"Taken away from {effect.n} affected {'sample' if effect.n == 1 else 'samples'} (fill: {fill}), it changes "
        f"the probability of {name!r} by {probability_said(effect)} and its logit by "
        f"{change_written(effect.logit, effect.logit_interval, 2)}; "
        f"{_ELSEWHERE.get(fill, 'the same area filled elsewhere')} changes the "
        f"probability by {probability_said(elsewhere)}: {grade}."
    )


def control_said(control: Trial) -> str:
    """Say what a control is."""
    if control.name == OTHER:
        return f"its effect on {control.detail!r}, the class that gains most from it besides"
    return COLOURS.get(control.name, "a patch of the class in its area" if control.name == PATCH else control.name)


def probability_said(effect: Effect) -> str:
    """Write the change of the probability with its interval."""
    return change_written(effect.probability, effect.probability_interval, 3)


def _doings(rivals: Sequence[Rival]) -> str:
    return "; ".join(
        f"{_doing(rival.control)} (difference: {change_written(rival.more, rival.interval, 3)})" for rival in rivals
    )


def _doing(control: Trial) -> str:
    if control.name == OTHER:
        gains = probability_said(control.effect)
        return f"the artifact changes that of {control.detail!r}, the class that gains most from it besides, by {gains}"
    return f"{control_said(control)} changes the probability by {probability_said(control.effect)}"


def _missing(names: Sequence[str]) -> list[str]:
    """Say which of the usual controls could not be had; the trials leave them out for these reasons alone."""
    told = []
    if PATCH not in names and _OF_WHOLE_IMAGES not in names:
        told.append("The patch of the class is left out: too few samples of it are known to be without the artifact.")
    if OTHER not in names:
        told.append("Its effect on another class is left out: there are only two classes.")
    return told


_LEAST = 1e-12  # p-values below are not told apart
NO_NUMBER = "No number of samples like these would tell: the effect lies too near to that bound."
NO_MORE = "More samples like these would not help, as it does no more than that control."


def missing_said(ruling: Verdict, added: Sequence[Trial]) -> str:
    """Say what a decision would take; "" where there is one."""
    if ruling.name != "open":
        return ""
    if ruling.reason == "flips alone":
        return "A network that tells the classes apart, such as one trained for longer, would tell."
    if ruling.reason == "too few samples":
        units = _units(added, ruling.decided_by)
        return f"{FEWEST} {units} or more for each comparison."
    needed = decisive(added, ruling.decided_by)
    if ruling.decided_by == (ARTIFACT,):
        return _needed_for_effect(needed[0])
    return _needed(_most([each.samples() for each in needed]), _units(added, ruling.decided_by), NO_MORE)


def more_said(comparison: Comparison, rate: float, added: Sequence[Trial]) -> str:
    """Say how many samples would reject a comparison at a rate."""
    return _needed(comparison.samples(rate), _units(added, (comparison.name,)), NO_NUMBER)


def tested_said(p_value: float, q_value: float, tests: int, rate: float) -> str:
    """Say how sure it is that the artifact has an effect beyond every control, and how sure it must be."""
    if tests == 1:
        return f"p {_written(p_value)}, at most {rate:.2g} is allowed."
    return (
        f"p {_written(p_value)}; adjusted for the {tests} tests of this look (Benjamini-Hochberg) "
        f"q {_written(q_value)}, at most {rate:.2g} is allowed."
    )


def _few(n: int) -> str:
    return f"too few samples. A verdict takes {FEWEST} for each comparison, but one has only {n}."


def _flips(effect: Effect, name: str) -> str:
    return (
        f"{share_said(effect.share, effect.share_interval)} of the samples are newly predicted as {name!r}, though its "
        "probability hardly moves (as where all classes are nearly equal)."
    )


def _as_control(failed: Sequence[Rival], name: str) -> str:
    rivals = " and ".join(control_said(each.control) for each in failed)
    return (
        f"not told from its control{'s' * (len(failed) > 1)}. The artifact raises the probability of {name!r}, but by "
        f"no more than {rivals}, as far as can be told."
    )


def _needed_for_effect(effect: Comparison) -> str:
    """How many samples would show an effect, or exclude it: whichever the mean speaks for."""
    if effect.values.mean() > effect.least:
        return _needed(effect.samples(), "samples", NO_NUMBER)
    return _needed(effect.samples_to_exclude(), "samples", NO_NUMBER)


def _needed(n: int | None, units: str, otherwise: str) -> str:
    return otherwise if n is None else f"About {_rounded(n)} {units} would decide, if more are like these."


def _most(numbers: Sequence[int | None]) -> int | None:
    """The largest number; None where one is."""
    return None if None in numbers else max(number for number in numbers if number is not None)


def _units(added: Sequence[Trial], names: Sequence[str]) -> str:
    """What is counted: samples, or the images that lend pixels to the controls."""
    lent = any(trial.donors is not None for trial in added[1:] if trial.name in names)
    return "images that lend their pixels" if lent else "samples"


def _rounded(n: int) -> int:
    """Two digits, upwards."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return -(-n // unit) * unit


def _written(p_value: float) -> str:
    return f"= {p_value:.2g}" if p_value >= _LEAST else f"< {_LEAST:.0g}"


def _excluded(effect: Effect) -> str:
    low, high = effect.probability_interval
    if high < 0:
        return "It makes the class less probable."
    direction = "It raises the probability, but an" if low > 0 else "An"
    return f"{direction} effect of {MINIMUM} or more is excluded."


def _removal(removed: Sequence[Trial], name: str) -> str:
    """Say what removal does, if there was any."""
    if not removed:
        return ""
    fill, control = removed[0], removed[-1]
    grade = GRADES[str(leaning(removed))].format(fill.effect.predicted)
    return removal_said(fill.effect, fill.name, control.effect, name, grade)
