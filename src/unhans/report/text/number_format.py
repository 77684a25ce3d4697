"""Numbers as text: mean changes with their 95 % intervals, and shares in percent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from unhans.report.text.numerals import signed
from unhans.stats import Interval

if TYPE_CHECKING:
    from unhans.effects import Effect


UNKNOWN = "–"
LARGE = 100  # ranks or logits from which on one digit after the point is enough


class Measure(NamedTuple):
    """One number of an effect: its field, its column in a file, its heading, and how it is written.

    digits: after the point; percent: it is a share, without a sign.
    """

    field: str
    column: str
    heading: str
    digits: int
    percent: bool = False

    def value(self, effect: Effect) -> float:
        """Return the number."""
        return float(getattr(effect, self.field))

    def interval(self, effect: Effect) -> tuple[float, float]:
        """Return its 95 % interval."""
        low, high = getattr(effect, f"{self.field}_interval")
        return float(low), float(high)

    def said(self, effect: Effect) -> str:
        """Write the number, such as "+0.612" or "53 %"."""
        return f"{self.written(self.value(effect))}{' %' * (self.percent and not math.isnan(self.value(effect)))}"

    def range_said(self, effect: Effect) -> str:
        """Write its interval, such as "[+0.580, +0.645]"."""
        low, high = map(self.written, self.interval(effect))
        return f"[{low}, {high}]"

    def written(self, value: float) -> str:
        """Write one number of this measure without a unit."""
        if math.isnan(value):
            return UNKNOWN
        if self.percent:
            return f"{100 * value:.0f}"
        return signed(value, self.digits if abs(value) < LARGE else 1)


RANK = Measure("rank", "delta_rank", "Δrank", 2)
PROBABILITY = Measure("probability", "delta_p", "Δp", 3)
LOGIT = Measure("logit", "delta_logit", "Δlogit", 2)
SHARE = Measure("share", "flipped", "flipped", 0, percent=True)
MEASURES = (RANK, PROBABILITY, LOGIT, SHARE)


def plain(value: Any) -> Any:
    """Return a value as strict JSON and CSV take it: plain numbers, None for what is not finite."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


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


def shorten(name: str, length: int) -> str:
    """Cut a name to at most so many characters, the last of them an ellipsis."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
