"""95 % intervals of shares, means and areas under ROC curves, and p-values of means that hold for any distribution."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, logsumexp, ndtr, stdtrit
from scipy.stats import rankdata

Interval = tuple[float, float]

Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
TAIL = 0.025  # of the two-sided 95 % interval
_RESAMPLES = 2000
_AT_ONCE = 2**21  # random numbers: 16 MB
_MOST = 100_000  # samples: more than these are not asked for


def wilson(successes: float, n: int, z: float = Z) -> Interval:
    """Return Wilson's 95 % score interval of a share; 0 and 1 where none and all of n samples are successes.

    z: the two-sided point of the normal distribution, where another interval than that of 95 % is wanted.
    """
    share, z2 = successes / n, z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = float(centre - half), float(centre + half)
    return (0.0 if successes == 0 else max(0.0, low)), (1.0 if successes == n else min(1.0, high))


def bootstrap(values: NDArray[np.number], seed: int = 0, possible: float = np.inf) -> Interval:
    """Return the 95 % percentile bootstrap interval of the mean of values (n,); see `bootstrap_columns`."""
    return bootstrap_columns(np.asarray(values)[:, None], seed, possible)[0]


def bootstrap_columns(
    values: NDArray[np.number], seed: int = 0, possible: float | NDArray[np.float64] = np.inf
) -> list[Interval]:
    """Return the 95 % percentile bootstrap intervals of the means of columns that share their resamples of rows.

    The percentiles are widened for small n, from the 2.5 % point to Φ(−√(n / (n − 1)) t), t the 97.5 % point of
    Student's distribution with n − 1 degrees of freedom: the plain ones are too narrow there [Hesterberg 2015, § 5.3].

    Args:
        values: (n, k). Equal rows give an interval of no width.
        seed: of the resamples.
        possible: the interval is ±possible, of all columns or of each (k,), for one row: it says nothing of the spread.
    """
    values = np.asarray(values, dtype=np.float64)
    n, columns = values.shape
    if n == 1:
        return [(-float(bound), float(bound)) for bound in np.broadcast_to(possible, columns)]
    ends = _percentiles(lambda rows: np.stack([column[rows].mean(1) for column in values.T], axis=1), n, seed)
    return [(float(low), float(high)) for low, high in np.clip(ends, values.min(0), values.max(0)).T]  # rounding


@dataclass(frozen=True)
class Median:
    """The median of n values and its 95 % bootstrap interval; not a number where n is 0."""

    value: float
    interval: Interval
    n: int


def median_of(values: NDArray[np.floating], seed: int = 0) -> Median:
    """Return the median of finite values (n,) and its percentile bootstrap interval, widened as that of a mean is.

    The interval of a single value is infinite: it says nothing of the spread.
    """
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        return Median(float(found[0]) if len(found) else float("nan"), (-np.inf, np.inf), len(found))
    low, high = _percentiles(lambda rows: np.median(found[rows], axis=1), len(found), seed)
    return Median(float(np.median(found)), (float(low), float(high)), len(found))


def allow_for_unseen(interval: Interval, mean: float, n: int, possible: float) -> Interval:
    """Widen the interval of a mean of n values in ± possible by what n draws may have missed.

    Values that no draw showed may make up a share q of all, (1 − q)ⁿ = 2.5 %, and lie at either end: the mean may be
    (1 − q) mean ± q · possible. A bootstrap knows only what was drawn: of ten equal values its interval has no width.
    """
    q = 1 - TAIL ** (1 / n)
    low, high = ((1 - q) * mean + sign * q * possible for sign in (-1, 1))
    return min(interval[0], low), max(interval[1], high)


def mean_difference(
    difference: NDArray[np.number], seed: int = 0, possible: float = 1.0, groups: NDArray[np.int64] | None = None
) -> tuple[float, Interval]:
    """Return the mean of differences within the same samples and its 95 % interval.

    Args:
        difference: (n,), each in ± possible.
        seed: of the resamples.
        possible: the largest size of a difference.
        groups: (n,), of samples that share something, such as the image that lent its pixels: groups are then
            resampled and counted, not samples.
    """
    difference = np.asarray(difference, dtype=np.float64)
    mean = float(difference.mean())
    if groups is None:
        return mean, allow_for_unseen(bootstrap(difference, seed, possible), mean, len(difference), possible)
    _, group = np.unique(groups, return_inverse=True)
    counts, sums = np.bincount(group), np.bincount(group, weights=difference)
    interval = (-possible, possible)
    if len(counts) > 1:
        low, high = _percentiles(lambda rows: sums[rows].sum(1) / counts[rows].sum(1), len(counts), seed)
        interval = float(low), float(high)
    return mean, allow_for_unseen(interval, mean, len(counts), possible)


def samples_below(values: NDArray[np.number], bound: float, possible: float = 1.0) -> int | None:
    """Return about how many values like these put the 95 % interval of their mean below a bound; None: no number will.

    As many as both parts of the interval take: the spread of the values, and what n draws may have missed.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if mean >= bound:
        return None
    spread = (Z * values.std(ddof=min(1, len(values) - 1)) / (bound - mean)) ** 2
    unseen = np.log(TAIL) / np.log1p(-(bound - mean) / (possible - mean))
    needed = max(len(values), int(np.ceil(max(spread, unseen))))
    return needed if needed <= _MOST else None


