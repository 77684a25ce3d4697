"""What rankings of training images by influence tell: about carriers of an artifact, and between two models."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score


class ChanceLevels(NamedTuple):
    """Shares of carriers that a random order finds.

    Attributes:
        of_class: among the training images of the query's class.
        overall: among all training images.
    """

    of_class: float
    overall: float


def ranking(scores: ArrayLike) -> NDArray[np.int64]:
    """Return training images by falling score for every query, (q, n); equal scores keep their order."""
    return np.argsort(-np.asarray(scores), axis=1, kind="stable")


def precision_at(scores: ArrayLike, carriers: ArrayLike, k: int) -> NDArray[np.float64]:
    """Return the share of carriers among the k most influential training images, for every query (q,).

    Args:
        scores: (q, n).
        carriers: (n,), whether a training image carries the artifact.
        k: from 1 to n.

    Raises:
        ValueError: k out of range.
    """
    scores = np.asarray(scores)
    _check_count(k, scores.shape[1])
    return np.asarray(carriers, bool)[ranking(scores)[:, :k]].mean(1)


def average_precision(scores: ArrayLike, carriers: ArrayLike) -> NDArray[np.float64]:
    """Return the area under precision and recall of the carriers, for every query (q,); NaN where there are none."""
    carriers = np.asarray(carriers, bool)
    if not carriers.any():
        return np.full(len(np.asarray(scores)), np.nan)
    return np.array([average_precision_score(carriers, row) for row in np.asarray(scores)])


def chance_levels(carriers: ArrayLike, labels: ArrayLike, label: int) -> ChanceLevels:
    """Return what a random order would find, of the class and overall."""
    carriers, own = np.asarray(carriers, bool), np.asarray(labels) == label
    return ChanceLevels(float(carriers[own].mean()) if own.any() else float("nan"), float(carriers.mean()))


def rank_correlation(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return Spearman's ρ of two models' scores for every query (q,): the correlation of ranks, average ones for ties.

    It is NaN where a model scores all training images alike.
    """
    one, two = (rankdata(np.asarray(scores), axis=1) for scores in (first, second))
    one, two = one - one.mean(1, keepdims=True), two - two.mean(1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return (one * two).sum(1) / np.sqrt((one**2).sum(1) * (two**2).sum(1))


def top_overlap(first: ArrayLike, second: ArrayLike, k: int, corrected: bool = False) -> NDArray[np.float64]:
    """Return the share of training images among the first k of both models, for every query (q,).

    Args:
        first: scores of one model, (q, n).
        second: scores of the other, (q, n).
        k: from 1 to n, of corrected overlaps below n.
        corrected: (o − k/n) / (1 − k/n): 0 for two random orders, 1 for the same images.

    Raises:
        ValueError: k out of range.
    """
    n = np.asarray(first).shape[1]
    _check_count(k, n - 1 if corrected else n)
    tops = zip(ranking(first)[:, :k], ranking(second)[:, :k], strict=True)
    overlap = np.array([len(np.intersect1d(one, two)) / k for one, two in tops])
    return (overlap - k / n) / (1 - k / n) if corrected else overlap


def _check_count(k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise ValueError(f"k must lie between 1 and {most}, got {k}.")
