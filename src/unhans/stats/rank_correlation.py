"""Spearman's rank correlation of a few points, with an interval that knows how few they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from unhans.stats.intervals import Interval, Z

FEWEST = 4  # points: of fewer the standard error is not known


@dataclass(frozen=True)
class RankCorrelation:
    """Do two numbers rise together?

    Attributes:
        rho: Spearman's, NaN where one of the numbers is the same at all points or there are fewer than two points.
        interval: 95 %, of independent points; epochs of one training are not quite that.
        n: points.
    """

    rho: float
    interval: Interval
    n: int


def rank_correlation(first: ArrayLike, second: ArrayLike) -> RankCorrelation:
    """Correlate the ranks of two numbers over points (n,); points where one is not a number are left out.

    The interval is that of Fisher's z with the standard error √((1 + ρ²/2) / (n − 3)) [Bonett & Wright 2000]. There z
    is infinite where all ranks agree, so ρ is first moved inwards by half of what exchanging two neighbours changes, to
    1 − 6 / (n (n² − 1)): all of four points in order leave 0 possible, all of five do not, as 1/24 and 1/120, the
    probabilities of such orders by chance, would have it.

    >>> rank_correlation([6, 7, 5, 1, 2, 4, 3], [5, 7, 6, 1, 2, 3, 4]).rho.__round__(3)
    0.929

    Raises:
        ValueError: the numbers are not as many.
    """
    one, two = (np.asarray(each, np.float64) for each in (first, second))
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"two numbers at every point (n,) are expected, got the shapes {one.shape} and {two.shape}.")
    known = ~(np.isnan(one) | np.isnan(two))
    one, two = rankdata(one[known]), rankdata(two[known])
    n = len(one)
    if n < 2 or min(np.ptp(one), np.ptp(two)) == 0:
        return RankCorrelation(float("nan"), (-1.0, 1.0), n)
    rho = float(np.clip(np.corrcoef(one, two)[0, 1], -1, 1))
    if n < FEWEST:
        return RankCorrelation(rho, (-1.0, 1.0), n)
    inside = 1 - 6 / (n * (n**2 - 1))
    moved = float(np.clip(rho, -inside, inside))
    half = Z * np.sqrt((1 + moved**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(moved) + np.array([-half, half]))
    return RankCorrelation(rho, (min(float(low), rho), max(float(high), rho)), n)
