"""The area under a ROC curve with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata

from unhans.stats.intervals import Interval

_Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
_TAIL = 0.025  # of the two-sided 95 % interval


@dataclass(frozen=True)
class Area:
    """The chance that one of the positives scores higher than one of the negatives, with a 95 % interval."""

    value: float
    interval: Interval
    positives: int
    negatives: int


def area_of(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> Area:
    """Return the area under the ROC curve of scores (n,) and (m,), ties counting half.

    The interval is DeLong's (1988), on the logit scale, so that it stays in [0, 1]. Where its variance is zero or
    unknown (one sample on a side) it is Hanley and McNeil's with the area moved half a pair inwards. Where all pairs
    are in order it begins at 0.025^(1/k), k the smaller side: the lowest chance per sample at which k samples, each
    above all others, are still seen once in forty times; likewise where all are out of order. Raises ValueError
    without positives or negatives.
    """
    n, m = len(positive), len(negative)
    if not (n and m):
        raise ValueError(f"an area under the ROC curve needs samples on both sides, got {n} and {m}")
    above = _placements(positive, negative)
    value = float(above.mean())
    if value in (0.0, 1.0):
        reach = _TAIL ** (1 / min(n, m))
        return Area(value, (reach, 1.0) if value else (0.0, 1 - reach), n, m)
    variance = _delong(above, 1 - _placements(negative, positive))
    inside = min(max(value, 0.5 / (n * m)), 1 - 0.5 / (n * m))
    if variance == 0:
        variance = _hanley(inside, n, m)
    half = _Z * np.sqrt(variance) / (inside * (1 - inside))
    low, high = expit(logit(inside) - half), expit(logit(inside) + half)
    return Area(value, (min(float(low), value), max(float(high), value)), n, m)


def _placements(scores: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """For each score, the share of the others that lie below it."""
    ranks = rankdata(np.concatenate((scores, others)))[: len(scores)]
    return (ranks - rankdata(scores)) / len(others)


def _delong(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    """Zero where a side has one sample alone, whose spread nobody knows."""
    if min(len(above), len(below)) < 2:
        return 0.0
    return float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def _hanley(area: float, n: int, m: int) -> float:
    """The variance that exponential scores would have [Hanley and McNeil 1982]."""
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n - 1) * (first - area**2) + (m - 1) * (second - area**2)
    return spread / (n * m)
