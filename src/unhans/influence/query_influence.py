"""What the influence of training images on one query tells: which lie first, and how many carry an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.influence.ranking_measures import ChanceLevels, average_precision, chance_levels, precision_at, ranking


@dataclass(frozen=True)
class Training:
    """The training images that are ranked, n of them.

    Attributes:
        index: in their data set (n,).
        labels: (n,).
        carriers: which are known to carry an artifact of their class (n,); None where nobody knows.
    """

    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    carriers: NDArray[np.bool_] | None = None

    def carriers_of(self, label: int) -> NDArray[np.bool_] | None:
        """Return which images (n,) are known to carry the artifact of a class; None where none is."""
        if self.carriers is None:
            return None
        own = self.carriers & (self.labels == label)
        return own if own.any() else None


@dataclass(frozen=True)
class QueryInfluence:
    """What the ranking of one query tells.

    Attributes:
        index: in the data set.
        label: its class.
        predicted: the class that the network takes it for.
        trained: whether it is a training image; it is then left out of its own ranking.
        carries: whether it carries the artifact of its class; None where no carrier is known.
        order: training images as rows of `Training`, the most influential first.
        scores: their scores, in that order.
        precision: share of carriers among the first k, by k; empty where no carrier is known.
        average_precision: area under precision and recall of the carriers, NaN where none is known.
        chance: what a random order would find.
        agreement: share of images of the query's class among the first k, by k.
    """

    index: int
    label: int
    predicted: int
    trained: bool
    carries: bool | None
    order: NDArray[np.int64]
    scores: NDArray[np.floating]
    precision: dict[int, float]
    average_precision: float
    chance: ChanceLevels | None
    agreement: dict[int, float]


def query_influence(
    index: int, label: int, predicted: int, trained: bool, carries: bool, scores: NDArray[np.floating],
    training: Training, counts: Sequence[int],
) -> QueryInfluence:  # fmt: skip
    """Judge the scores (n,) of one query; counts: every k, at most n, or n − 1 where the query is one of the n."""
    others = np.flatnonzero(training.index != index) if trained else np.arange(len(scores))
    row, labels, known = scores[None, others], training.labels[others], training.carriers_of(label)
    (order,) = ranking(row)
    own = None if known is None else known[others]
    return QueryInfluence(
        index, label, predicted, trained, None if own is None else carries, others[order], scores[others][order],
        {} if own is None else {k: float(precision_at(row, own, k)[0]) for k in counts},
        float("nan") if own is None else float(average_precision(row, own)[0]),
        None if own is None else chance_levels(own, labels, label),
        {k: float(precision_at(row, labels == label, k)[0]) for k in counts},
    )  # fmt: skip


def mean_influence(
    scores: NDArray[np.floating], queries: NDArray[np.int64], training: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean score of every training image (n,) over the queries, but for the query that it is itself.

    Args:
        scores: (q, n).
        queries: their indices (q,).
        training: the training images' indices (n,); NaN stands for one that is the only query.
    """
    same = queries[:, None] == training[None]
    counts = (~same).sum(0)
    sums = np.where(same, 0.0, scores).sum(0, dtype=np.float64)
    return np.divide(sums, counts, out=np.full(len(training), np.nan), where=counts > 0)
