"""All methods of repair side by side: accuracy, effect and relevance, the trade-off, and the course by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from unhans.repair import BEFORE, Outcome, Summary, by_method, summaries
from unhans.report.figures import canvas
from unhans.report.text import METHOD_NAMES, PROBABILITY, SHORT_NAMES, UNKNOWN, basis, percent
from unhans.stats import Estimate, Interval, estimate, mean_over_seeds


class Pen(NamedTuple):
    """Colour, mark and dashes of a method's dots and curves."""

    colour: str
    mark: str
    dashes: str | tuple[int, tuple[float, ...]] = "-"


PENS = {
    "uncorrected": Pen(canvas.INK, "o"),
    "unaltered": Pen(canvas.ALARM, "s", (0, (5, 2))),
    "augmented": Pen(canvas.BLUE, "D"),
    "a_clarc": Pen(canvas.AMBER, "^"),
    "p_clarc": Pen(canvas.GREEN, "v"),
    "reactive": Pen("#58b4c4", "P"),
    "right_reasons": Pen(canvas.VIOLET, "X"),
}


def key_line(method: str, **style: Any) -> Line2D:
    """Return how a method is drawn, for a legend."""
    pen = PENS[method]
    return Line2D([], [], color=pen.colour, marker=pen.mark, **{"ls": pen.dashes, "lw": 2, "ms": 5} | style)


FIELDS = {
    "relevance": "relevance inside the artifact's mask",
    "clean": "accuracy, unaltered images",
    "added": "accuracy, artifact added to all",
}


class Curve(NamedTuple):
    """A number after every epoch: means over seeds, with intervals or without."""

    method: str
    epochs: list[int]
    means: list[float]
    intervals: list[Interval | None]
    seeds: int


def relevance_figure(outcomes: Iterable[Outcome], subtitle: str = "") -> Figure:
    """Draw the share of relevance inside the artifact's mask over the epochs of every method that trains.

    Beside it accuracies, where they were measured. Bands are 95 % intervals over seeds and, where the points have a
    `relevance_interval`, over samples.

    Raises:
        ValueError: no outcome has a point with relevance.
    """
    methods = by_method(outcomes)
    found = {field: curves for field in FIELDS if (curves := curves_of(methods, field))}
    if "relevance" not in found:
        raise ValueError("A figure of relevance needs an outcome whose epochs have it; got none.")
    width, title = 10 if len(found) > 1 else 7, "What the network looks at while it is trained"
    figure, surface = canvas.chart(width, 3.6, title, subtitle, curves_basis(found["relevance"]))
    panels = surface.subplots(1, len(found), squeeze=False)[0]
    for axes, (field, curves) in zip(panels, found.items(), strict=True):
        for curve in curves:
            _draw_curve(axes, curve)
        _scale_curves(axes, field, curves)
    marks = {METHOD_NAMES[curve.method]: key_line(curve.method) for curve in found["relevance"]}
    canvas.add_key(surface, marks, columns=2)
    return figure


def curves_of(methods: Mapping[str, Sequence[Outcome]], field: str) -> list[Curve]:
    """Return a field of `Point` over the epochs that all seeds of a method measured it at, for methods that did."""
    found = (_curve_of(method, runs, field) for method, runs in methods.items())
    return [curve for curve in found if curve.epochs]


def curves_basis(curves: Sequence[Curve]) -> str:
    """Say what curves are of and what their bands are."""
    seeds, told = max(curve.seeds for curve in curves), "One seed: nothing is known about the spread."
    if seeds > 1:
        told = f"Means over {seeds} seeds, bands: 95 % intervals over seeds and samples."
    elif any(interval for curve in curves for interval in curve.intervals):
        told = "One seed, bands: 95 % intervals over the samples."
    return (
        "Share of the positive relevance for the artifact's class, on fixed samples that carry the artifact; epoch 0 "
        f"is before training. {told}"
    )


