"""What a change of images does to predictions [000 §3.2, tables 3 and 4]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.special
from numpy.typing import NDArray

from unhans.stats import Interval, allow_for_unseen, bootstrap_columns, mean_difference, wilson

# The thresholds of the rule of a verdict, see `unhans.effects.verdict`.


@dataclass(frozen=True)
class Effect:
    """The change of predictions towards one class, with 95 % intervals; positive = towards the class.

    Of one sample alone the intervals are what is possible at all: [−1, 1] for the probability, ±(C − 1) for the rank,
    unbounded for the logit.

    Attributes:
        n: samples.
        share: of them newly predicted as the class or, where an artifact was taken away, no longer predicted as it.
        probability, logit: mean changes of the class's probability, and of its logit, which still moves where the
            probability is saturated.
        rank: mean Δrk = rank before − rank after, in ranks.
        predicted: samples predicted as the class before.
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

    The share has Wilson's interval, the means a percentile bootstrap over samples, the same resamples for all three;
    that of the probability allows for values that no sample showed (`allow_for_unseen`). A class is predicted where no
    other scores higher.

    Args:
        before, after: (n, C) logits, not probabilities.
        lost: count the samples that are no longer predicted as the target instead of those newly predicted as it.

    Raises:
        ValueError: another shape, fewer than two classes, no samples, numbers that are not finite, or probabilities.
    """
    before, after = _check(before, target), _check(after, target)
    if before.shape != after.shape:
        raise ValueError(f"before and after must be of the same samples, got shapes {before.shape} and {after.shape}")
    rank = rank_of(before, target) - rank_of(after, target)
    changes = np.stack([differences(before, after, target), after[:, target] - before[:, target], rank], axis=1)
    was, became = (rank_of(logits, target) == 0 for logits in (before, after))
    return effect_of(changes, was & ~became if lost else became & ~was, int(was.sum()), before.shape[1], seed)


def effect_of(
    changes: NDArray[np.float64], flipped: NDArray[np.number], predicted: int, classes: int, seed: int = 0
) -> Effect:
    """Return the effect of samples' changes of probability, logit and rank (n, 3), with the intervals of `flip_effect`.

    Args:
        flipped: (n,) which of them flipped, or which share of what was averaged to one.
        predicted: samples predicted as the class before.
        classes: how many, C.
    """
    n, means, flips = len(changes), changes.mean(0), flipped.sum().item()
    probability, logit, ranks = bootstrap_columns(changes, seed, np.array([1.0, np.inf, classes - 1]))
    mean = float(means[0])
    return Effect(
        n=n,
        predicted=predicted,
        share=flips / n,
        share_interval=wilson(flips, n),
        probability=mean,
        probability_interval=allow_for_unseen(probability, mean, n, 1.0),
        logit=float(means[1]),
        logit_interval=logit,
        rank=float(means[2]),
        rank_interval=ranks,
    )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the probabilities of logits (n, C)."""
    return scipy.special.softmax(np.asarray(logits, dtype=np.float64), axis=1)


def differences(before: NDArray[np.floating], after: NDArray[np.floating], target: int) -> NDArray[np.float64]:
    """Return each sample's change of the target's probability (n,), from logits (n, C)."""
    return softmax(after)[:, target] - softmax(before)[:, target]


def rank_of(scores: NDArray[np.floating], target: int) -> NDArray[np.int64]:
    """Return each sample's rank of the target: how many classes score higher, 0 … C − 1."""
    return (scores > scores[:, [target]]).sum(1)


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


Control = Literal[
    "mean colour", "random colour", "area averaged", "patch of the class", "other classes",
    "opposite change", "colours exchanged", "as strong noise",
    "direction of the group", "direction of the class", "two samples of the class",
]  # what an effect is held against: of layers, of transforms, of directions in feature space  # fmt: skip
OTHER: Control = "other classes"  # the control whose effect is towards another class


@dataclass(frozen=True)
class Trial:
    """One change and its effect.

    Attributes:
        name: "artifact", the name of a control or of a fill.
        effect: towards the artifact's class ("other classes": towards the class in `detail`).
        differences: (n,) each sample's change of that class's probability.
        indices: (n,) the samples, so that trials can be paired.
        detail: what the name leaves open, "" mostly.
        donors: (n,) the samples that lent their pixels, None where none did: samples with one donor are not
            independent.
    """

    name: str
    effect: Effect
    differences: NDArray[np.float64]
    indices: NDArray[np.int64]
    detail: str = ""
    donors: NDArray[np.int64] | None = None


def trial(
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    target: int,
    indices: NDArray[np.int64],
    seed: int = 0,
    lost: bool = False,
    detail: str = "",
    donors: NDArray[np.int64] | None = None,
) -> Trial:
    """Return the trial of logits (n, C) before and after; lost: see flip_effect."""
    effect = flip_effect(before, after, target, seed, lost)
    return Trial(name, effect, differences(before, after, target), np.asarray(indices), detail, donors)


def gap(first: Trial, second: Trial, seed: int = 0) -> tuple[float, Interval]:
    """Return by how much more the first raises the probability, mean and 95 % interval, over the samples of both.

    Where the second took pixels of donors, these are what is resampled.

    Raises:
        ValueError: they have no sample in common.
    """
    values, donors = pairs(first, second)
    return mean_difference(values, seed, span(first, second), donors)


def pairs(first: Trial, second: Trial) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Return by how much more the first changes each sample of both, and the donors of the second, if it has any.

    Raises:
        ValueError: they have no sample in common.
    """
    _, here, there = np.intersect1d(first.indices, second.indices, assume_unique=True, return_indices=True)
    if not len(here):
        raise ValueError(f"the trials {first.name!r} and {second.name!r} must share samples, got none in common")
    donors = None if second.donors is None else second.donors[there]
    return first.differences[here] - second.differences[there], donors


def span(first: Trial, second: Trial) -> float:
    """Return the largest size of a difference between two trials.

    Both change one probability of the same image, so the results differ by 1 at most. Where one is towards another
    class, one probability may rise by 1 while the other falls by 1.
    """
    return 1.0 if (first.name == OTHER) == (second.name == OTHER) else 2.0
