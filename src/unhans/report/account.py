"""A case in plain sentences: suspicion, layer, effect, verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unhans.artifacts.interval import wilson
from unhans.report.measures import PROBABILITY, SHARE

if TYPE_CHECKING:
    from unhans.artifacts.case import Case, Share
    from unhans.artifacts.proof import Proof

STEPS = ("Suspicion", "Layer", "Effect", "Verdict")
SPLITS = {"train": "training", "val": "validation"}
REASONS = {"not isolated": "nothing could be isolated", "not tested": "its effect was not measured"}


def state_of(case: Case) -> str:
    """Return what became of a case: the name of its verdict, "not tested" or "not isolated"."""
    if case.proof is not None:
        return case.proof.verdict.name
    return "not isolated" if case.isolated is None else "not tested"


def case_sentences(case: Case) -> list[str]:
    """Say in one text each why the class was looked at, what was isolated, what it does, and what follows."""
    return [_suspicion(case), _layer(case), _effect(case), _verdict(case)]


def case_grounds(case: Case) -> dict[str, str]:
    """Return the verdict and its grounds by what they are about, each in one text."""
    if case.proof is None:
        said = {"Verdict": _verdict(case), "Reason": trouble_said(case)}
    else:
        said = {"Verdict": case.proof.verdict.summary, **case.proof.verdict.grounds}
    return said | {"Spread": " ".join(spread_sentences(case))}


def headline(case: Case) -> str:
    """Say in one short sentence what the artifact does to the class, or why that was not measured."""
    if case.proof is None or not case.proof.added:
        return trouble_said(case)
    effect = case.proof.added[0].effect
    return (
        f"Its artifact, added to {effect.n} samples of other classes, changes the probability of the class by "
        f"{PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}; {SHARE.said(effect)} of them are then predicted "
        "as the class."
    )


def trouble_said(case: Case) -> str:
    """Return why something is missing as a sentence with a capital and a full stop; "" where nothing is."""
    text = case.trouble.strip()
    return text and f"{text[0].upper()}{text[1:].rstrip('.')}."


def spread_sentences(case: Case) -> list[str]:
    """Say for every split how many samples of the class carry the artifact, and how well it does without them."""
    return [_spread(share) for share in case.spread if share.n]


def _suspicion(case: Case) -> str:
    entry = case.suspicion
    if entry is None:
        return f"Class {case.name} was named by the user."
    found = f"{entry.cluster_size} of its {entry.n} heatmaps form its most striking cluster (score {entry.score:.2f})"
    return f"Class {case.name} is {'suspicious' if entry.suspicious else 'not suspicious'}: {found}."


def _layer(case: Case) -> str:
    if case.isolated is None:
        given = case.proof.artifact.rstrip(".") if case.proof else ""
        return f"The artifact was given: {given}." if case.proof else f"Nothing could be isolated. {trouble_said(case)}"
    quality = getattr(case.quality, "sentence", "")
    return f"{case.isolated.sentence} {quality}".strip()


def _effect(case: Case) -> str:
    if case.proof is None:
        return f"Its effect was not measured. {trouble_said(case)}".strip()
    return " ".join(filter(None, (_addition(case.proof), _removal(case.proof))))


def _addition(proof: Proof) -> str:
    if not proof.added:
        return ""
    effect = proof.added[0].effect
    return (
        f"Added to {effect.n} samples of other classes, it changes the probability of {proof.name} by "
        f"{PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)} and makes the network predict {proof.name} for "
        f"{SHARE.said(effect)} {SHARE.range_said(effect)} of them.{_controls(proof)}"
    )


def _controls(proof: Proof) -> str:
    if len(proof.added) < 2:
        return ""
    strongest = max(proof.added[1:], key=lambda trial: trial.effect.probability)
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
        return case.proof.verdict.sentence
    return f"There is no verdict, as {REASONS[state_of(case)]}."


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
