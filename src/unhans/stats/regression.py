"""The least-squares line through points, with 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from unhans.stats.intervals import TAIL, Interval


@dataclass(frozen=True)
class Line:
    """A least-squares line y = intercept + slope · x through n points, n > 2.

    Attributes:
        slope, intercept: of the line.
        slope_interval: 95 %, Student's with n − 2 degrees of freedom.
        mean_x, spread_x: mean of x, and the sum of the squares of its deviations.
        error: standard deviation of the points round the line, n − 2 degrees of freedom.
        n: points.
    """

    slope: float
    intercept: float
    slope_interval: Interval
    mean_x: float
    spread_x: float
    error: float
    n: int

    def at(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the line's height at some places (k,)."""
        return self.intercept + self.slope * np.asarray(x, dtype=np.float64)

    def half(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return half the width (k,) of the 95 % interval of the line's height at some places (k,)."""
        away = (np.asarray(x, dtype=np.float64) - self.mean_x) ** 2 / self.spread_x
        return stdtrit(self.n - 2, 1 - TAIL) * self.error * np.sqrt(1 / self.n + away)


def least_squares(x: NDArray[np.floating], y: NDArray[np.floating]) -> Line | None:
    """Return the line through points (n,); None of fewer than three, or where all have the same x."""
    first, second = (np.asarray(each, dtype=np.float64) for each in (x, y))
    if len(first) < 3 or np.ptp(first) == 0:
        return None
    from_mean = first - first.mean()
    spread = float(from_mean @ from_mean)
    slope = float(from_mean @ second) / spread
    intercept = float(second.mean() - slope * first.mean())
    rest = second - intercept - slope * first
    error = float(np.sqrt(rest @ rest / (len(first) - 2)))
    half = float(stdtrit(len(first) - 2, 1 - TAIL)) * error / spread**0.5
    return Line(slope, intercept, (slope - half, slope + half), float(first.mean()), spread, error, len(first))