def _curve_of(method: str, runs: Sequence[Outcome], field: str) -> Curve:
    values = [{point.epoch: point for point in run.curve if getattr(point, field) is not None} for run in runs]
    epochs = sorted(set.intersection(*(set(each) for each in values)))
    rows = [[getattr(each[epoch], field) for each in values] for epoch in epochs]
    bands = [_band([each[epoch] for each in values], field) for epoch in epochs]
    return Curve(method, epochs, [float(np.mean(row)) for row in rows], bands, len(runs))


def _band(points: Sequence[Any], field: str) -> Interval | None:
    """The interval over seeds and samples; over seeds alone where that over samples is not known."""
    values = [getattr(point, field) for point in points]
    own = [getattr(point, f"{field}_interval", None) for point in points]
    if all(own):
        return estimate(values, own, 0, (0, 1)).interval
    return mean_over_seeds(values, (0, 1))[1] if len(values) > 1 else None


def _draw_curve(axes: Axes, curve: Curve) -> None:
    pen = PENS[curve.method]
    if all(curve.intervals):
        low, high = np.array(curve.intervals).T
        axes.fill_between(curve.epochs, low, high, alpha=0.16, lw=0, color=pen.colour)
    axes.plot(curve.epochs, curve.means, marker=pen.mark, ms=4, lw=1.6, ls=pen.dashes, color=pen.colour)


def _scale_curves(axes: Axes, field: str, curves: Sequence[Curve]) -> None:
    canvas.tidy(axes, FIELDS[field], grid="y", frame=("bottom",), xlabel="epoch")
    canvas.name_epochs(axes, sorted({epoch for curve in curves for epoch in curve.epochs}))
    bottom, top = axes.get_ylim()
    most = 1 + 0.02 * (1 - bottom)  # room for a mark at 100 %
    axes.set_ylim(*((0, max(top, 0.1)) if field == "relevance" else (bottom, min(max(top, bottom + 0.05), most))))
    axes.yaxis.set_major_formatter(canvas.percent_tick)


WIDTH = 12  # inches
ROW = 0.42  # inches of a method
CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # no line runs through a number


class Panel(NamedTuple):
    """One number of every method: field of a summary, what it is, which way is better, how it is written."""

    field: str
    title: str
    better: str = "accuracy, right is better"
    write: Callable[[float], str] = percent


PANELS = (
    Panel("clean", "unaltered images"),
    Panel("added", "artifact added to all"),
    Panel("removed", "artifact removed"),
    Panel("worst", "worst group"),
    Panel("effect", "effect of the artifact", "Δp, 0 is best", PROBABILITY.written),
    Panel("relevance", "relevance in the mask", "share, left is better"),
)
SHARED = ("clean", "added", "removed", "worst")  # accuracies, on one scale


def repair_figure(outcomes: Iterable[Outcome], subtitle: str = "") -> Figure:
    """Draw a row per method and a panel per number, dots with 95 % intervals; dashed: the network as it was.

    Raises:
        ValueError: there is no outcome.
    """
    found = summaries(outcomes)
    shown = [panel for panel in PANELS if any(getattr(one, panel.field) for one in found)]
    figure, surface = canvas.chart(WIDTH, 0.7 + ROW * len(found), "Repairs compared", subtitle, _note(found))
    limits = _limits(found)
    panels = surface.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, panel in zip(panels, shown, strict=True):
        _draw_panel(axes, panel, found, limits if panel.field in SHARED else None)
    canvas.name_rows(panels[0], [SHORT_NAMES[one.method] for one in found], [one.method == BEFORE for one in found])
    panels[0].tick_params(axis="y", pad=8)
    return figure


def _note(found: Sequence[Summary]) -> str:
    dashed = "Dashed: before any repair. " if any(one.method == BEFORE for one in found) else ""
    return f"{dashed}{basis(found)}"


