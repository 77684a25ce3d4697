"""A case in plain sentences: suspicion, layer, effect, verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from unhans.effects import (
    MINIMUM,
    WHOLE,
    Case,
    FeatureEffect,
    Known,
    Prevalence,
    Proof,
    Quality,
    Share,
    reason_of,
    state_of,
)
from unhans.report.text.isolation_text import artifact_said, failures_sentence, untested_sentence
from unhans.report.text.number_format import PROBABILITY, SHARE, percent, range_written, samples_said
from unhans.report.text.verdict_text import (
    SPLITS,
    effect_said,
    trial_name,
    verdict_grounds,
    verdict_missing,
    verdict_summary,
)
from unhans.stats import wilson

STEPS = ("Suspicion", "Layer", "Effect", "Verdict")
PLACES = {"fixed": "at a fixed place", "free": "at changing places", "global": "on whole images"}
SHOWN = (
    "Open: the network uses what the samples of this group share, as a test in feature space shows. No pixels of it "
    "were isolated: look at the images of the group to see what it may be."
)
NOT_SHOWN = (
    "Open: no artifact could be isolated. A test in feature space does not show that what the group shares does more "
    "than its controls; that clears nothing."
)
MEASURED = ("Effect", "Controls", "Removal", "Reliance")  # the grounds that say what the artifact does
COMMON = 0.05  # share of a class that carries the artifact, from whose lower end on the class shares it
LISTED = 3  # other classes that are named
NO_LAYER = "A layer that can be pasted: a mask of where the artifact lies, or a picture of it."


def change_said(case: Case) -> str:
    """Say what the artifact, or its direction in feature space, adds to the class's probability; "" if unmeasured."""
    in_features = reason_of(case) == "features only"
    tested = case.features if in_features else case.proof
    if tested is None:
        return ""
    return f"Δp {PROBABILITY.in_full(tested.added[0].effect)}{' in feature space' * in_features}"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are: "a, b and 3 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def missing_of(case: Case) -> str:
    """Say what a decision about an open case would take; "" where it is not open."""
    if case.proof is not None:
        return verdict_missing(case.proof)
    return NO_LAYER if reason_of(case) is not None else ""


def case_steps(case: Case) -> list[tuple[str, str, str]]:
    """Say each step in a few words and a note: why the class was looked at, what was found, its effect, the verdict."""
    heads = (_suspected(case), _found(case), _measured(case), (state_of(case), reason_of(case) or ""))
    return [(step, *head) for step, head in zip(STEPS, heads, strict=True)]


def case_sentences(case: Case) -> list[str]:
    """Say in one text each why the class was looked at, what was isolated, what it does, and what follows."""
    return [_suspicion(case), _layer(case), _effect(case), _verdict(case)]


def case_grounds(case: Case) -> dict[str, str]:
    """Return the verdict and its grounds by what they are about, each in one text."""
    if case.proof is None:
        said = {
            "Verdict": _verdict(case),
            "Effect": "" if case.features is None else _in_features(case.features, case.name),
            "Reason": failures_sentence(case.failures),
            "Missing": missing_of(case),
        }
    else:
        said = {"Verdict": verdict_summary(case.proof), **verdict_grounds(case.proof)}
    return said | {"Spread": " ".join(spread_sentences(case)), "Not tested": untested_sentence(case.untested)}


def headline(case: Case) -> str:
    """Say in one short sentence what the artifact does to the class, or why that was not measured."""
    if case.proof is None and case.features is not None:
        return _in_features(case.features, case.name)
    if case.proof is None or not case.proof.added:
        return failures_sentence(case.failures)
    effect = case.proof.added[0].effect
    return (
        f"Its artifact, added to {effect.n} samples of other classes, changes the probability of the class by "
        f"{PROBABILITY.in_full(effect)}; {SHARE.said(effect)} of them are newly predicted as the class."
    )


