"""95 % intervals of shares and means."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Interval = tuple[float, float]

_Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
_RESAMPLES = 2000
_AT_ONCE = 2**21  # random numbers: 16 MB


def wilson(successes: int, n: int) -> Interval:
    """Return Wilson's 95 % score interval of a share."""
    share, z2 = successes / n, _Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


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
    tail = ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.975))
    means = np.clip(_means(values, np.random.default_rng(seed)), values.min(0), values.max(0))  # rounding
    ends = np.quantile(means, [tail, 1 - tail], axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


def paired(difference: NDArray[np.number], seed: int = 0, possible: float = np.inf) -> tuple[float, Interval]:
    """Return the mean of differences within the same samples (n,) and its 95 % bootstrap interval."""
    return float(np.mean(difference)), bootstrap(difference, seed, possible)


def _means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Means of resamples (resamples, k), a block at a time."""
    n = len(values)
    size = max(1, _AT_ONCE // n)
    blocks = [min(size, _RESAMPLES - start) for start in range(0, _RESAMPLES, size)]
    draws = (rng.integers(n, size=(block, n)) for block in blocks)
    return np.concatenate([np.stack([column[rows].mean(1) for column in values.T], axis=1) for rows in draws])
