"""A case in plain sentences: suspicion, layer, effect, verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unhans.effects import OTHER, WHOLE, reason_of, state_of
from unhans.report.text.number_format import PROBABILITY, SHARE
from unhans.report.text.numerals import share_said
from unhans.report.text.verdict_text import verdict_grounds, verdict_missing, verdict_sentence, verdict_summary
from unhans.stats import wilson

if TYPE_CHECKING:
    from unhans.effects import Case, FeatureEffect, Proof, Quality, Share, Trial


STEPS = ("Suspicion", "Layer", "Effect", "Verdict")
SPLITS = {"train": "training", "val": "validation"}
SHOWN = (
    "Open: the network uses what the samples of this group share, as a test in feature space shows. No pixels of it "
    "were isolated: look at the images of the group to see what it may be."
)
NOT_SHOWN = (
    "Open: no artifact could be isolated. A test in feature space does not show that what the group shares does more "
    "than its controls; that clears nothing."
)
NO_LAYER = "A layer that can be pasted: a mask of where the artifact lies, or a picture of it."


def change_said(case: Case) -> str:
    """Say what the artifact, or its direction in feature space, adds to the class's probability; "" if unmeasured."""
    in_features = reason_of(case) == "features only"
    tested = case.features if in_features else case.proof
    if tested is None:
        return ""
    effect = tested.added[0].effect
    return f"Δp {PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}{' in feature space' * in_features}"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are: "a, b and 3 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def missing_of(case: Case) -> str:
    """Say what a decision about an open case would take; "" where it is not open."""
    if case.proof is not None:
        return verdict_missing(case.proof)
    return NO_LAYER if reason_of(case) is not None else ""


def case_sentences(case: Case) -> list[str]:
    """Say in one text each why the class was looked at, what was isolated, what it does, and what follows."""
    return [_suspicion(case), _layer(case), _effect(case), _verdict(case)]


def case_grounds(case: Case) -> dict[str, str]:
    """Return the verdict and its grounds by what they are about, each in one text."""
    if case.proof is None:
        tested = "" if case.features is None else _in_features(case.features, case.name)
        said = {"Verdict": _verdict(case), "Effect": tested, "Reason": trouble_said(case), "Missing": missing_of(case)}
    else:
        said = {"Verdict": verdict_summary(case.proof), **verdict_grounds(case.proof)}
    return said | {"Spread": " ".join(spread_sentences(case)), "Not tested": case.left}


def headline(case: Case) -> str:
    """Say in one short sentence what the artifact does to the class, or why that was not measured."""
    if case.proof is None and case.features is not None:
        return _in_features(case.features, case.name)
    if case.proof is None or not case.proof.added:
        return trouble_said(case)
    effect = case.proof.added[0].effect
    return (
        f"Its artifact, added to {effect.n} samples of other classes, changes the probability of the class by "
        f"{PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}; {SHARE.said(effect)} of them are newly "
        "predicted as the class."
    )


def trouble_said(case: Case) -> str:
    """Return why something is missing as a sentence with a capital and a full stop; "" where nothing is."""
    text = case.trouble.strip()
    return text and f"{text[0].upper()}{text[1:].rstrip('.')}."


def quality_sentence(quality: Quality) -> str:
    """Say how well an isolated layer, laid over other images, draws the relevance that the cluster has there."""
    cluster, before, after = (
        share_said(one.mean, one.interval) for one in (quality.cluster, quality.before, quality.after)
    )
    carriers, others = quality.cluster.n, quality.after.n
    text = (
        f"Inside the artifact lies {cluster} of the positive relevance in the {carriers} images that carry it; on "
        f"{others} other images {before} before and {after} after the isolated layer is laid over them"
    )
    if quality.correlation is not None:
        text += f"; the mean relevance inside it correlates with the cluster's by {quality.correlation:.2f}"
    return f"{text} (95 % intervals)."


def spread_sentences(case: Case) -> list[str]:
    """Say for every split how many samples of the class carry the artifact, and how well it does without them."""
    return [_spread(share) for share in case.spread if share.n]


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
        given = case.proof.artifact.rstrip(".") if case.proof else ""
        return f"The artifact was given: {given}." if case.proof else f"Nothing could be isolated. {trouble_said(case)}"
    quality = "" if case.quality is None else quality_sentence(case.quality)
    return f"{case.isolated.sentence} {quality}".strip()


def _effect(case: Case) -> str:
    if case.proof is None and case.features is not None:
        return _in_features(case.features, case.name)
    if case.proof is None:
        return f"Its effect was not measured. {trouble_said(case)}".strip()
    return " ".join(filter(None, (_addition(case.proof.added, case.proof.name), _removal(case.proof))))


def _addition(added: Sequence[Trial], name: str, what: str = "it") -> str:
    if not added:
        return ""
    effect = added[0].effect
    return (
        f"Added to {effect.n} samples of other classes, {what} changes the probability of {name} by "
        f"{PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)} and makes the network predict {name} for "
        f"{SHARE.said(effect)} {SHARE.range_said(effect)} of them.{_controls(added)}"
    )


def _in_features(features: FeatureEffect, name: str) -> str:
    """Say what a direction does in feature space."""
    return _addition(features.added, name, f"its direction in the features of layer {features.layer!r}")


def _controls(added: Sequence[Trial]) -> str:
    if len(added) < 2:
        return ""
    own = [trial for trial in added[1:] if trial.name != OTHER]  # that is the gain of another class
    if not own:
        return ""
    strongest = max(own, key=lambda trial: trial.effect.probability)
    changed = f"{PROBABILITY.said(strongest.effect)} {PROBABILITY.range_said(strongest.effect)}"
    return f" The strongest control ({strongest.name}) changes it by {changed}."


def _removal(proof: Proof) -> str:
    if not proof.removed:
        return ""
    trial = proof.removed[0]
    return (
        f"Removed from {trial.effect.n} affected samples ({trial.name}), it changes the probability by "
        f"{PROBABILITY.said(trial.effect)} {PROBABILITY.range_said(trial.effect)}."
    )


def _verdict(case: Case) -> str:
    if case.proof is not None:
        return verdict_sentence(case.proof)
    if case.features is not None:
        return SHOWN if case.features.shown else NOT_SHOWN
    if state_of(case) == "not tested":
        return "Not tested."
    what = "no artifact could be isolated" if case.isolated is None else "what was isolated has no layer to paste"
    return f"Open: {what}, so its effect was not measured."


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


def _accuracy(correct: int, n: int) -> str:
    low, high = wilson(correct, n)
    return f"{correct / n:.2f} [{low:.2f}, {high:.2f}]"
