"""Do held-out scores tell a cluster from the rest, and where is the gap between the two groups?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_NOISE = 5.0  # robust standard deviations of the lower group that the threshold lies above its median, if that is …
_NEAR, _FAR = 0.3, 0.5  # … between these shares of the way to the upper group: a border is faint on a white sky
_PERMUTATIONS = 1000
_FEW = 10  # scores of the lower group, with fewer of which both groups tell the deviation


@dataclass(frozen=True)
class Split:
    """Two groups of scores: the threshold between them, and the gap in robust standard deviations of the lower one."""

    threshold: float
    gap: float


def split_scores(scores: NDArray[np.floating]) -> Split:
    """Return where scores (n ≥ 2) fall into two groups, of least squared distances to their means (Otsu's criterion).

    The threshold then lies five robust standard deviations above the lower group's median, at least .3 and at most .5
    of the way to the upper group's. A lower group of fewer than ten takes the deviation of both groups.
    """
    ordered = np.sort(scores)
    cut = _best_cut(ordered)
    low, high = np.median(ordered[:cut]), np.median(ordered[cut:])
    deviations = np.abs(ordered - np.where(np.arange(len(ordered)) < cut, low, high))
    spread = 1.4826 * np.median(deviations[:cut] if cut >= _FEW else deviations)
    way = high - low
    threshold = low + np.clip(_NOISE * spread, _NEAR * way, _FAR * way)
    return Split(float(threshold), float(way / max(spread, 1e-12)))


def _best_cut(ordered: NDArray[np.floating]) -> int:
    n, size = len(ordered), np.arange(1, len(ordered))
    total = np.cumsum(ordered - ordered.mean())[:-1]
    return int(np.argmax(total**2 / (size * (n - size)))) + 1


def chance(
    scores: NDArray[np.floating], members: NDArray[np.bool_], folds: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """Return the p-value of held-out scores under permuted memberships.

    Memberships are permuted within each fold, where the filter has seen none of them; the statistic is the sum of the
    members' ranks within their folds.
    """
    observed, permuted = 0.0, np.zeros(_PERMUTATIONS)
    for fold in np.unique(folds):
        ranks, own = rankdata(scores[folds == fold]), members[folds == fold]
        observed += ranks[own].sum()
        permuted += rng.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)[:, : own.sum()].sum(1)
    return float((1 + np.sum(permuted >= observed)) / (1 + _PERMUTATIONS))
