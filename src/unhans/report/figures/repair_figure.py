"""All methods of repair side by side: accuracy, effect and relevance, the trade-off, and the course by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unhans.repair import BEFORE, OutcomeLike, Summary, by_method, name_of, short_name, summaries
from unhans.report.figures.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, page, wrapped
from unhans.report.figures.effect_figure import TICKS
from unhans.report.text import UNKNOWN, basis, percent, shorten, signed
from unhans.stats import Interval, estimate, over_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.stats import Estimate


SMALL = 7  # points
TITLE, SUBTITLE = 8.2, 13.5  # characters in an inch


class Pen(NamedTuple):
    """Colour, mark and dashes of a method's dots and curves."""

    colour: str
    mark: str
    dashes: str | tuple[int, tuple[float, ...]] = "-"


PENS = {
    "uncorrected": Pen(INK, "o"),
    "unaltered": Pen(ALARM, "s", (0, (5, 2))),
    "augmented": Pen(BLUE, "D"),
    "a_clarc": Pen("#d99a2b", "^"),
    "p_clarc": Pen("#2e8b6f", "v"),
    "reactive": Pen("#58b4c4", "P"),
    "right_reasons": Pen("#7a4fa3", "X"),
}
OTHER = Pen(QUIET, "*")


def pen_of(method: str) -> Pen:
    """Return how a method is drawn; one that nobody knows is grey."""
    return PENS.get(method, OTHER)


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """Write a figure's title and the line under it, each cut to the width of the page."""
    width, height = figure.get_size_inches()
    title, subtitle = shorten(title, int(TITLE * width)), shorten(subtitle, int(SUBTITLE * width))
    figure.text(0.02, 1 - 0.15 / height, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.02, 1 - 0.45 / height, subtitle, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))


def dress(axes: Axes, *, bottom: bool = True, grid: str = "x") -> None:
    """Take away what is not data: the frame, long ticks, dark grid lines."""
    axes.tick_params(labelsize=SMALL, length=2, color=REST, labelcolor=QUIET, labelbottom=bottom)
    axes.spines[:].set_visible(False)
    axes.grid(axis=grid, color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


FIELDS = {
    "relevance": "relevance inside the artifact's mask",
    "clean": "accuracy, unaltered images",
    "added": "accuracy, artifact added to all",
}
CURVES_WIDTH, CURVES_PANEL, CURVES_FOOT = 10.0, 2.5, 0.9  # inches
CURVES_LINE = 138  # characters of the note in a line
CURVES_KEY = 0.22  # inches of a line of the key


class Curve(NamedTuple):
    """A number after every epoch: means over seeds, with intervals or without."""

    method: str
    epochs: list[int]
    means: list[float]
    intervals: list[Interval | None]
    seeds: int


def relevance_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
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
    names = [curve.method for curve in found["relevance"]]
    head = 1.1 + CURVES_KEY * len(names)
    height = head + CURVES_PANEL + CURVES_FOOT
    figure = page(CURVES_WIDTH, height)
    heading(figure, "What the network looks at while it is trained", subtitle)
    for number, method in enumerate(names):
        _curves_key(figure, method, 1 - (0.8 + CURVES_KEY * number) / height)
    lefts, wide = (0.06, 0.40, 0.73), 0.26
    if len(found) == 1:
        lefts, wide = (0.06,), 0.6
    for left, (field, curves) in zip(lefts, found.items(), strict=False):
        axes = figure.add_axes((left, CURVES_FOOT / height, wide, CURVES_PANEL / height))
        for curve in curves:
            _curve(axes, curve)
        _curves_scales(axes, field, curves)
    note = wrapped(curves_basis(found["relevance"]), CURVES_LINE)
    figure.text(0.02, 0.12 / height, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def curves_of(methods: Mapping[str, Sequence[OutcomeLike]], field: str) -> list[Curve]:
    """Return a field of `Point` over the epochs that all seeds of a method measured it at, for methods that did."""
    found = (_curve_of(method, runs, field) for method, runs in methods.items())
    return [curve for curve in found if curve.epochs]


def curves_basis(curves: Sequence[Curve]) -> str:
    """Say what curves are of and what their bands are."""
    seeds = max(curve.seeds for curve in curves)
    start = (
        "Share of the positive relevance for the artifact's class, on fixed samples that carry the artifact; epoch 0 "
    )
    if seeds > 1:
        return f"{start}is before training. Means over {seeds} seeds, bands: 95 % intervals over seeds and samples."
    if any(interval for curve in curves for interval in curve.intervals):
        return f"{start}is before training. One seed, bands: 95 % intervals over the samples."
    return f"{start}is before training. One seed: nothing is known about the spread."


def _curve_of(method: str, runs: Sequence[OutcomeLike], field: str) -> Curve:
    values = [{point.epoch: point for point in run.curve if getattr(point, field) is not None} for run in runs]
    epochs = sorted(set.intersection(*(set(each) for each in values)))
    rows = [[getattr(each[epoch], field) for each in values] for epoch in epochs]
    bands = [_band([each[epoch] for each in values], field) for epoch in epochs]
    return Curve(method, epochs, [float(np.mean(row)) for row in rows], bands, len(runs))


def _band(points: Sequence[Any], field: str) -> Interval | None:
    """The interval over seeds and samples; over seeds alone where that over samples is not known."""
    values, own = (
        [getattr(point, field) for point in points],
        [getattr(one, f"{field}_interval", None) for one in points],
    )
    if all(own):
        return estimate(values, own, 0, (0, 1)).interval
    return over_seeds(values, (0, 1))[1] if len(values) > 1 else None


def _curve(axes: Axes, curve: Curve) -> None:
    pen = pen_of(curve.method)
    if all(curve.intervals):
        low, high = np.array(curve.intervals).T
        axes.fill_between(curve.epochs, low, high, alpha=0.16, lw=0, color=pen.colour)
    axes.plot(curve.epochs, curve.means, marker=pen.mark, ms=4, lw=1.6, ls=pen.dashes, color=pen.colour)


def _curves_scales(axes: Axes, field: str, curves: Sequence[Curve]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    epochs = sorted({epoch for curve in curves for epoch in curve.epochs})
    axes.set_title(FIELDS[field], loc="left", **(TEXT | {"fontsize": 9}))
    axes.set_xlabel("epoch", **(TEXT | {"color": QUIET}))
    few = FixedLocator(epochs) if len(epochs) <= TICKS else MaxNLocator(integer=True, nbins=TICKS)
    axes.xaxis.set_major_locator(few)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    bottom, top = axes.get_ylim()
    most = 1 + 0.02 * (1 - bottom)  # room for a mark at 100 %
    axes.set_ylim(*((0, max(top, 0.1)) if field == "relevance" else (bottom, min(max(top, bottom + 0.05), most))))
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in axes.get_yticks() if tick < 1.001]))  # no share is more
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    dress(axes, grid="y")
    axes.spines["bottom"].set(visible=True, color=REST)