def quality_sentence(quality: Quality) -> str:
    """Say how well an isolated layer, laid over other images, draws the relevance that the cluster has there."""
    cluster, before, after = (
        SHARE.with_interval(one.mean, one.interval) for one in (quality.cluster, quality.before, quality.after)
    )
    text = (
        f"Inside the artifact lies {cluster} of the positive relevance in the {quality.cluster.n} images that carry "
        f"it; on {quality.after.n} other images {before} before and {after} after the isolated layer is laid over them"
    )
    if quality.correlation is not None:
        text += f"; the mean relevance inside it correlates with the cluster's by {quality.correlation:.2f}"
    return f"{text} (95 % intervals)."


def spread_sentences(case: Case) -> list[str]:
    """Say for every split how many samples of the class carry the artifact, who else does, and how sure that is."""
    own = [_spread(share) for share in case.spread if share.n]
    return [each for each in (*own, _elsewhere(case), _shared(case), _precision(case)) if each]


def _suspected(case: Case) -> tuple[str, str]:
    if case.suspicion is None:
        return "named by the user", ""
    entry = case.suspicion
    return f"{entry.cluster_size} of {entry.n} heatmaps", f"stand apart, score {entry.score:.2f}"


def _found(case: Case) -> tuple[str, str]:
    found = case.isolated
    if found is None:
        return ("given", "not isolated from the cluster") if case.proof else ("none", "nothing could be isolated")
    return PLACES[found.kind], f"in {int(found.members.sum())} of {len(found.members)} samples"


def _measured(case: Case) -> tuple[str, str]:
    tested = case.proof or case.features
    if tested is None or not tested.added:
        return "not measured", ""
    effect, where = tested.added[0].effect, "" if case.proof else "; in features only"
    note = f"{PROBABILITY.range_said(effect)}; {SHARE.said(effect)} of {effect.n} flipped{where}"
    return f"Δp {PROBABILITY.said(effect)}", note


def _suspicion(case: Case) -> str:
    entry = case.suspicion
    if entry is None:
        return f"Class {case.name} was named by the user."
    stands = "stands out" if entry.suspicious else "does not stand out"
    size = f"{entry.cluster_size} of its {entry.n} samples"
    group = "all its samples, against other classes" if case.view == WHOLE else f"the group found by {case.view}"
    by = f" The artifact was looked for in {group}." if case.view else ""
    return f"Class {case.name} {stands} (score {entry.score:.2f}): its most striking group holds {size}.{by}"


def _layer(case: Case) -> str:
    if case.isolated is None:
        said = f"The artifact was given: {artifact_said(case)}" if case.proof else "Nothing could be isolated."
        return f"{said} {failures_sentence(case.failures)}".strip()
    quality = "" if case.quality is None else quality_sentence(case.quality)
    return f"{artifact_said(case)} {quality}".strip()


def _effect(case: Case) -> str:
    if case.proof is not None:
        return _joined(case.proof, lambda ground: ground in MEASURED)
    if case.features is not None:
        return _in_features(case.features, case.name)
    return f"Its effect was not measured. {failures_sentence(case.failures)}".strip()


def _in_features(features: FeatureEffect, name: str) -> str:
    """Say what a direction does in feature space, and what the strongest of its controls."""
    direction, *controls = features.added
    said = effect_said(direction.effect, name, f"its direction in the features of layer {features.layer!r}")
    if not controls:
        return said
    strongest = max(controls, key=lambda trial: trial.effect.probability)
    return f"{said} The strongest control ({trial_name(strongest)}): {PROBABILITY.in_full(strongest.effect)}."


def _verdict(case: Case) -> str:
    if case.proof is not None:
        return f"{verdict_summary(case.proof)} {_joined(case.proof, lambda ground: ground not in MEASURED)}".strip()
    if case.features is not None:
        return SHOWN if case.features.shown else NOT_SHOWN
    if state_of(case) == "not tested":
        return "Not tested."
    what = "no artifact could be isolated" if case.isolated is None else "what was isolated has no layer to paste"
    return f"Open: {what}, so its effect was not measured."


def _joined(proof: Proof, chosen: Callable[[str], bool]) -> str:
    return " ".join(text for ground, text in verdict_grounds(proof).items() if chosen(ground))


