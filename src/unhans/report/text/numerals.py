"""Numbers in sentences and tables."""

from __future__ import annotations

import math

from unhans.stats import Interval


def signed(value: float, digits: int) -> str:
    """Write a number with its sign; one that rounds to zero has none."""
    if math.isinf(value):
        return "−∞" if value < 0 else "+∞"
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def change_written(value: float, interval: Interval, digits: int) -> str:
    """Write a change and its interval, such as "+0.505 [+0.439, +0.574]", or "less than 0.001" where all is zero."""
    if all(abs(number) < 0.5 * 10**-digits for number in (value, *interval)):
        return f"less than {10**-digits:.{digits}f}"
    low, high = (signed(end, digits) for end in interval)
    return f"{signed(value, digits)} [{low}, {high}]"


def share_said(value: float, interval: Interval) -> str:
    """Write a share and its interval, such as "52 % [44, 60]"."""
    low, high = interval
    return f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def samples_said(n: int) -> str:
    """Write a number of samples: "1 sample", "2 samples"."""
    return f"{n} sample{'s' * (n != 1)}"
