"""What a comparison of models is told in: sentences about agreement, twins and the model to take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unhans.comparison import (
    Choice,
    KindDifference,
    ModelComparison,
    PairDisagreement,
    Reasons,
)
from unhans.isolation import Failure
from unhans.report.text.isolation_text import failures_sentence
from unhans.report.text.number_format import percent, signed

MEASURE_NAMES = {
    "cosine": "heatmaps (1 − cosine)",
    "rank correlation": "heatmaps (1 − rank correlation)",
    "top overlap": "most relevant 5 % (1 − overlap)",
    "masks": "masks (1 − overlap)",
    "transfer": "drop under the other's masks",
    "transfer quotient": "share lost under the other's masks (1 − quotient)",
    "influence": "influence of training images (1 − rank correlation)",
    "gradient clusters": "clusters of gradients (1 − adjusted Rand)",
}  # of `unhans.comparison.disagreements`; 0 is full agreement
REASONS_NAMES = {
    Reasons.DIFFERENT: "different",
    Reasons.WITHIN_TWINS: "as twins",
    Reasons.NO_TWINS: "no twins",
    Reasons.TOO_FEW: "too few images",
    Reasons.UNSURE: "unsure among many",
    Reasons.TWINS_DISAGREE: "twins disagree as much",
}
FEW_TWINS = "no limit: fewer than four twins"  # of kinds of training, whose chance needs four seeds of one kind
NO_TWINS = (
    "There are no seed twins (two trainings that differ in the seed only) among these models, so it cannot be said "
    "which disagreement is more than that of the same training repeated. Add the checkpoint of one more seed."
)
ONE_PAIR = (
    "There is one pair of seed twins: other pairs are held against it. A second pair would tell whether twins "
    "themselves are called different."
)


def comparison_headline(found: ModelComparison, measure: str = "cosine") -> str:
    """Say which classes have different reasons between two models that are no twins, and how many could be judged."""
    judged = [one for one in _of_classes(found, measure) if one.found.reasons in JUDGED]
    if not judged:
        return f"{len(found.models)} models on the same {len(found.labels)} images"
    different = differing_classes(found, measure)
    classes = len({one.label for one in judged})
    if not different:
        return f"In none of {classes} classes do two models look elsewhere by more than seed twins do"
    names = ", ".join(found.names[label] for label in different)
    verb = "is" if len(different) == 1 else "are"
    return f"{names} {verb} recognised for different reasons by some of these models"


JUDGED = (Reasons.DIFFERENT, Reasons.WITHIN_TWINS, Reasons.UNSURE)


def _of_classes(found: ModelComparison, measure: str) -> list[PairDisagreement]:
    """The disagreements about single classes of pairs that are no twins."""
    return [one for one in found.pairs if one.measure == measure and one.label is not None and not is_twins(found, one)]


def differing_classes(found: ModelComparison, measure: str = "cosine") -> list[int]:
    """Return the classes that some two models, no twins, recognise for different reasons by a measure."""
    return sorted({one.label for one in _of_classes(found, measure) if one.found.reasons is Reasons.DIFFERENT})


def is_twins(found: ModelComparison, one: PairDisagreement) -> bool:
    """Tell whether two models of a comparison are twins."""
    return (one.first, one.second) in found.twins


def comparison_sentences(found: ModelComparison) -> Iterator[str]:
    """Say what the comparison rests on, what cannot be said, and which model to take."""
    classes = len(set(found.labels.tolist()))
    yield f"All models see the same {len(found.labels)} images of {classes} classes."
    if found.left_out:
        shown = ", ".join(found.left_out[:8]) + (" …" if len(found.left_out) > 8 else "")
        yield f"Not every model has these {len(found.left_out)} classes, so they are left out: {shown}."
    if found.seen:
        yield f"{found.seen} more images are left out, as one of the models was trained on them."
    unjudged = [one for one in _of_classes(found, "cosine") if one.found.reasons not in JUDGED]
    if found.twins and unjudged:
        reasons = sorted({REASONS_NAMES[one.found.reasons] for one in unjudged})
        yield f"{len(unjudged)} comparisons of a class between two models could not be judged: {', '.join(reasons)}."
    yield from _unclustered(found)
    yield from _kinds_said(found)
    if not found.twins:
        yield NO_TWINS
    elif len(found.twins) == 1:
        yield ONE_PAIR
    yield recommendation_sentence(found)


def _unclustered(found: ModelComparison) -> Iterator[str]:
    """Say whose gradients are not clustered in every model, where influence was asked for."""
    clusters = [view.clusters for view in found.views.values()]
    if any(each is None for each in clusters):
        return
    clustered = np.unique(found.labels[np.all([each >= 0 for each in clusters], axis=0)])
    missing = [found.names[label] for label in np.unique(found.labels) if label not in clustered]
    if missing:
        yield (
            f"The gradients of {len(missing)} of {len(np.unique(found.labels))} classes are not clustered in every "
            "model: more queries than spray.n_neighbors are needed, whose gradients are not all alike "
            f"({', '.join(missing[:8])}{' …' if len(missing) > 8 else ''})."
        )


def kind_reasons(one: KindDifference) -> str:
    """Name what two kinds of training look at in a class, or why there is no verdict."""
    return FEW_TWINS if one.reasons is Reasons.NO_TWINS else REASONS_NAMES[one.reasons]


def _kinds_said(found: ModelComparison) -> Iterator[str]:
    """Say in which classes two kinds of training look elsewhere at every seed, and what is missing to say so."""
    if found.kinds and all(one.reasons is Reasons.NO_TWINS for one in found.kinds):
        yield (
            "How much of the difference of two kinds of training is common to their seeds is told without a verdict: "
            "four seeds of one of them would show what chance gives."
        )
        return
    for first, second in dict.fromkeys((one.first, one.second) for one in found.kinds):
        own = [one for one in found.kinds if (one.first, one.second) == (first, second)]
        names = ", ".join(found.names[one.label] for one in own if one.reasons is Reasons.DIFFERENT)
        yield (
            f"{', '.join(first)} and {', '.join(second)} look elsewhere in the same way at every seed in "
            f"{names or 'none'} of {len(own)} classes, by more than twins do."
        )


def recommendation_sentence(found: ModelComparison) -> str:
    """Say which of the equally accurate models to take, and why."""
    advice = found.recommendation
    equal = _joined(advice.candidates)
    n = next(iter(found.accuracies.values())).n
    lead = f"{equal} are not told apart in accuracy (n = {n})"
    effects = "; ".join(
        f"{name}: Δp {signed(value, 3)} [{signed(low, 3)}, {signed(high, 3)}]"
        for name, (value, (low, high)) in advice.effects.items()
    )
    if advice.choice is Choice.ONLY_ONE:
        told = f" Proven in it: {effects}." if effects else ""
        return f"No other model is as accurate as {equal} (n = {n}), so there is nothing to choose.{told}"
    if advice.choice is Choice.NOT_TESTED:
        return f"{lead}. No artifact was tested in them, so none of them is recommended for its reasons."
    if advice.choice is Choice.NOTHING_PROVEN:
        return f"{lead}. No artifact is proven in any of them, so none is recommended for its reasons."
    if advice.choice is Choice.NOT_TOLD_APART:
        return f"{lead}. What the proven artifacts do in them differs by no more than its intervals ({effects})."
    if advice.choice is Choice.SEVERAL_LEAST:
        return f"{lead}. The proven artifacts do least in {_joined(advice.least)}; take one of these ({effects})."
    return f"{lead}. Take {advice.model}: the proven artifacts do least in it ({effects})."


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def silent_group_sentence(pair: tuple[str, str], class_name: str, n: int, failures: Sequence[Failure]) -> str:
    """Say of a group of difference maps that nothing was isolated from it, and why."""
    why = failures_sentence(failures)
    return f"{_group_said(pair, class_name, n)}: nothing that they share was isolated. {why}".rstrip()


def furthest_group_sentence(
    pair: tuple[str, str], class_name: str, n: int, split: str, table: Path, ckpt: str | None
) -> str:
    """Say how to isolate and test what the images of a group of difference maps share."""
    lead = f"{_group_said(pair, class_name, n)}, stand furthest apart and are listed in {table}."
    every = "Isolate what they share and measure it in every model: the same command with analysis.isolate=1."
    alone = (
        f"analyze.py analysis=effect ckpt={ckpt} split={split} analysis.classes=[{class_name}] analysis.members={table}"
    )
    return f"{lead} {every}" + (f" In one model: {alone}" if ckpt else "")


def _group_said(pair: tuple[str, str], class_name: str, n: int) -> str:
    return f"{n} images of class {class_name!r} about which {' and '.join(pair)} disagree in the same way"


def predictions_said(found: ModelComparison, pair: tuple[str, str]) -> str:
    """Say how often two models predict the same, and which is more often right."""
    one = found.predictions[pair]
    low, high = one.difference_interval
    return (
        f"{percent(one.agreement)} alike; accuracy {signed(one.difference, 3)} [{signed(low, 3)}, {signed(high, 3)}], "
        f"McNemar p = {one.p:.2g}"
    )
