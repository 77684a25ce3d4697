"""Small charts as SVG inside a page: their colours come from its style, so that they suit a dark page as well."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 44
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
TICKS = 7  # at most
MARKS = {
    "o": "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0",
    "s": "M-4.5,-4.5h9v9h-9z",
    "D": "M0,-6L6,0L0,6L-6,0z",
    "^": "M0,-6L5.5,4.5h-11z",
    "v": "M0,6L5.5,-4.5h-11z",
    "P": "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "X": "M-5.5,-3L-3,-5.5L0,-2.5L3,-5.5L5.5,-3L2.5,0L5.5,3L3,5.5L0,2.5L-3,5.5L-5.5,3L-2.5,0z",
    "*": "M0,-6L1.6,-2L6,-2L2.5,0.8L3.8,5L0,2.5L-3.8,5L-2.5,0.8L-6,-2L-1.6,-2z",
}


class Scale(NamedTuple):
    """One axis: its ends, its ticks, its name, how a tick is written, and where it begins and ends in the picture."""

    low: float
    high: float
    ticks: list[float]
    name: str
    write: Callable[[float], str]
    first: float
    last: float

    def at(self, value: float) -> float:
        """Return where a value lies in the picture; what lies beyond an end lies at that end."""
        part = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return self.first + part * (self.last - self.first)


class Frame(NamedTuple):
    """The size of a chart, in pixels."""

    width: int
    height: int

    def across(self, values: Sequence[float], name: str, write: Callable[[float], str], least: float) -> Scale:
        """Return an axis from left to right that holds all values and is at least `least` long."""
        return _scale(values, name, write, least, (LEFT, self.width - RIGHT))

    def up(self, values: Sequence[float], name: str, write: Callable[[float], str], least: float) -> Scale:
        """Return an axis of shares from the foot upwards, likewise; no tick is above 1."""
        scale = _scale(values, name, write, least, (self.height - BOTTOM, TOP))
        return scale._replace(ticks=[tick for tick in scale.ticks if tick < 1 + 1e-9])

    def draw(self, across: Scale, up: Scale, content: str, words: str) -> str:
        """Return an SVG with axes, a grid and what is drawn in it; words: what a screen reader says."""
        rows = "".join(self._row(up, tick) for tick in up.ticks)
        columns = "".join(self._column(across, tick) for tick in across.ticks)
        middle, centre = (across.first + across.last) / 2, (up.first + up.last) / 2
        names = (
            f'<text x="{middle}" y="{self.height - 6}" text-anchor="middle">{escape(across.name)}</text>'
            f'<text transform="translate(11,{centre}) rotate(-90)" text-anchor="middle">{escape(up.name)}</text>'
        )
        return (
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(words)}">'
            f"{rows}{columns}{names}{content}</svg>"
        )

    def _row(self, up: Scale, tick: float) -> str:
        y = up.at(tick)
        label = f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{escape(up.write(tick))}</text>'
        return f'<path class="level" d="M{LEFT},{y:.1f}H{self.width - RIGHT}"/>{label}'

    def _column(self, across: Scale, tick: float) -> str:
        x, foot = across.at(tick), self.height - BOTTOM
        label = f'<text x="{x:.1f}" y="{foot + 17}" text-anchor="middle">{escape(across.write(tick))}</text>'
        return f'<path class="level" d="M{x:.1f},{TOP}V{foot}"/>{label}'


def point(across: Scale, up: Scale, x: float, y: float) -> tuple[float, float]:
    """Return where a point lies in the picture."""
    return across.at(x), up.at(y)


def line(points: Sequence[tuple[float, float]], kind: str) -> str:
    """Return a line through points of the picture."""
    return f'<polyline class="{escape(kind)}" points="{_written(points)}"/>'


def band(lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]]) -> str:
    """Return the area between two lines."""
    return f'<polygon class="band" points="{_written([*lower, *reversed(upper)])}"/>'


def mark(shape: str, at: tuple[float, float], words: str = "") -> str:
    """Return a mark; words are shown where the pointer rests on it."""
    title = f"<title>{escape(words)}</title>" if words else ""
    return f'<path class="mark" d="{MARKS.get(shape, MARKS["*"])}" transform="translate({_pair(at)})">{title}</path>'


def key_mark(shape: str) -> str:
    """Return a mark by itself, for a key."""
    return f'<svg class="key-mark" viewBox="-8 -8 16 16" aria-hidden="true">{mark(shape, (0, 0))}</svg>'


def _scale(
    values: Sequence[float], name: str, write: Callable[[float], str], least: float, ends: tuple[float, float]
) -> Scale:
    low, high = min(values), max(values)
    room = max(least - (high - low), 0) / 2 + 0.04 * (high - low)
    low, high = low - room, high + room
    step = next((step for step in STEPS if (high - low) / step <= TICKS), STEPS[-1])
    ticks = [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return Scale(low, high, ticks, name, write, *ends)


def _written(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(map(_pair, points))


def _pair(at: tuple[float, float]) -> str:
    return f"{at[0]:.1f},{at[1]:.1f}"
