"""One change to the images of a set of samples, and what it did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.effect import Effect, differences, flip_effect
from unhans.artifacts.interval import Interval, paired

OTHER = "other classes"  # the control whose effect is towards another class


@dataclass(frozen=True)
class Trial:
    """One change and its effect.

    name: "artifact", the name of a control or of a fill. effect: towards the artifact's class ("other classes": towards
    the class in `detail`). differences: (n,) each sample's change of that class's probability. indices: (n,) the
    samples, so that trials can be paired. detail: what the name leaves open, "" mostly. donors: (n,) the samples that
    lent their pixels, None where none did: samples with one donor are not independent.
    """

    name: str
    effect: Effect
    differences: NDArray[np.float64]
    indices: NDArray[np.int64]
    detail: str = ""
    donors: NDArray[np.int64] | None = None

    @property
    def n(self) -> int:
        """How many samples were changed."""
        return self.effect.n


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

    Where the second took pixels of donors, these are what is resampled. Raises ValueError where they have
    no sample in common.
    """
    values, donors = pairs(first, second)
    return paired(values, seed, span(first, second), donors)


def pairs(first: Trial, second: Trial) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Return by how much more the first changes each sample of both, and the donors of the second, if it has any.

    Raises ValueError where they have no sample in common.
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


def independent(first: Trial, second: Trial) -> int:
    """Return how many samples, or donors where there are fewer, a comparison of two trials rests on."""
    values, donors = pairs(first, second)
    return len(values) if donors is None else len(np.unique(donors))