def _spread(share: Share) -> str:
    split = SPLITS.get(share.split, share.split)
    images = "image" if share.n == 1 else "images"
    cluster = "" if share.by_cluster is None else f" ({share.by_cluster} by the cluster)"
    found = f"{share.by_matching} of {share.n} {split} {images} of the class carry it{cluster}"
    without = share.n - share.by_matching
    if not share.by_matching:
        return f"{found}; accuracy {_accuracy(share.correct, share.n)}."
    if not without:
        return f"{found}; accuracy {_accuracy(share.correct, share.n)}, and no image is without it."
    rest = f"{_accuracy(share.correct_without, without)} on the {without} without it"
    return f"{found}; accuracy {_accuracy(share.correct, share.n)} on all, {rest}."


def _elsewhere(case: Case) -> str:
    """In how many images of other classes the artifact was found, and in which classes most."""
    n, found = (sum(getattr(each, name) for each in case.elsewhere) for name in ("n", "found"))
    if not n:
        return ""
    where = f"Of {n} images of {len(case.elsewhere)} other classes, drawn evenly, the detector finds it in"
    if not found:
        return f"{where} none ({_share(0, n)})."
    classes = [f"{each.name!r} ({each.found} of {each.n})" for each in most_affected(case) if each.found]
    predicted = sum(each.predicted for each in case.elsewhere)
    return (
        f"{where} {found} ({_share(found, n)}, false alarms included): {listed(classes, LISTED)}; "
        f"{predicted} of the {found} {'is' if predicted == 1 else 'are'} predicted as {case.name!r}."
    )


def most_affected(case: Case) -> list[Prevalence]:
    """Return the other classes, those with the largest share of carriers first."""
    return sorted(case.elsewhere, key=lambda each: (-each.found / max(1, each.n), each.label))


def _shared(case: Case) -> str:
    """Whether other classes carry the artifact too, where adding it does nothing for its class."""
    names = [repr(each.name) for each in most_affected(case) if each.n and wilson(each.found, each.n)[0] >= COMMON]
    if not names or case.proof is None or case.proof.added[0].effect.probability_interval[1] >= MINIMUM:
        return ""
    lowers = case.proof.added[0].effect.probability_interval[1] < 0
    does = f"lowers the probability of {case.name!r}" if lowers else f"does not make {case.name!r} more probable"
    return f"Other classes carry it too ({listed(names, LISTED)}); this may be why adding it {does}."


def _precision(case: Case) -> str:
    """How often the detector is right, where the artifact was planted and the truth is known."""
    looks = [(share.by_matching, share.planted, share.right) for share in case.spread]
    looks += [(each.found, each.planted, each.right) for each in case.elsewhere]
    if not looks or any(planted is None for _, planted, _ in looks):
        return ""
    found, planted, right = (sum(int(look[k] or 0) for look in looks) for k in range(3))
    said = [f"{right} of {found} found carry the planted one (precision {_share(right, found)})"] if found else []
    said += [f"{right} of {planted} carriers are found (recall {_share(right, planted)})"] if planted else []
    return f"An artifact was planted, so the detector's errors are known: {', '.join(said)}." if said else ""


def _share(count: int, n: int) -> str:
    return f"{percent(count / n)} {range_written(wilson(count, n))}"


def _accuracy(correct: int, n: int) -> str:
    low, high = wilson(correct, n)
    return f"{correct / n:.2f} [{low:.2f}, {high:.2f}]"


def truth_sentence(truth: Known) -> str:
    """Say how far an isolated artifact is the planted one, and whether it has its effect."""
    return " ".join(filter(None, (_found_again(truth), _same_effect(truth))))


def _found_again(truth: Known) -> str:
    found = (
        "The artifact was planted, so the truth is known: of what it was taken from, the isolated one was found in "
        f"{samples_said(truth.found)}, {truth.right} of the {truth.carriers} with the artifact among them"
    )
    if truth.iou is None:
        return f"{found}; it covers the whole image."
    return f"{found}, and covers it with an IoU of {truth.iou:.2f}." if truth.right else f"{found}."


def _same_effect(truth: Known) -> str:
    if truth.effect is None:
        return ""
    effect = truth.effect
    return (
        f"The planted artifact itself changes the probability by {PROBABILITY.in_full(effect)} on the same "
        f"{samples_said(effect.n)}; the isolated one's change lies {'inside' if truth.within else 'outside'} this "
        "interval."
    )
