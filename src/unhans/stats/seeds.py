"""Means over seeds with 95 % intervals that hold what other seeds and what other samples would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from unhans.stats.intervals import TAIL, Interval, wilson


def mean_over_seeds(values: Sequence[float], bounds: Interval = (-np.inf, np.inf)) -> tuple[float, Interval]:
    """Return the mean over seeds and its 95 % interval, Student's t with n − 1 degrees of freedom.

    Args:
        values: of every seed; equal ones give an interval of no width.
        bounds: what is possible, as (0, 1) for a share. The interval is clipped to it, and is all of it for one seed,
            which says nothing about others.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise ValueError(f"a mean over seeds needs at least one finite number and no others, got {list(values)}")
    mean, (low, high) = float(found.mean()), bounds
    if len(found) == 1:
        return mean, bounds
    half = float(stdtrit(len(found) - 1, 1 - TAIL) * found.std(ddof=1) / np.sqrt(len(found)))
    return mean, (max(low, mean - half), min(high, mean + half))


Spread = Literal["samples", "seeds and samples", "folds and samples"]


@dataclass(frozen=True)
class Rate:
    """How many of n samples are classified correctly.

    Attributes:
        hits: which of them, a bit per sample in their order as a hexadecimal number; None where that is not known.
    """

    correct: int
    n: int
    hits: str | None = None

    @property
    def share(self) -> float:
        """The share, not a number where n is 0."""
        return self.correct / self.n if self.n else float("nan")

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the share, [0, 1] where n is 0."""
        return wilson(self.correct, self.n) if self.n else (0.0, 1.0)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and its 95 % interval.

    Attributes:
        mean: over the seeds.
        interval: of the mean.
        of: what the interval holds: "samples" of one seed, which does not tell how much another training would differ,
            or "seeds and samples"; of cross-validation "folds and samples".
        seeds: how many, or how many folds.
        n: samples that each seed was measured on.
    """

    mean: float
    interval: Interval
    of: Spread
    seeds: int
    n: int


def estimate(values: Sequence[float], intervals: Sequence[Interval], n: int, bounds: Interval) -> Estimate:
    """Return the mean of a number over seeds, with the interval of both sources of its error.

    On each side the distance to the end is √(d² + h²): h is half the width of Student's interval over the seeds, d the
    mean distance from a seed's value to the end of its own interval. Variances of independent errors add up, each
    recovered from its own limits [Zou & Donner 2008]. All seeds are measured on the same samples, so d does not shrink
    with their number; for one seed, and where seeds do not differ, h is 0.

    Args:
        values: of every seed.
        intervals: of every seed, over its samples.
        n: samples of a seed.
        bounds: what is possible.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    mean, (_, high) = mean_over_seeds(values)
    half = high - mean if len(values) > 1 else 0.0
    ends, own = np.asarray(intervals, dtype=np.float64), np.asarray(values, dtype=np.float64)
    below, above = np.hypot(half, (own - ends[:, 0]).mean()), np.hypot(half, (ends[:, 1] - own).mean())
    interval = max(bounds[0], float(mean - below)), min(bounds[1], float(mean + above))
    return Estimate(mean, interval, "samples" if len(values) == 1 else "seeds and samples", len(values), n)


def share_over_seeds(rates: Sequence[Rate]) -> Estimate:
    """Return a share over seeds; Wilson's intervals tell what other samples would change."""
    return estimate([one.share for one in rates], [one.interval for one in rates], min(one.n for one in rates), (0, 1))


def over_folds(
    values: Sequence[float], pooled: float, interval: Interval, n: int, ratio: float, bounds: Interval
) -> Estimate:
    """Return a number of all folds of a cross-validation, with an interval that holds what the folds differ by.

    It is the wider, on each side, of Student's interval over the folds and that of the pooled samples. As the folds'
    training sets share samples, the variance is that of Nadeau and Bengio (2003): (1/k + ratio) times that of the k
    values in place of 1/k; nothing estimates it without bias [Bengio & Grandvalet 2004].

    Args:
        values: of every fold.
        pooled, interval: of all samples together, each tested once.
        n: samples of all folds.
        ratio: samples that a fold tests, for each that it is trained on.
        bounds: what is possible.
    """
    k = len(values)
    spread = float(np.std(values, ddof=1)) * float(np.sqrt(1 / k + ratio)) if k > 1 else 0.0
    half = float(stdtrit(k - 1, 1 - TAIL)) * spread if k > 1 else 0.0
    ends = max(bounds[0], min(interval[0], pooled - half)), min(bounds[1], max(interval[1], pooled + half))
    return Estimate(pooled, ends, "folds and samples", k, n)