def _percentiles(mean: Callable[[NDArray[np.int64]], NDArray[np.float64]], n: int, seed: int) -> NDArray[np.float64]:
    """The ends (2, ...) of the bootstrap interval of a mean, a function of rows (resamples, n) drawn from n."""
    rng, size = np.random.default_rng(seed), max(1, _AT_ONCE // n)
    blocks = [min(size, _RESAMPLES - start) for start in range(0, _RESAMPLES, size)]
    means = np.concatenate([mean(rng.integers(n, size=(block, n))) for block in blocks])
    tail = ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - TAIL))
    return np.quantile(means, [tail, 1 - tail], axis=0)


@dataclass(frozen=True)
class Area:
    """The chance that one of the positives scores higher than one of so many negatives, with a 95 % interval."""

    value: float
    interval: Interval
    positives: int
    negatives: int


def area_of(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> Area:
    """Return the area under the ROC curve of scores (n,) and (m,), ties counting half.

    The interval is DeLong's (1988), on the logit scale, so that it stays in [0, 1]. Where its variance is zero or
    unknown (one sample on a side) it is Hanley and McNeil's with the area moved half a pair inwards. Where all pairs
    are in order it begins at 0.025^(1/k), k the smaller side: the lowest chance per sample at which k samples, each
    above all others, are still seen once in forty times; likewise where all are out of order.

    Raises:
        ValueError: a side is empty.
    """
    n, m = len(positive), len(negative)
    if not (n and m):
        raise ValueError(f"an area under the ROC curve needs samples on both sides, got {n} and {m}")
    above = _placements(positive, negative)
    value = float(above.mean())
    if value in (0.0, 1.0):
        reach = TAIL ** (1 / min(n, m))
        return Area(value, (reach, 1.0) if value else (0.0, 1 - reach), n, m)
    variance = _delong(above, 1 - _placements(negative, positive))
    inside = min(max(value, 0.5 / (n * m)), 1 - 0.5 / (n * m))
    if variance == 0:
        variance = _hanley(inside, n, m)
    half = Z * np.sqrt(variance) / (inside * (1 - inside))
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


BETS = 64  # stakes that share the capital; twice as many change no p-value by 1 %


def p_value(values: NDArray[np.floating], least: float = 0.0, possible: float = 1.0) -> float:
    """Return the one-sided p-value of "the mean is `least` or less", of independent values in ± possible.

    A bet that wins where the mean lies above `least` [Waudby-Smith & Ramdas 2023, §4]: a stake λ in [0, 1 / (possible +
    least)] turns a capital of 1 into W(λ) = Π (1 + λ (x_i − least)) ≥ 0. Under the hypothesis E W(λ) ≤ 1: the factors
    are independent, and by the inequality of the arithmetic and geometric means Π E(…) ≤ (1 + λ (mean − least))ⁿ ≤ 1,
    also where the x_i have different means, and by Maclaurin's inequality also where they are drawn without putting
    them back.
    Nobody knows the best stake beforehand, so the capital is spread evenly over stakes that follow the arcsine law. The
    mean of their outcomes, e, is then an e-value, and p = 1 / e is a p-value by Markov's inequality, for every n.

    - It agrees with the printed intervals: n equal values x win at most
      ((possible + x) / (possible + least))ⁿ, which is 1 / α where the lower end of `allow_for_unseen` at level α is
      `least`.
    - Student's test is not used. Where most values lie a little above and a few lie far below, p = 0.0001 by it has up
      to twenty times that probability, and so small ones are what many tests need.
    - Benjamini and Hochberg's procedure on 1 / e-values holds whatever the dependence between the tests [Wang & Ramdas
      2022]; candidates that are pasted on the same images are dependent.

    Args:
        values: (n,), each in ± possible.
        least: the largest mean that the hypothesis allows, above −possible.
        possible: the largest size of a value.
    """
    return _p(_winnings(values, least, possible))


def samples_to_show(values: NDArray[np.floating], rate: float, least: float = 0.0, possible: float = 1.0) -> int | None:
    """Return about how many values like these give a p-value of `rate` or less; None where 100,000 do not."""
    logs, n = _winnings(values, least, possible), len(values)
    needed = range(n, max(n, _MOST) + 1)
    found = bisect_left(needed, True, key=lambda count: _p(logs * count / n) <= rate)
    return needed[found] if found < len(needed) else None


def _winnings(values: NDArray[np.floating], least: float, possible: float) -> NDArray[np.float64]:
    """The logarithms of what the stakes (BETS,) have won."""
    angles = np.pi * (2 * np.arange(1, BETS + 1) - 1) / (4 * BETS)
    stakes = np.sin(angles) ** 2 / (possible + least)
    return np.log1p(stakes[:, None] * (np.asarray(values, dtype=np.float64) - least)).sum(1)


def _p(winnings: NDArray[np.float64]) -> float:
    """One over the mean of what was won; a number above 0, so that it has a logarithm."""
    return float(np.exp(np.clip(np.log(len(winnings)) - logsumexp(winnings), np.log(np.finfo(float).tiny), 0.0)))
