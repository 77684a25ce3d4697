"""What repairs led to: a network by one method and seed, assessed; methods compared over seeds; table 2 of [000]."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, NamedTuple, get_args

from unhans.clarc import Estimator, Spatial
from unhans.repair.assessment import Assessment
from unhans.stats import Estimate, Interval, Rate, difference_over_seeds, estimate, share_over_seeds

Method = Literal["uncorrected", "unaltered", "augmented", "a_clarc", "p_clarc", "reactive", "right_reasons"]
ConceptSource = Literal["found", "pasted"]

METHODS: tuple[Method, ...] = get_args(Method)
BEFORE: Method = "uncorrected"  # the method that the others are compared with
POST_HOC: tuple[Method, ...] = ("uncorrected", "p_clarc", "reactive")  # nothing is trained: they need a trained network
CORRECTING: tuple[Method, ...] = ("a_clarc", "p_clarc", "reactive")  # at a layer, by a concept


@dataclass(frozen=True)
class Point:
    """One epoch of a fine-tuning; what was not measured is None.

    Attributes:
        epoch: 0 is before the first.
        relevance: mean share of positive relevance inside the artifact's mask, on fixed samples that carry it.
        clean: accuracy on the validation images without the artifact.
        added: accuracy on the same images with the artifact on all.
        relevance_interval: 95 %, over the samples.
    """

    epoch: int
    relevance: float | None
    clean: float | None
    added: float | None
    relevance_interval: Interval | None = None


@dataclass(frozen=True)
class FittedConcept:
    """What is told of the concept that a method corrects a layer by; see `unhans.clarc.Concept`.

    Attributes:
        source: images that it was fitted on: "found" are those of the class with the artifact against its others,
            "pasted" the same images with and without the artifact pasted.
    """

    layer: str
    estimator: Estimator
    spatial: Spatial
    separation: float
    n_affected: int
    n_unaffected: int
    source: ConceptSource


@dataclass(frozen=True)
class Outcome:
    """A repaired network of one method and seed.

    Attributes:
        method: how it was repaired.
        seed: of its training, and of the samples of its concept.
        seconds: what the repair took, assessment left out.
        assessment: what the network does with and without the artifact.
        curve: the epochs of its training, empty where there was none.
        folder: holds its checkpoint `model.ckpt` and its heatmaps `evolution.npz`.
        concept: what a layer was corrected by, None where none was.
        weight: of the reasons in the loss, None where they are in none.
    """

    method: Method
    seed: int
    seconds: float
    assessment: Assessment
    curve: tuple[Point, ...]
    folder: Path
    concept: FittedConcept | None = None
    weight: float | None = None


def by_method(outcomes: Iterable[Outcome]) -> dict[Method, list[Outcome]]:
    """Sort outcomes by method, in the order of `METHODS`, and by seed; ValueError for none, or a seed given twice."""
    found: dict[Method, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda one: (METHODS.index(one.method), one.seed)):
        found.setdefault(outcome.method, []).append(outcome)
    if not found:
        raise ValueError("A comparison of repairs needs at least one outcome; got none.")
    for method, runs in found.items():
        seeds = [run.seed for run in runs]
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"A comparison needs one outcome per method and seed; got seeds {seeds} of {method!r}.")
    return found


class Measured(NamedTuple):
    """A number of one network, its 95 % interval, and on how many samples it was measured."""

    value: float
    interval: Interval
    n: int


def _accuracy(rate: Rate | None) -> Measured | None:
    return Measured(rate.share, rate.interval, rate.n) if rate is not None and rate.n else None


NUMBERS: Mapping[str, Callable[[Assessment], Measured | None]] = {
    "clean": lambda one: _accuracy(one.clean),
    "added": lambda one: _accuracy(one.added),
    "removed": lambda one: _accuracy(one.removed),
    "worst": lambda one: _accuracy(one.worst[1]),
    "effect": lambda one: Measured(one.effect.probability, one.effect.probability_interval, one.effect.n),
    "relevance": lambda one: one.relevance and Measured(one.relevance.mean, one.relevance.interval, one.relevance.n),
    "area": lambda one: (
        one.area and Measured(one.area.value, one.area.interval, one.area.positives + one.area.negatives)
    ),
}
"""The numbers of a network, by the fields of `Summary` and of `Assessment`; None where one was not measured."""


class Summary(NamedTuple):
    """One method over its seeds; what was not measured in every seed is None.

    Attributes:
        clean, added, removed, worst: accuracies.
        group: the class of the worst group, and whether the artifact was added.
        effect: Δp.
        reduced: by what share the size of Δp is smaller than before any repair, with the interval of Δp; None where
            nothing was measured before or its interval holds 0.
        relevance: share of it inside the artifact's mask.
        area: under the ROC curve of the artifact's class on unaltered images.
        kept: the change of clean accuracy against before.
        seconds: the mean over seeds.
        runs: an outcome per seed.
    """

    method: Method
    clean: Estimate
    added: Estimate
    removed: Estimate | None
    worst: Estimate
    group: tuple[str, bool]
    effect: Estimate
    reduced: tuple[float, Interval] | None
    relevance: Estimate | None
    area: Estimate | None
    kept: Estimate | None
    seconds: float
    runs: Sequence[Outcome]


def summaries(outcomes: Iterable[Outcome]) -> list[Summary]:
    """Sum up every method over its seeds; see `Summary`, and `by_method` for errors."""
    methods = by_method(outcomes)
    before = methods.get(BEFORE, [])
    return [_summary(method, runs, [] if method == BEFORE else before) for method, runs in methods.items()]


def _summary(method: Method, runs: Sequence[Outcome], before: Sequence[Outcome]) -> Summary:
    group = _worst(runs)
    numbers = {name: _over_seeds(runs, number) for name, number in NUMBERS.items()}
    numbers |= {
        "worst": _over_seeds(runs, lambda one: _accuracy(one.groups[group])),  # one group for all seeds
        "effect": _effect(runs),
    }
    return Summary(
        method,
        **numbers,
        group=group,
        reduced=_reduced(numbers["effect"], _effect(before)) if before else None,
        kept=_kept(runs, before) if before else None,
        seconds=fmean(run.seconds for run in runs),
        runs=runs,
    )


def _over_seeds(
    runs: Sequence[Outcome], number: Callable[[Assessment], Measured | None], bounds: Interval = (0, 1)
) -> Estimate | None:
    found = [number(run.assessment) for run in runs]
    if None in found:
        return None
    values, intervals, counts = zip(*found, strict=True)
    return estimate(values, intervals, min(counts), bounds)


def _effect(runs: Sequence[Outcome]) -> Estimate:
    return _over_seeds(runs, NUMBERS["effect"], (-1, 1))


def _worst(runs: Sequence[Outcome]) -> tuple[str, bool]:
    """The group whose mean accuracy over seeds is the smallest; of several, the first."""
    groups = [group for group, rate in runs[0].assessment.groups.items() if rate.n]
    return min(groups, key=lambda group: fmean(run.assessment.groups[group].share for run in runs))


def _kept(runs: Sequence[Outcome], before: Sequence[Outcome]) -> Estimate | None:
    """The change of clean accuracy, paired by seed; one network from before stands for all seeds."""
    first = {run.seed: run.assessment.clean for run in before}
    if len(before) == 1:
        first = dict.fromkeys((run.seed for run in runs), before[0].assessment.clean)
    pairs = [(run.assessment.clean, first[run.seed]) for run in runs if run.seed in first]
    return difference_over_seeds(*zip(*pairs, strict=True)) if pairs else None


def _reduced(effect: Estimate, base: Estimate) -> tuple[float, Interval] | None:
    """By what share |Δp| is smaller; its interval is that of Δp, with Δp from before taken as it was measured."""
    if base.interval[0] <= 0 <= base.interval[1]:
        return None
    low, high = effect.interval
    ends = sorted((abs(low), abs(high)))
    least = 0.0 if low <= 0 <= high else ends[0]
    return 1 - abs(effect.mean) / abs(base.mean), (1 - ends[1] / abs(base.mean), 1 - least / abs(base.mean))


ROWS: Mapping[str, Method] = {"A": "unaltered", "B": "augmented"}  # trained on
COLUMNS: Mapping[str, Callable[[Assessment], Rate]] = {"A": lambda one: one.clean, "B": lambda one: one.added}


class TableTwo(NamedTuple):
    """Accuracies by (trained on, validated on), each "A" or "B", and differences of B minus A by validated on."""

    cells: dict[tuple[str, str], Estimate]
    gains: dict[str, Estimate]


def table_two_of(outcomes: Iterable[Outcome]) -> TableTwo | None:
    """Return table 2 over the seeds that both its rows have; None where they have none in common."""
    methods = by_method(outcomes)
    rows = {row: methods.get(method, []) for row, method in ROWS.items()}
    common = set.intersection(*({run.seed for run in runs} for runs in rows.values()))
    if not common:
        return None
    rates = {
        (row, images): [rate(run.assessment) for run in runs if run.seed in common]
        for row, runs in rows.items()
        for images, rate in COLUMNS.items()
    }
    cells = {place: share_over_seeds(each) for place, each in rates.items()}
    return TableTwo(
        cells, {images: difference_over_seeds(rates["B", images], rates["A", images]) for images in COLUMNS}
    )
