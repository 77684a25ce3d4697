"""What an artifact does to predictions [000 §3.2, tables 3 and 4]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.interval import Interval, bootstraps, wilson, with_unseen


@dataclass(frozen=True)
class Effect:
    """The change of predictions towards one class, with 95 % intervals; positive = towards the class.

    n: samples. share: of them newly predicted as the class or, where an artifact was taken away, no longer predicted
    as it. probability, logit: mean changes of the class's probability and of its logit (which still moves where the
    probability is saturated). rank: mean Δrk = rank before − rank after, in ranks. predicted: samples predicted as the
    class before. Of one sample alone the intervals are what is possible at all: [−1, 1] for the probability, ±(C − 1)
    for the rank, unbounded for the logit.
    """

    n: int
    share: float
    share_interval: Interval
    probability: float
    probability_interval: Interval
    logit: float
    logit_interval: Interval
    rank: float
    rank_interval: Interval
    predicted: int = 0


def flip_effect(
    before: NDArray[np.floating], after: NDArray[np.floating], target: int, seed: int = 0, lost: bool = False
) -> Effect:
    """Compare the logits of the same samples without and with a change to their images, towards the target class.

    before, after: (n, C) logits. lost: count the samples that are no longer predicted as the target instead of those
    newly predicted as it. The share has Wilson's interval, the means a percentile bootstrap over samples, the same
    resamples for all three; that of the probability allows for values that no sample showed (`with_unseen`). A class is
    predicted where no other scores higher. Raises ValueError for other shapes, fewer than two classes, no samples,
    numbers that are not finite and for probabilities.
    """
    before, after = _check(before, target), _check(after, target)
    if before.shape != after.shape:
        raise ValueError(f"before and after must be of the same samples, got shapes {before.shape} and {after.shape}")
    rank = rank_of(before, target) - rank_of(after, target)
    changes = np.stack([differences(before, after, target), after[:, target] - before[:, target], rank], axis=1)
    means, flipped = changes.mean(0), _flipped(before, after, target, lost)
    possible = np.array([1.0, np.inf, before.shape[1] - 1])
    probability, logit, ranks = bootstraps(changes, seed, possible)
    mean = float(means[0])
    return Effect(
        n=len(before),
        predicted=int((rank_of(before, target) == 0).sum()),
        share=flipped / len(before),
        share_interval=wilson(flipped, len(before)),
        probability=mean,
        probability_interval=with_unseen(probability, mean, len(before), 1.0),
        logit=float(means[1]),
        logit_interval=logit,
        rank=float(means[2]),
        rank_interval=ranks,
    )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities of logits (n, C)."""
    powers = np.exp(np.asarray(logits, dtype=np.float64) - np.max(logits, axis=1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def differences(before: NDArray[np.floating], after: NDArray[np.floating], target: int) -> NDArray[np.float64]:
    """Return each sample's change of the target's probability (n,), from logits (n, C)."""
    return softmax(after)[:, target] - softmax(before)[:, target]


def rank_of(scores: NDArray[np.floating], target: int) -> NDArray[np.int64]:
    """Return each sample's rank of the target: how many classes score higher, 0 … C − 1."""
    return (scores > scores[:, [target]]).sum(1)


def _flipped(before: NDArray[np.floating], after: NDArray[np.floating], target: int, lost: bool) -> int:
    was, became = rank_of(before, target) == 0, rank_of(after, target) == 0
    return int((was & ~became).sum() if lost else (became & ~was).sum())


def _check(logits: NDArray[np.floating], target: int) -> NDArray[np.float64]:
    values = np.asarray(logits, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"logits must be (n, C) with n ≥ 1 samples, got shape {values.shape}")
    if values.shape[1] < 2:
        raise ValueError(f"logits must be of two classes or more (n, C), got shape {values.shape}")
    if not 0 <= target < values.shape[1]:
        raise ValueError(f"the target must be a class index 0 … {values.shape[1] - 1}, got {target}")
    if not np.isfinite(values).all():
        raise ValueError("logits must be finite, got values that are not")
    if (values >= 0).all() and np.allclose(values.sum(1), 1, rtol=0, atol=1e-6):
        raise ValueError("the network must give logits, got probabilities: every row is positive and sums to 1")
    return values
