"""Means over seeds with 95 % intervals, and what stands in for these where seeds say nothing about the spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from unhans.artifacts.interval import Interval
from unhans.artifacts.seeds import over_seeds

if TYPE_CHECKING:
    from unhans.artifacts.assessment import Rate

Spread = Literal["seeds", "samples"]
_SAME = 1e-9  # differences of shares that are equal differ by rounding


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its 95 % interval.

    of: what the interval is over: "seeds" (how much other trainings would differ), or "samples" where there is one seed
    or all seeds gave the same; seeds: how many; n: samples that each seed was measured on.
    """

    mean: float
    interval: Interval
    of: Spread
    seeds: int
    n: int


def estimate(values: Sequence[float], intervals: Sequence[Interval], n: int, bounds: Interval) -> Estimate:
    """Return the mean of a number over seeds, with the interval of its samples where the seeds do not differ.

    values, intervals: of every seed, the interval over its n samples; bounds: what is possible. Equal values would give
    an interval of no width, as if the number were known exactly; the first seed's interval stands instead. Raises
    ValueError as `over_seeds` does.
    """
    mean, interval = over_seeds(values, bounds=bounds)
    if np.ptp(values) < _SAME:
        return Estimate(mean, intervals[0], "samples", len(values), n)
    return Estimate(mean, interval, "seeds", len(values), n)


def share(rates: Sequence[Rate]) -> Estimate:
    """Return a share over seeds, with Wilson's interval where the seeds do not differ."""
    return estimate([one.share for one in rates], [one.interval for one in rates], min(one.n for one in rates), (0, 1))


def difference(first: Sequence[Rate], second: Sequence[Rate]) -> Estimate:
    """Return first − second of two shares, paired by seed in the order of both; where seeds say nothing, `newcombe`.

    Raises ValueError where the numbers of seeds differ.
    """
    if len(first) != len(second):
        raise ValueError(f"differences over seeds need pairs, got {len(first)} and {len(second)} seeds")
    pairs = list(zip(first, second, strict=True))
    values, n = [one.share - other.share for one, other in pairs], min(rate.n for pair in pairs for rate in pair)
    return estimate(values, [newcombe(*pair) for pair in pairs], n, (-1, 1))


def newcombe(first: Rate, second: Rate) -> Interval:
    """Return the 95 % interval of first − second by Newcombe's hybrid of two Wilson intervals [1998, method 10].

    It takes the two for independent; of shares on the same samples, which rise and fall together, it is too wide.
    """
    p, (p_low, p_high) = first.share, first.interval
    q, (q_low, q_high) = second.share, second.interval
    below, above = np.hypot(p - p_low, q_high - q), np.hypot(p_high - p, q - q_low)
    return max(-1.0, float(p - q - below)), min(1.0, float(p - q + above))
