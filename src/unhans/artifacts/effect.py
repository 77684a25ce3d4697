"""What an artifact does to predictions [000 §3.2, tables 3 and 4]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

_Z = 1.959963984540054  # two-sided 95 % point of the normal distribution
_RESAMPLES = 1000


@dataclass(frozen=True)
class Effect:
    """The change of predictions towards one class when an artifact is added, with 95 % intervals.

    n: samples of other classes. share: of them newly predicted as the target. probability: mean change of the
    target's probability. rank: mean change Δrk of its rank, in ranks, positive = moved towards the top.
    """

    n: int
    share: float
    share_interval: Interval
    probability: float
    probability_interval: Interval
    rank: float
    rank_interval: Interval


def flip_effect(before: NDArray[np.floating], after: NDArray[np.floating], target: int, seed: int = 0) -> Effect:
    """Compare predictions without and with an artifact, towards the target class.

    before, after: (n, C) probabilities of the same samples, none of the target class. The share has Wilson's
    interval, the means a percentile bootstrap over samples. Raises ValueError for other shapes or no samples.
    """
    before, after = _check(before, target), _check(after, target)
    if before.shape != after.shape:
        raise ValueError(f"before and after must be of the same samples, got shapes {before.shape} and {after.shape}")
    flipped = (before.argmax(1) != target) & (after.argmax(1) == target)
    probability = after[:, target] - before[:, target]
    rank = rank_of(before, target) - rank_of(after, target)
    return Effect(
        n=len(before),
        share=float(flipped.mean()),
        share_interval=wilson(int(flipped.sum()), len(flipped)),
        probability=float(probability.mean()),
        probability_interval=bootstrap(probability, seed),
        rank=float(rank.mean()),
        rank_interval=bootstrap(rank, seed),
    )


def rank_of(probabilities: NDArray[np.floating], target: int) -> NDArray[np.int64]:
    """Return each sample's rank of the target: how many classes are more probable, 0 … C − 1."""
    return (probabilities > probabilities[:, [target]]).sum(1)


def wilson(successes: int, n: int) -> Interval:
    """Return Wilson's 95 % score interval of a share."""
    share, z2 = successes / n, _Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def bootstrap(values: NDArray[np.number], seed: int = 0) -> Interval:
    """Return the 95 % percentile bootstrap interval of a mean; values: (n,)."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _check(probabilities: NDArray[np.floating], target: int) -> NDArray[np.floating]:
    values = np.asarray(probabilities)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"probabilities must be (n, C) with n ≥ 1 samples of other classes, got shape {values.shape}")
    if not 0 <= target < values.shape[1]:
        raise ValueError(f"the target must be a class index 0 … {values.shape[1] - 1}, got {target}")
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1 + 1e-6).all()):
        raise ValueError("probabilities must lie in [0, 1], got values outside (logits?) or not finite")
    return values