def _curves_key(figure: Figure, method: str, y: float) -> None:
    from matplotlib.lines import Line2D

    pen = pen_of(method)
    line = Line2D([0.02, 0.035, 0.05], [y] * 3, color=pen.colour, lw=2, ls=pen.dashes, marker=pen.mark, ms=5)
    line.set_markevery([1])
    figure.add_artist(line)
    figure.text(0.06, y, name_of(method), va="center", **TEXT)


WIDTH = 12.0  # inches
ROW = 0.42  # inches of a method
LEFT, RIGHT, APART = 1.55, 0.2, 0.22  # inches
HEAD, FOOT = 1.25, 0.75  # inches
CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # no line runs through a number
LINE = 165  # characters of the note in a line


class Panel(NamedTuple):
    """One number of every method: field of a summary, what it is, which way is better, how it is written."""

    field: str
    title: str
    better: str
    write: Callable[[float], str]


PANELS = (
    Panel("clean", "unaltered images", "accuracy, right is better", percent),
    Panel("added", "artifact added to all", "accuracy, right is better", percent),
    Panel("removed", "artifact removed", "accuracy, right is better", percent),
    Panel("worst", "worst group", "accuracy, right is better", percent),
    Panel("effect", "effect of the artifact", "Δp, 0 is best", lambda value: signed(value, 3)),
    Panel("relevance", "relevance in the mask", "share, left is better", percent),
)
SHARED = ("clean", "added", "removed", "worst")  # accuracies, on one scale


