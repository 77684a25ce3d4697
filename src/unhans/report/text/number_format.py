"""Numbers as text: mean changes with their 95 % intervals, and shares in percent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from unhans.effects import Effect
from unhans.stats import Interval

UNKNOWN = "–"
REASON = 100  # characters of a reason in a line
LARGE = 100  # ranks or logits from which on one digit after the point is enough


class Measure(NamedTuple):
    """One number of an effect, and how it is written.

    Attributes:
        field: of `Effect`.
        column: in a file.
        heading: in a table.
        digits: after the point.
        percent: it is a share, without a sign.
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

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns of the number and of the ends of its interval."""
        return self.column, f"{self.column}_low", f"{self.column}_high"

    def numbers(self, effect: Effect) -> dict[str, float]:
        """Return the number and the ends of its interval by column."""
        return dict(zip(self.columns, (self.value(effect), *self.interval(effect)), strict=True))

    def written(self, value: float) -> str:
        """Write one number of this measure without a unit."""
        if math.isnan(value):
            return UNKNOWN
        if self.percent:
            return f"{100 * value:.0f}"
        return signed(value, self.digits if abs(value) < LARGE else 1)

    def said(self, effect: Effect) -> str:
        """Write the number, such as "+0.612" or "53 %"."""
        return f"{self.written(self.value(effect))}{' %' * (self.percent and not math.isnan(self.value(effect)))}"

    def range_said(self, effect: Effect) -> str:
        """Write its interval, such as "[+0.580, +0.645]"."""
        return range_written(self.interval(effect), self.written)

    def in_full(self, effect: Effect) -> str:
        """Write the number and its interval; see `with_interval`."""
        return self.with_interval(self.value(effect), self.interval(effect))

    def with_interval(self, value: float, interval: Interval) -> str:
        """Write a number and its interval, such as "52 % [44, 60]"; of a change that is all zero "less than 0.001"."""
        if not self.percent and all(abs(number) < 0.5 * 10**-self.digits for number in (value, *interval)):
            return f"less than {10**-self.digits:.{self.digits}f}"
        return f"{self.written(value)}{' %' * self.percent} {range_written(interval, self.written)}"


RANK = Measure("rank", "delta_rank", "Δrank", 2)
PROBABILITY = Measure("probability", "delta_p", "Δp", 3)
LOGIT = Measure("logit", "delta_logit", "Δlogit", 2)
SHARE = Measure("share", "flipped", "flipped", 0, percent=True)
MEASURES = (RANK, PROBABILITY, LOGIT, SHARE)
MEASURE_COLUMNS = tuple(column for measure in MEASURES for column in measure.columns)


def effect_numbers(effect: Effect) -> dict[str, float]:
    """Return every number of an effect and the ends of its interval, in the order of `MEASURE_COLUMNS`."""
    return {column: value for measure in MEASURES for column, value in measure.numbers(effect).items()}


def plain(value: Any) -> Any:
    """Return a value as strict JSON and CSV take it: plain numbers, None for what is not finite."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def percent(share: float, digits: int = 1) -> str:
    """Write a share such as "92.7 %"."""
    return UNKNOWN if math.isnan(share) else f"{100 * share:.{digits}f} %"


def range_written(interval: Interval, write: Callable[[float], str] = percent) -> str:
    """Write an interval, such as "[91.1, 94.0]"; a unit stands with the number."""
    return "[{}, {}]".format(*map(write, interval)).replace(" %", "").replace("-", "−")


def points(difference: float, interval: Interval) -> str:
    """Write a difference of two shares, such as "+4.6 points [+3.1, +6.0]"."""
    return f"{signed(100 * difference, 1)} points {range_written(interval, lambda end: signed(100 * end, 1))}"


def shorten(name: str, length: int) -> str:
    """Cut a name to at most so many characters, the last of them an ellipsis."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def signed(value: float, digits: int) -> str:
    """Write a number with its sign; one that rounds to zero has none."""
    if math.isinf(value):
        return "−∞" if value < 0 else "+∞"
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", "−")


def short_number(value: float) -> str:
    """Write a number in two significant digits, such as "0.25" or "−0.5"."""
    return f"{value:.2g}".replace("-", "−") if value else "0"


def samples_said(n: int) -> str:
    """Write a number of samples: "1 sample", "2 samples"."""
    return f"{n} sample{'s' * (n != 1)}"


def duration(seconds: float) -> str:
    """Write how long something takes, such as "40 s", "12 min" or "1.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def cost_estimate(passes: int, seconds: float) -> str:
    """Write how long passes of so many seconds take, such as ", about 40 s (12 a second)"; "" where it is not known."""
    return "" if math.isnan(seconds) else f", about {duration(passes * seconds)} ({_rate(1 / seconds)} a second)"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"
