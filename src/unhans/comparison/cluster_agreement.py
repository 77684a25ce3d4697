"""Do two models' clusters hold the same images?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.seed_twins import FEWEST, QUANTILE, ClassDisagreement, Reasons

NONE = -1  # of an image that was not clustered
RESAMPLES = 2000


def cluster_disagreement(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for every image how far two clusterings disagree on whom it is together with, corrected for chance (n,).

    Of image i that is (1 − a_i) / (1 − E): a_i is the share of the other images that both clusterings put together with
    it, or both apart from it, and E the expected share for random clusters of these sizes. The mean over images is one
    minus the adjusted Rand index (Hubert & Arabie 1985). Where chance can do no other, as with one cluster, it is 0.

    Args:
        first: the cluster of each image (n,); −1 for images without one, whose value is NaN.
        second: those of the other model.
    """
    found = np.full(len(first), np.nan)
    rows = np.flatnonzero((first != NONE) & (second != NONE))
    if len(rows) < 2:
        return found
    table, i, j = _contingency(first[rows], second[rows])
    apart = (table.sum(1)[i] + table.sum(0)[j] - 2 * table[i, j]) / (len(rows) - 1)  # together in one of them only
    by_chance = float(_by_chance(table))
    found[rows] = apart / by_chance if by_chance > 0 else 0.0
    return found


Clusterings = Sequence[NDArray[np.int64]]  # of two models


def rand_disagreement(
    first: NDArray[np.int64], second: NDArray[np.int64], seed: int = 0
) -> tuple[float, NDArray[np.float64]]:
    """Return one minus the adjusted Rand index, the mean over classes by their images, and that of 2,000 resamples.

    Images are resampled within their classes, and the index is computed anew: it is no mean of independent images, as
    every image is held against all others. The clusters themselves stay.

    Args:
        first: 2 · label + 0 or 1 of each image (n,), −1 for none.
        second: of the other model.
        seed: of the resamples.
    """
    rows = np.flatnonzero((first != NONE) & (second != NONE))
    rng, total, drawn = np.random.default_rng(seed), 0.0, np.zeros(RESAMPLES)
    for label in np.unique(first[rows] // 2):
        own = rows[first[rows] // 2 == label]
        table = _contingency(first[own], second[own])[0]
        share = len(own) / len(rows)
        total += share * float(_disagreement(table))
        samples = rng.multinomial(len(own), table.ravel() / len(own), RESAMPLES)
        drawn += share * _disagreement(samples.reshape(RESAMPLES, *table.shape))
    return total, drawn


def judge_clusters(pair: Clusterings, twins: Sequence[Clusterings] = (), seed: int = 0) -> ClassDisagreement:
    """Judge how far two models' clusters of a class disagree, held against twins.

    The reasons are called different where the lower end of the interval of one minus the adjusted Rand index lies above
    97.5 % of the twins' resamples.

    Args:
        pair: the clusters of both models, as of `rand_disagreement`.
        twins: those of pairs of trainings that differ in the seed only.
        seed: of the resamples.
    """
    count = _common(pair)
    value, drawn = rand_disagreement(*pair, seed)
    low, high = (float(each) for each in np.quantile(drawn, [0.025, 0.975]))
    held = [each for each in twins if _common(each)]
    if not held:
        return ClassDisagreement(value, (low, high), count, *[float("nan")] * 3, Reasons.NO_TWINS)
    known = np.concatenate([rand_disagreement(*each, seed + 1 + i)[1] for i, each in enumerate(held)])
    limit = float(np.quantile(known, QUANTILE))
    reasons = Reasons.DIFFERENT if low > limit else Reasons.WITHIN_TWINS
    if min(count, *(_common(each) for each in held)) < FEWEST:
        reasons = Reasons.TOO_FEW
    p = (1 + int((np.tile(drawn, len(held)) <= known).sum())) / (1 + len(known))
    return ClassDisagreement(value, (low, high), count, limit, float("nan"), p, reasons)


def _common(pair: Clusterings) -> int:
    """Images that both models have clustered."""
    return int(np.all([each != NONE for each in pair], axis=0).sum())


def _disagreement(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """One minus the adjusted Rand index of tables (…, clusters, clusters)."""
    n = table.sum((-2, -1))
    apart = (table.sum(-1) ** 2).sum(-1) + (table.sum(-2) ** 2).sum(-1) - 2 * (table**2).sum((-2, -1))
    by_chance = _by_chance(table)
    found = apart / np.maximum(n * (n - 1), 1)
    return np.divide(found, by_chance, out=np.zeros_like(found), where=by_chance > 0)


def _by_chance(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """1 − E of tables (…, clusters, clusters): the share of pairs about which clusters by chance disagree."""
    n = table.sum((-2, -1))
    pairs = np.maximum(n * (n - 1) / 2, 1)
    one, two = ((sizes * (sizes - 1)).sum(-1) / 2 for sizes in (table.sum(-1), table.sum(-2)))
    return np.asarray((one + two - 2 * one * two / pairs) / pairs)


def _contingency(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Images by both clusters, and the row and the column of each image."""
    (names, i), (others, j) = (np.unique(each, return_inverse=True) for each in (first, second))
    table = np.zeros((len(names), len(others)), dtype=np.int64)
    np.add.at(table, (i, j), 1)
    return table, i, j


def by_class(first: NDArray[np.int64], second: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `cluster_disagreement` within each class (n,)."""
    found = np.full(len(labels), np.nan)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        found[rows] = cluster_disagreement(first[rows], second[rows])
    return found