def _draw_panel(axes: Axes, panel: Panel, found: Sequence[Summary], limits: tuple[float, float] | None) -> None:
    low, high = limits or _own(panel.field, found)
    axes.set_xlim(low, high)
    for row, one in enumerate(found):
        value: Estimate | None = getattr(one, panel.field)
        if value is None:
            axes.text(0.5, row, UNKNOWN, **canvas.TEXT | {"transform": axes.get_yaxis_transform(), "ha": "center"})
            continue
        if one.method == BEFORE:
            axes.axvline(value.mean, zorder=1, **canvas.DASHED)
        pen, part = PENS[one.method], (value.mean - low) / (high - low)
        canvas.dot(axes, value.mean, value.interval, row, pen.colour, pen.mark)
        side = "left" if part < 0.2 else "right" if part > 0.8 else "center"  # its number stays within the panel
        style = canvas.TEXT | {"fontsize": 7, "ha": side, "va": "bottom", "bbox": CLEAR}
        axes.annotate(panel.write(value.mean), (value.mean, row), (0, 5), "data", "offset points", **style)
    if panel.field not in SHARED:
        axes.axvline(0, color=canvas.REST, lw=0.9, zorder=0)
    canvas.tidy(axes, panel.title, grid="x", frame=("top",), xlabel=panel.better)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 4, 5, 10]))
    if panel.field != "effect":
        axes.xaxis.set_major_formatter(canvas.percent_tick)


def _limits(found: Sequence[Summary]) -> tuple[float, float]:
    """One scale for all accuracies, from the tenth below the smallest to 1."""
    values = [value for one in found for field in SHARED if (value := getattr(one, field)) is not None]
    low = math.floor(10 * min(value.interval[0] for value in values)) / 10
    return low - 0.05 * (1 - low), 1 + 0.05 * (1 - low)


def _own(field: str, found: Sequence[Summary]) -> tuple[float, float]:
    """A scale that holds 0 and is never so fine that nothing looks like something."""
    ends = [end for one in found if (value := getattr(one, field)) for end in value.interval]
    low, high = min(0.0, *ends), max(0.1, *ends)
    room = 0.06 * (high - low)
    return low - room, high + room


def trade_off_figure(outcomes: Iterable[Outcome], subtitle: str = "") -> Figure:
    """Draw every method as a mark with 95 % intervals: Δp across, accuracy on unaltered images upwards.

    A good repair lies at Δp = 0 and not below the dashed line, which is the accuracy before any repair.

    Raises:
        ValueError: there is no outcome.
    """
    found = summaries(outcomes)
    figure, surface = canvas.chart(9, 4, "What a repair achieves and what it costs", subtitle, _note(found))
    axes = surface.subplots()
    for one in found:
        pen, x, y = PENS[one.method], one.effect, one.clean
        line = {"color": pen.colour, "lw": 1.4, "alpha": 0.75, "solid_capstyle": "butt"}
        axes.plot(x.interval, [y.mean, y.mean], **line)
        axes.plot([x.mean, x.mean], y.interval, **line)
        axes.plot(x.mean, y.mean, pen.mark, ms=8, color=pen.colour, mec="white", mew=0.8, zorder=3)
        if one.method == BEFORE:
            axes.axhline(y.mean, zorder=1, **canvas.DASHED)
    axes.axvline(0, color=canvas.REST, lw=1.2, zorder=0)
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max((high - low) / 2, 0.02)  # a point must not look like a fall
    axes.set_ylim(middle - half, min(middle + half, 1.005))
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -0.02), max(right, 0.1))
    canvas.tidy(axes, grid="both", xlabel="effect of the artifact that is left, Δp (0 is best)")
    axes.set_ylabel("accuracy on unaltered images (high is best)", **canvas.QUIET_TEXT)
    axes.yaxis.set_major_formatter(canvas.percent_tick)
    style = {"ls": "", "ms": 8, "mec": "white", "mew": 0.8}
    marks = {canvas.wrapped(METHOD_NAMES[one.method], 44): key_line(one.method, **style) for one in found}
    canvas.add_key(surface, marks, "outside right upper")
    return figure
