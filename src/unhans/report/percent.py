"""Shares in percent, with a digit more than a sentence needs: a repair changes accuracy by a point or less."""

from __future__ import annotations

import math

from unhans.artifacts.interval import Interval
from unhans.artifacts.numerals import signed
from unhans.report.measures import UNKNOWN


def percent(share: float, digits: int = 1) -> str:
    """Write a share such as "92.7 %"."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.{digits}f} %"


def percent_range(interval: Interval, digits: int = 1) -> str:
    """Write the interval of a share, such as "[91.1, 94.0]"."""
    return "[{}, {}]".format(*(f"{100 * end:.{digits}f}" for end in interval))


def points(difference: float, interval: Interval) -> str:
    """Write a difference of two shares, such as "+4.6 points [+3.1, +6.0]"."""
    low, high = (signed(100 * end, 1) for end in interval)
    return f"{signed(100 * difference, 1)} points [{low}, {high}]"