def repair_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
    """Draw a row per method and a panel per number, dots with 95 % intervals; dashed: the network as it was.

    Raises ValueError where there is no outcome.
    """
    found = summaries(outcomes)
    panels = [panel for panel in PANELS if any(getattr(one, panel.field) for one in found)]
    dashed = "Dashed: before any repair. " if any(one.method == BEFORE for one in found) else ""
    note = wrapped(f"{dashed}{basis(found)}", LINE)
    foot = FOOT + 0.13 * note.count("\n")
    height = HEAD + ROW * len(found) + foot
    figure = page(WIDTH, height)
    heading(figure, "Repairs compared", subtitle)
    wide = (WIDTH - LEFT - RIGHT - APART * (len(panels) - 1)) / len(panels)
    limits = _limits(found)
    for number, panel in enumerate(panels):
        left = LEFT + (wide + APART) * number
        axes = figure.add_axes((left / WIDTH, foot / height, wide / WIDTH, ROW * len(found) / height))
        _panel(axes, panel, found, limits if panel.field in SHARED else None)
        if number == 0:
            _names(axes, found)
    figure.text(0.02, 0.12 / height, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def _panel(axes: Axes, panel: Panel, found: Sequence[Summary], limits: tuple[float, float] | None) -> None:
    for row, one in enumerate(found):
        value: Estimate | None = getattr(one, panel.field)
        if value is None:
            axes.text(0.5, row, UNKNOWN, **(TEXT | {"transform": axes.get_yaxis_transform(), "ha": "center"}))
            continue
        if one.method == BEFORE:
            axes.axvline(value.mean, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
        pen = pen_of(one.method)
        axes.plot(value.interval, [row, row], color=pen.colour, lw=2.2, solid_capstyle="butt")
        axes.plot(value.mean, row, pen.mark, ms=5.5, color=pen.colour)
    if panel.field not in SHARED:
        axes.axvline(0, color=REST, lw=0.9, zorder=0)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(*(limits or _own(panel.field, found)))
    _values(axes, panel, found)
    dress(axes)
    axes.set_yticks([])
    _ticks(axes, panel)
    axes.axhline(-0.6, color=REST, lw=0.8)
    axes.annotate(panel.title, (0, 1), (0, 17), "axes fraction", "offset points", **(TEXT | {"weight": "bold"}))
    axes.annotate(panel.better, (0, 1), (0, 6), "axes fraction", "offset points", **(TEXT | {"color": QUIET}))


def _values(axes: Axes, panel: Panel, found: Sequence[Summary]) -> None:
    """Write every number above its dot, and never beyond the panel."""
    low, high = axes.get_xlim()
    for row, one in enumerate(found):
        value = getattr(one, panel.field)
        if value is not None:
            part = (value.mean - low) / (high - low)
            side = "left" if part < 0.2 else "right" if part > 0.8 else "center"
            text = panel.write(value.mean)
            style = TEXT | {"fontsize": SMALL, "ha": side, "va": "bottom", "bbox": CLEAR}
            axes.annotate(text, (value.mean, row), (0, 5), "data", "offset points", **style)


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


def _ticks(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 4, 5, 10]))
    said = (lambda x, _: f"{x:.2g}".replace("-", "−")) if panel.field == "effect" else (lambda x, _: f"{100 * x:.0f} %")
    axes.xaxis.set_major_formatter(FuncFormatter(said))


def _names(axes: Axes, found: Sequence[Summary]) -> None:
    axes.set_yticks(range(len(found)), [short_name(one.method) for one in found], fontsize=8, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=8)
    for label, one in zip(axes.get_yticklabels(), found, strict=True):
        label.set_color(INK)
        label.set_weight("bold" if one.method == BEFORE else "normal")


TRADE_OFF_WIDTH, TRADE_OFF_HEIGHT = 9.0, 5.2  # inches
TRADE_OFF_KEY = 0.3  # inches of a line of the key


def trade_off_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
    """Draw every method as a mark with 95 % intervals: Δp across, accuracy on unaltered images upwards.

    A good repair lies at Δp = 0 and not below the dashed line, which is the accuracy before any repair. Raises
    ValueError where there is no outcome.
    """
    found = summaries(outcomes)
    figure = page(TRADE_OFF_WIDTH, TRADE_OFF_HEIGHT)
    heading(figure, "What a repair achieves and what it costs", subtitle)
    axes = figure.add_axes((0.09, 0.2, 0.53, 0.61))
    for one in found:
        _mark(axes, one)
    axes.axvline(0, color=REST, lw=1.2, zorder=0)
    dress(axes, grid="both")
    _trade_off_scales(axes)
    axes.set_xlabel("effect of the artifact that is left, Δp (0 is best)", **TEXT)
    axes.set_ylabel("accuracy on unaltered images (high is best)", **TEXT)
    for number, one in enumerate(found):
        _trade_off_key(figure, one, 0.79 - TRADE_OFF_KEY / TRADE_OFF_HEIGHT * number)
    dashed = "Dashed: before any repair. " if any(one.method == BEFORE for one in found) else ""
    note = wrapped(f"{dashed}{basis(found)}", 128)
    figure.text(0.02, 0.12 / TRADE_OFF_HEIGHT, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def _mark(axes: Axes, one: Summary) -> None:
    pen, x, y = pen_of(one.method), one.effect, one.clean
    line = {"color": pen.colour, "lw": 1.4, "alpha": 0.75, "solid_capstyle": "butt"}
    axes.plot(x.interval, [y.mean, y.mean], **line)
    axes.plot([x.mean, x.mean], y.interval, **line)
    axes.plot(x.mean, y.mean, pen.mark, ms=8, color=pen.colour, mec="white", mew=0.8, zorder=3)
    if one.method == BEFORE:
        axes.axhline(y.mean, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)


def _trade_off_scales(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max((high - low) / 2, 0.02)  # a point must not look like a fall
    axes.set_ylim(middle - half, min(middle + half, 1.005))
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -0.02), max(right, 0.1))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}".replace("-", "−")))


def _trade_off_key(figure: Figure, one: Summary, y: float) -> None:
    from matplotlib.lines import Line2D

    pen = pen_of(one.method)
    mark = Line2D([0.655], [y], marker=pen.mark, ms=8, color=pen.colour, mec="white", mew=0.8)
    figure.add_artist(mark)
    figure.text(0.675, y, wrapped(name_of(one.method), 44), va="center", **TEXT)
