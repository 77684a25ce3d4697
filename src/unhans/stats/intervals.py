"""95 % intervals of shares and means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Interval = tuple[float, float]

_Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
_TAIL = 0.025  # of the two-sided 95 % interval
_RESAMPLES = 2000
_AT_ONCE = 2**21  # random numbers: 16 MB
_MOST = 100_000  # samples: more than these are not asked for


def wilson(successes: int, n: int) -> Interval:
    """Return Wilson's 95 % score interval of a share."""
    share, z2 = successes / n, _Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = float(centre - half), float(centre + half)
    return (0.0 if successes == 0 else max(0.0, low)), (1.0 if successes == n else min(1.0, high))  # exact ends


def bootstrap(values: NDArray[np.number], seed: int = 0, possible: float = np.inf) -> Interval:
    """Return the 95 % percentile bootstrap interval of a mean; values: (n,); see bootstraps."""
    return bootstraps(np.asarray(values)[:, None], seed, possible)[0]


def bootstraps(
    values: NDArray[np.number], seed: int = 0, possible: float | NDArray[np.float64] = np.inf
) -> list[Interval]:
    """Return the 95 % percentile bootstrap intervals of the means of columns that belong together; values: (n, k).

    All columns share the same resamples of rows. The percentiles are widened for small n, from the 2.5 % point to
    Φ(−√(n / (n − 1)) t), t the 97.5 % point of Student's distribution with n − 1 degrees of freedom: the plain ones
    are too narrow there [Hesterberg 2015, § 5.3]. One row says nothing about the spread: the interval is ±possible.
    Equal rows give an interval of no width.
    """
    values = np.asarray(values, dtype=np.float64)
    n, columns = values.shape
    if n == 1:
        return [(-float(bound), float(bound)) for bound in np.broadcast_to(possible, columns)]
    means = np.clip(_means(values, np.random.default_rng(seed)), values.min(0), values.max(0))  # rounding
    ends = np.quantile(means, [_tail(n), 1 - _tail(n)], axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


def with_unseen(interval: Interval, mean: float, n: int, possible: float) -> Interval:
    """Widen the interval of a mean of n values in ± possible by what n draws may have missed.

    Values that no draw showed may make up a share q of all, (1 − q)ⁿ = 2.5 %, and lie at either end: the mean may be
    (1 − q) mean ± q · possible. A bootstrap knows only what was drawn: of ten equal values its interval has no width.
    """
    q = 1 - _TAIL ** (1 / n)
    low, high = ((1 - q) * mean + sign * q * possible for sign in (-1, 1))
    return min(interval[0], low), max(interval[1], high)


def paired(
    difference: NDArray[np.number], seed: int = 0, possible: float = 1.0, groups: NDArray[np.int64] | None = None
) -> tuple[float, Interval]:
    """Return the mean of differences within the same samples (n,), in ± possible, and its 95 % interval.

    groups: (n,), samples that share something, such as the image that lent its pixels: groups are then resampled, not
    samples, and they are what is counted. See bootstraps and with_unseen.
    """
    difference = np.asarray(difference, dtype=np.float64)
    mean = float(difference.mean())
    if groups is None:
        return mean, with_unseen(bootstrap(difference, seed, possible), mean, len(difference), possible)
    _, group = np.unique(groups, return_inverse=True)
    counts, sums = np.bincount(group), np.bincount(group, weights=difference)
    return mean, with_unseen(_of_groups(sums, counts, seed, possible), mean, len(counts), possible)


def samples_below(values: NDArray[np.number], bound: float, possible: float = 1.0) -> int | None:
    """Return about how many values like these put the 95 % interval of their mean below a bound; None: no number will.

    As many as both parts of the interval take: the spread of the values, and what n draws may have missed.
    """
    values = np.asarray(values, dtype=np.float64)
    mean = float(values.mean())
    if mean >= bound:
        return None
    spread = (_Z * values.std(ddof=min(1, len(values) - 1)) / (bound - mean)) ** 2
    unseen = np.log(_TAIL) / np.log1p(-(bound - mean) / (possible - mean))
    needed = max(len(values), int(np.ceil(max(spread, unseen))))
    return needed if needed <= _MOST else None


def _of_groups(sums: NDArray[np.float64], counts: NDArray[np.int64], seed: int, possible: float) -> Interval:
    """The bootstrap interval of a mean where whole groups are drawn."""
    n = len(counts)
    if n == 1:
        return -possible, possible
    rows = np.random.default_rng(seed).integers(n, size=(_RESAMPLES, n))
    low, high = np.quantile(sums[rows].sum(1) / counts[rows].sum(1), [_tail(n), 1 - _tail(n)])
    return float(low), float(high)


def _tail(n: int) -> float:
    """The percentile at which an interval from n values ends."""
    return float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - _TAIL)))


def _means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of resamples (resamples, k), a block at a time."""
    n = len(values)
    size = max(1, _AT_ONCE // n)
    blocks = [min(size, _RESAMPLES - start) for start in range(0, _RESAMPLES, size)]
    draws = (rng.integers(n, size=(block, n)) for block in blocks)
    return np.concatenate([np.stack([column[rows].mean(1) for column in values.T], axis=1) for rows in draws])
