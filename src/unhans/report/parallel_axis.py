"""Where the values of a column lie on an axis of parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from unhans.report.measures import UNKNOWN

MOST = 24  # values that are named on an axis, at most


class Axis(NamedTuple):
    """One column: where each run's value lies on it from 0 to 1, and the values that are named on it."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def axis_of(name: str, values: Sequence[Any]) -> Axis:
    """Return the axis of a column: to scale where all that is known are numbers, else evenly spaced names."""
    numbers = [finite(value) for value in values]
    if all(number is not None or value is None for number, value in zip(numbers, values, strict=True)) and any(
        number is not None for number in numbers
    ):
        return _scale(name, numbers)
    return _names(name, ["" if value is None else written(value) for value in values])


def _scale(name: str, numbers: Sequence[float | None]) -> Axis:
    known = sorted({number for number in numbers if number is not None})
    logarithmic = known[0] > 0 and known[-1] / known[0] >= 100
    at = (lambda x: math.log(x)) if logarithmic else (lambda x: x)
    low, high = at(known[0]), at(known[-1])
    foot = 0.12 if any(number is None for number in numbers) else 0.0
    part = {x: foot + (1 - foot) * ((at(x) - low) / (high - low) if high > low else 0.5) for x in known}
    shown = known if len(known) <= 6 else [known[0], known[len(known) // 2], known[-1]]
    ticks = [(part[x], written(x)) for x in shown]
    missing = [(0.0, UNKNOWN)] if foot else []
    return Axis(name, [0.0 if number is None else part[number] for number in numbers], missing + ticks)


def _names(name: str, values: Sequence[str]) -> Axis:
    found = sorted(set(values))
    part = {value: i / (len(found) - 1) if len(found) > 1 else 0.5 for i, value in enumerate(found)}
    step = -(-len(found) // MOST)
    return Axis(name, [part[value] for value in values], [(part[value], value or UNKNOWN) for value in found[::step]])


def finite(value: Any) -> float | None:
    """Return a finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def written(value: Any) -> str:
    """Write a value of a run."""
    if value is None:
        return UNKNOWN
    return f"{value:.3g}".replace("-", "−") if isinstance(value, float) else str(value)
