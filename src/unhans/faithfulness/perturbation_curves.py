"""What became of scores while images were perturbed: AOPC, its difference from random order, changed predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unhans.stats import Estimate, bootstrap, bootstrap_columns


@dataclass(frozen=True)
class PerturbationCurves:
    """Scores of images after every step, from none on.

    Attributes:
        scores: f(x^k) (n, repeats, steps + 1).
        changed: whether the predicted class is another than that of x⁰, of the same shape.
    """

    scores: NDArray[np.floating]
    changed: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> PerturbationCurves:
        """Return the curves of some of the images."""
        return PerturbationCurves(self.scores[rows], self.changed[rows])

    @classmethod
    def joined(cls, parts: Sequence[PerturbationCurves]) -> PerturbationCurves:
        """Return the curves of several sets of images as those of one."""
        return cls(np.concatenate([one.scores for one in parts]), np.concatenate([one.changed for one in parts]))

    @cached_property
    def drops(self) -> NDArray[np.float64]:
        """f(x⁰) − f(x^k), the mean over repeats (n, steps + 1)."""
        scores = self.scores.astype(np.float64)
        return (scores[..., :1] - scores).mean(1)

    @cached_property
    def aopc_by_steps(self) -> NDArray[np.float64]:
        """1 / (L + 1) Σ_{k=0..L} f(x⁰) − f(x^k) for every L from 0 on (n, steps + 1) [003 §3.4.1]."""
        return np.cumsum(self.drops, axis=1) / np.arange(1, self.drops.shape[1] + 1)

    @property
    def aopc(self) -> NDArray[np.float64]:
        """The same after all steps (n,); larger is better where the most relevant regions go first."""
        return self.aopc_by_steps[:, -1]

    @property
    def changed_share(self) -> NDArray[np.float64]:
        """For every step the share of images and repeats whose predicted class has changed (steps + 1,)."""
        return self.changed.mean((0, 1))

    @property
    def first_changed_share(self) -> NDArray[np.float64]:
        """For every step the share of images and repeats whose predicted class changes there first (steps + 1,)."""
        known = np.maximum.accumulate(self.changed, axis=-1)
        return np.diff(known.mean((0, 1)), prepend=0.0)

    @property
    def changed_of_each(self) -> NDArray[np.float64]:
        """After all steps, the share of repeats with another predicted class (n,); V of [003 C.2] is its mean."""
        return self.changed[..., -1].mean(1)


@dataclass(frozen=True)
class MeanCurve:
    """A mean over images for every step, with its 95 % interval (steps + 1,) each."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def estimate_mean(values: NDArray[np.floating], seed: int = 0, possible: float = np.inf) -> Estimate:
    """Return the mean over images (n,) and its bootstrap interval; what is not a number is left out.

    Args:
        values: of images.
        seed: of the resamples.
        possible: the largest size of a value: the interval of a single one.
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return Estimate(float("nan"), (-possible, possible), "samples", 1, 0)
    return Estimate(float(known.mean()), bootstrap(known, seed, possible), "samples", 1, len(known))


def mean_curve(values: NDArray[np.floating], seed: int = 0, possible: float = np.inf) -> MeanCurve:
    """Return the mean over images of values (n, steps + 1) and its bootstrap intervals, which share their resamples."""
    ends = np.array(bootstrap_columns(values, seed, possible))
    return MeanCurve(np.asarray(values, np.float64).mean(0), ends[:, 0], ends[:, 1])


def minus(one: PerturbationCurves, other: PerturbationCurves, seed: int = 0, possible: float = np.inf) -> MeanCurve:
    """Return the difference of two AOPC within the same images for every number of steps, with its interval.

    Args:
        one: such as most relevant first.
        other: of the same images in the same order, such as random order.
        seed: of the resamples.
        possible: the largest size of a difference, 1 of probabilities.
    """
    return mean_curve(one.aopc_by_steps - other.aopc_by_steps, seed, possible)