def share_over_folds(rates: Sequence[Rate], pooled: Rate, ratio: float) -> Estimate:
    """Return a share of all folds; see `over_folds`."""
    return over_folds([one.share for one in rates], pooled.share, pooled.interval, pooled.n, ratio, (0, 1))


def difference_over_folds(pairs: Sequence[tuple[Rate, Rate]], pooled: tuple[Rate, Rate], ratio: float) -> Estimate:
    """Return first − second of two shares of all folds; see `over_folds`, and `newcombe` of the pooled samples."""
    values, (first, second) = [one.share - other.share for one, other in pairs], pooled
    value, n = first.share - second.share, min(first.n, second.n)
    return over_folds(values, value, newcombe(first, second), n, ratio, (-1, 1))


def mean_of_shares(rates: Sequence[Rate]) -> tuple[float, Interval]:
    """Return the mean of shares of different samples, each counting as much as the others, and its 95 % interval.

    Wilson's intervals are independent here, so the squares of the distances to their ends add up [Zou & Donner 2008].
    """
    shares, ends = np.array([one.share for one in rates]), np.array([one.interval for one in rates])
    below, above = (float(np.linalg.norm(side) / len(rates)) for side in (shares - ends[:, 0], ends[:, 1] - shares))
    mean = float(shares.mean())
    return mean, (max(0.0, mean - below), min(1.0, mean + above))


def difference_over_seeds(first: Sequence[Rate], second: Sequence[Rate]) -> Estimate:
    """Return first − second of two shares, paired by seed in the order of both; `newcombe` tells what samples change.

    Raises:
        ValueError: the numbers of seeds differ.
    """
    if len(first) != len(second):
        raise ValueError(f"differences over seeds need pairs, got {len(first)} and {len(second)} seeds")
    pairs = list(zip(first, second, strict=True))
    values, n = [one.share - other.share for one, other in pairs], min(rate.n for pair in pairs for rate in pair)
    return estimate(values, [newcombe(*pair) for pair in pairs], n, (-1, 1))


def newcombe(first: Rate, second: Rate) -> Interval:
    """Return the 95 % interval of first − second by Newcombe's hybrid of two Wilson intervals [1998, method 10].

    Where it is known which samples both got right, the shares are paired: they rise and fall together, with the
    correlation `agreement`. Else they are taken for independent, which is too wide for shares of the same samples.
    """
    p, (p_low, p_high) = first.share, first.interval
    q, (q_low, q_high) = second.share, second.interval
    phi = agreement(first, second)
    below = _paired(p - p_low, q_high - q, phi)
    above = _paired(p_high - p, q - q_low, phi)
    return max(-1.0, float(p - q - below)), min(1.0, float(p - q + above))


def agreement(first: Rate, second: Rate) -> float:
    """Return the correlation φ of being right for the same samples, corrected for continuity as Newcombe does.

    0 where it is unknown for one of them which samples it got right, or one is always right or wrong.
    """
    if first.hits is None or second.hits is None or first.n != second.n:
        return 0.0
    n, both = first.n, (int(first.hits, 16) & int(second.hits, 16)).bit_count()
    margins = first.correct * (n - first.correct) * second.correct * (n - second.correct)
    if not margins:
        return 0.0
    excess = n * both - first.correct * second.correct  # ad − bc of the table of both
    return (max(excess - n / 2, 0.0) if excess > 0 else excess) / float(np.sqrt(float(margins)))


def _paired(one: float, other: float, phi: float) -> float:
    """The distance √(one² − 2 φ one other + other²)."""
    return float(np.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2)))
