"""Many runs at once in parallel coordinates: every run is a line through its settings to what it reached."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from unhans.report.figures import canvas
from unhans.report.text import UNKNOWN, shorten

MOST = 24  # values that are named on an axis, at most


class Axis(NamedTuple):
    """One column: where each run's value lies on it from 0 to 1, and the values that are named on it."""

    name: str
    places: list[float]
    ticks: list[tuple[float, str]]


def parallel_axis(name: str, values: Sequence[Any]) -> Axis:
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


COLUMN, HEIGHT = 1.5, 4.0  # inches
NAME, VALUE = 20, 16  # characters of an axis's name and of a value beside it
FADED = ("#c9d6e3", canvas.BLUE)  # from the worst run to the best
SPREAD = 0.035  # of an axis: lines through the same value fan out by so much


def parallel_figure(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    objective: str,
    *,
    minimize: bool = False,
    title: str = "Sweep",
    subtitle: str = "",
) -> Figure:
    """Draw every run as a line through its settings, an axis each, to the objective on the last axis.

    Numbers lie to scale, on a logarithmic axis where they are positive and span a factor of 100; anything else has
    evenly spaced names; what a run has not lies at the foot, named "–". The better the objective the darker the line;
    the best run is drawn thick and written out. Runs without a finite objective are dotted and come first.

    Args:
        rows: by column, the values of each run.
        columns: the settings, from left to right; the objective is not among them.
        objective: the column that was optimized.
        minimize: whether small is good.
        title, subtitle: what is shown.

    Raises:
        ValueError: there is no run, or no run has a finite objective.
    """
    goals = [finite(row.get(objective)) for row in rows]
    known = [goal for goal in goals if goal is not None]
    if not known:
        raise ValueError(f"A figure of a sweep needs a run with a finite {objective!r}; got {len(rows)} runs without.")
    names = [*(name for name in columns if name != objective), objective]
    columns_of = [parallel_axis(name, [row.get(name) for row in rows]) for name in names]
    worth = [-math.inf if goal is None else -goal if minimize else goal for goal in goals]
    best, finest, worst = worth.index(max(worth)), max(worth), min(value for value in worth if math.isfinite(value))
    width = max(1.3 + COLUMN * (len(names) - 1) + 1.2, 7.0)
    figure, share = canvas.headed(width, HEIGHT, title, subtitle or _said(len(rows), len(known), objective, minimize))
    axes = figure.add_axes((0.9 / width, 0.19 * share, 1 - 2.1 / width, 0.68 * share))
    colours = LinearSegmentedColormap.from_list("sweep", FADED)
    for i in sorted(range(len(rows)), key=worth.__getitem__):
        fan = SPREAD * (i / max(len(goals) - 1, 1) - 0.5)
        heights = [axis.places[i] + fan * (number < len(names) - 1) for number, axis in enumerate(columns_of)]
        style = {"color": canvas.QUIET, "lw": 1.0, "ls": (0, (1, 2))}
        if goals[i] is not None:
            part = (worth[i] - worst) / (finest - worst) if finest != worst else 1.0
            style = {"color": colours(part), "lw": 3.0 if i == best else 1.2, "alpha": 0.9}
        axes.plot(range(len(names)), heights, **style)
    axes.set(xlim=(-0.02, len(names) - 1 + 0.02), ylim=(-0.06, 1.06))
    axes.axis("off")
    for number, axis in enumerate(columns_of):
        _draw_axis(axes, axis, number, number == len(names) - 1)
    chosen = ", ".join(f"{name} {written(rows[best].get(name))}" for name in names[:-1])
    text = shorten(f"Best: {objective} {written(rows[best][objective])} with {chosen}", int(width * 11))
    figure.text(
        canvas.MARGIN / width, 0.045, text, **canvas.TEXT | {"fontsize": 9, "color": canvas.BLUE, "weight": "bold"}
    )
    return figure


def _said(runs: int, known: int, objective: str, minimize: bool) -> str:
    failed = f", {runs - known} of them without a result (dotted)" if known < runs else ""
    return f"{runs} runs{failed}; the darker a line, the {'smaller' if minimize else 'larger'} {objective}"


def _draw_axis(axes: Axes, axis: Axis, number: int, last: bool) -> None:
    axes.axvline(number, ymin=0.04, ymax=0.96, color=canvas.INK if last else canvas.QUIET, lw=1.0, zorder=0)
    style = canvas.TEXT | {
        "ha": "center",
        "va": "bottom",
        "weight": "bold",
        "color": canvas.BLUE if last else canvas.INK,
    }
    axes.text(number, 1.1, shorten(axis.name, NAME), **style)
    for place, text in axis.ticks:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}
        style = canvas.QUIET_TEXT | {"fontsize": 7, "va": "center", "bbox": box}
        axes.annotate(shorten(text, VALUE), (number, place), (6, 0), "data", "offset points", **style)
