"""The context ratio class by class and model by model, against accuracy; which classes are shown together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.faithfulness.context_ratio import ContextRatios, ContextState
from unhans.faithfulness.perturbation_curves import estimate_mean
from unhans.stats import (
    Estimate,
    Line,
    Median,
    RankCorrelation,
    Rate,
    least_squares,
    median_of,
    rank_correlation,
)


@dataclass(frozen=True)
class ContextSummary:
    """What a model's heatmaps say about images, of a class or of all.

    Attributes:
        n: images.
        counts: of them in each state.
        median, mean: of ln μ over the images that are measured.
        inside: mean share of positive relevance inside, over the images that were explained.
        weighted: mean of that share over the objects' share of the pixels.
        area: mean share of the pixels that the objects have, over the same images.
        accuracy: of the network on all n images.
    """

    n: int
    counts: Mapping[ContextState, int]
    median: Median
    mean: Estimate
    inside: Estimate
    weighted: Estimate
    area: float
    accuracy: Rate


def summarise_context(found: ContextRatios, seed: int = 0) -> ContextSummary:
    """Sum up images; intervals are bootstrapped over them."""
    log_mu, explained = found.log_mu[found.measured], found.area[~np.isnan(found.inside)]
    return ContextSummary(
        n=len(found.index),
        counts={state: int((found.state == state).sum()) for state in ContextState},
        median=median_of(log_mu, seed),
        mean=estimate_mean(log_mu, seed),
        inside=estimate_mean(found.inside, seed, 1.0),
        weighted=estimate_mean(found.weighted, seed),
        area=float(explained.mean()) if len(explained) else float("nan"),
        accuracy=Rate(int(found.correct.sum()), len(found.index)),
    )


def summarise_classes(found: ContextRatios, seed: int = 0) -> dict[int, ContextSummary]:
    """Sum up the images of every class, by label."""
    return {
        label: summarise_context(found.take(found.labels == label), seed) for label in np.unique(found.labels).tolist()
    }


@dataclass(frozen=True)
class AccuracyRelation:
    """How the context ratio of classes goes with their accuracy.

    Attributes:
        labels: of the classes that have a median (k,).
        log_mu: their median ln μ (k,).
        accuracy: their accuracy (k,).
        correlation: Spearman's, of both.
        line: accuracy over ln μ; None of fewer than three classes.
        least, most: mean of the median ln μ over the third of the classes with the lowest and the highest accuracy; of
            fewer than six classes they have no class.
    """

    labels: NDArray[np.int64]
    log_mu: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    correlation: RankCorrelation
    line: Line | None
    least: Estimate
    most: Estimate


def relate_to_accuracy(classes: Mapping[int, ContextSummary], seed: int = 0) -> AccuracyRelation:
    """Hold the classes' median ln μ against their accuracy; classes without a measured image are left out."""
    known = {label: one for label, one in classes.items() if one.median.n}
    log_mu = np.array([one.median.value for one in known.values()])
    accuracy = np.array([one.accuracy.share for one in known.values()])
    order = np.argsort(accuracy, kind="stable")
    third = len(order) // 3 if len(order) >= 6 else 0
    return AccuracyRelation(
        np.array(list(known), dtype=np.int64), log_mu, accuracy,
        rank_correlation(log_mu, accuracy), least_squares(log_mu, accuracy),
        estimate_mean(log_mu[order[:third]], seed), estimate_mean(log_mu[order[len(order) - third :]], seed),
    )  # fmt: skip


def difference_of_context(one: ContextRatios, other: ContextRatios, seed: int = 0) -> Estimate:
    """Return the mean of ln μ of one model minus that of another, over images that both measured, with its interval.

    Args:
        one, other: of the same images, in any order.
        seed: of the resamples.
    """
    _, rows, others = np.intersect1d(one.index, other.index, assume_unique=True, return_indices=True)
    return estimate_mean(one.log_mu[rows] - other.log_mu[others], seed)


@dataclass(frozen=True)
class CoOccurrence:
    """Which classes are shown together.

    Attributes:
        names: of the classes (k,), the most frequent first.
        counts: (k, k), images that show the class of the row and that of the column; the diagonal counts those of a
            class.
        alone: (k,), images that show no other class.
    """

    names: Sequence[str]
    counts: NDArray[np.int64]
    alone: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Of the images with the row's class the share (k, k) that show the column's as well."""
        return self.counts / np.maximum(np.diag(self.counts), 1)[:, None]


def co_occurrence(shown: Collection[Collection[str]]) -> CoOccurrence:
    """Count classes that images show together; shown: the names of the classes of each image."""
    names = sorted({name for each in shown for name in each})
    place = {name: number for number, name in enumerate(names)}
    member = np.zeros((len(shown), len(names)), dtype=np.int64)
    for row, each in enumerate(shown):
        member[row, [place[name] for name in each]] = 1
    order = np.argsort(-member.sum(0), kind="stable")
    member = member[:, order]
    single = member[member.sum(1) == 1].sum(0) if len(names) else np.zeros(0, dtype=np.int64)
    return CoOccurrence([names[i] for i in order], member.T @ member, single)
