"""Context ratios: classes beside each other, against accuracy, shown together, and images with the most context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from unhans.attribution import RGB, colorize, scale
from unhans.report.figures.canvas import (
    ALARM,
    DASHED,
    INK,
    MODEL_PENS,
    QUIET,
    QUIET_TEXT,
    REST,
    TEXT,
    add_key,
    blank,
    chart,
    dot,
    headed,
    legible,
    name_rows,
    percent_tick,
    place,
    tidy,
    wrapped,
    write,
)
from unhans.report.text import percent, shorten
from unhans.report.text.quality import ACCURACY_READING, CONTEXT_READING, mu_said

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from unhans.faithfulness import AccuracyRelation, ContextSummary, CoOccurrence

MOST_ROWS, MOST_NAMED, MOST_TOGETHER = 40, 30, 30  # classes
SIDE, GAP, LINE = 1.15, 0.06, 0.14  # inches of a tile; tiles, tiles
STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))  # of ticks between powers of ten
FEWEST_TICKS, MOST_TICKS = 4, 7
TOGETHER = np.array([0.04, 0.02])  # of the ranges of ln μ and accuracy: dots that are named together
REACH = 1e4  # times: of μ beyond which an axis does not go


def context_figure(models: Mapping[str, Mapping[str, ContextSummary]], order: Sequence[str], subtitle: str) -> Figure:
    """Draw the median μ of every class and model with its interval.

    Args:
        models: by model and class.
        order: of the classes, from above.
        subtitle: what was measured.
    """
    rows = list(order)[:MOST_ROWS]
    height = 0.9 + max(0.26, 0.11 * len(models) + 0.1) * len(rows)
    title = "How much of the relevance lies outside the objects?"
    if len(order) > len(rows):
        subtitle = f"{subtitle}; the {len(rows)} classes with most context of {len(order)}"
    figure, surface = chart(8, height, title, subtitle, CONTEXT_READING)
    axes = surface.subplots()
    for number, classes in enumerate(models.values()):
        for row, name in enumerate(rows):
            one = classes.get(name)
            if one is not None and one.median.n:
                at = row + (number - (len(models) - 1) / 2) * 0.7 / len(models)
                dot(axes, one.median.value, _within(one.median.interval), at, MODEL_PENS[number % len(MODEL_PENS)])
    axes.axvline(0, **DASHED)
    _ratio_axis(axes)
    tidy(axes, "Median context ratio μ", grid="x", xlabel="1: inside and outside alike; to the right, more context")
    name_rows(axes, [f"{shorten(name, 34)} ({_counted(models, name)})" for name in rows])
    if len(models) > 1:
        add_key(surface, _model_marks(models), columns=min(4, len(models)))
    return figure


def _counted(models: Mapping[str, Mapping[str, ContextSummary]], name: str) -> str:
    counts = sorted({classes[name].median.n for classes in models.values() if name in classes})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]}–{counts[-1]}"


def _model_marks(models: Mapping[str, object]) -> dict[str, Line2D]:
    return {
        shorten(name, 40): Line2D([], [], color=MODEL_PENS[number % len(MODEL_PENS)], marker="o", lw=2)
        for number, name in enumerate(models)
    }


def _within(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = np.clip(interval, -np.log(REACH), np.log(REACH))
    return float(low), float(high)


def _ratio_axis(axes: Axes) -> None:
    """Let the horizontal axis, which holds ln μ, say μ at round numbers, four of them or more."""
    low, high = axes.get_xlim()
    tens = 10.0 ** np.arange(np.floor(low / np.log(10)), np.ceil(high / np.log(10)) + 1)
    several = [*(np.outer(tens, steps).ravel() for steps in STEPS), MaxNLocator(6).tick_values(*np.exp([low, high]))]
    shown = [at[(at >= np.exp(low)) & (at <= np.exp(high))] for at in several]
    at = next((each for each in shown if len(each) >= FEWEST_TICKS), shown[-1])
    at = at[:: -(-len(at) // MOST_TICKS)]
    axes.set_xticks(np.log(at), [f"{each:.6g}" for each in at])
    axes.set_xlim(low, high)


def context_accuracy_figure(
    models: Mapping[str, AccuracyRelation], names: Sequence[str], sentences: Mapping[str, str]
) -> Figure:
    """Draw a panel for every model: accuracy over μ, a dot for each class, and the least-squares line.

    Args:
        models: by name.
        names: of the classes, by label.
        sentences: what is said of each model.
    """
    columns = min(3, len(models))
    down = -(-len(models) // columns)
    title = "Are classes with more context recognised better or worse?"
    figure, surface = chart(
        max(7.5, 4.2 * columns), 3.6 * down + 0.2, title, " ".join(sentences.values()), ACCURACY_READING
    )
    panels = surface.subplots(down, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for number, (axes, (name, found)) in enumerate(zip(panels, models.items(), strict=False)):
        _draw_relation(axes, found, names, MODEL_PENS[number % len(MODEL_PENS)])
        tidy(
            axes, shorten(name, 50) if len(models) > 1 else "", grid="both", frame=["left", "bottom"], xlabel="median μ"
        )
        axes.set_ylabel("accuracy", **QUIET_TEXT)
        axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
    values = np.concatenate([each.accuracy for each in models.values()])
    low, high = values.min(), values.max()
    limits = low - 0.1 * (high - low) - 0.01, high + 0.1 * (high - low) + 0.01
    panels[0].set_yticks([tick for tick in MaxNLocator(6).tick_values(*limits) if limits[0] <= tick <= 1])
    panels[0].set_ylim(limits)
    for axes in panels[: len(models)]:
        _ratio_axis(axes)
    for axes in panels[len(models) :]:
        axes.axis("off")
    return figure


def _named_dots(found: AccuracyRelation) -> list[tuple[float, float, list[int]]]:
    """Where names are written (ln μ, accuracy), and whose: dots that lie on each other share a place."""
    near = TOGETHER * (np.ptp(found.log_mu), np.ptp(found.accuracy))
    dots: list[tuple[float, float, list[int]]] = []
    for at in np.lexsort((found.log_mu, found.accuracy)):
        x, y, label = float(found.log_mu[at]), float(found.accuracy[at]), int(found.labels[at])
        beside = dots and np.all(np.abs(np.subtract((x, y), dots[-1][:2])) <= near)
        dots = [*dots[:-1], (x, y, [*dots[-1][2], label])] if beside else [*dots, (x, y, [label])]
    return dots


def _draw_relation(axes: Axes, found: AccuracyRelation, names: Sequence[str], colour: str) -> None:
    axes.plot(found.log_mu, found.accuracy, "o", ms=4.5, color=colour, clip_on=False)
    if len(found.labels) <= MOST_NAMED:
        style = TEXT | {"fontsize": 7, "xytext": (4, 3), "textcoords": "offset points"}
        for x, y, together in _named_dots(found):
            axes.annotate(", ".join(shorten(names[label], 22) for label in together), (x, y), **style)
    axes.margins(x=0.18)
    if found.line is not None:
        x = np.linspace(found.log_mu.min(), found.log_mu.max(), 50)
        axes.plot(x, found.line.at(x), color=INK, lw=1)
        half = found.line.half(x)
        axes.fill_between(x, found.line.at(x) - half, found.line.at(x) + half, color=REST, alpha=0.35, lw=0)


def co_occurrence_figure(found: CoOccurrence, subtitle: str) -> Figure:
    """Draw of the images with the row's class the percentage that show the column's as well."""
    count = min(MOST_TOGETHER, len(found.names))
    names = [shorten(name, 22) for name in found.names[:count]]
    side = 0.34 * count + 1.9
    title = "Which classes are shown together?"
    note = "Percent of the images with the row’s class; in brackets how many these are."
    if count < len(found.names):
        subtitle = f"{subtitle}; the {count} most frequent of {len(found.names)} classes"
    figure, surface = chart(max(6.5, side), side, title, subtitle, note)
    axes = surface.subplots()
    shares = np.where(np.eye(count, dtype=bool), np.nan, 100 * found.shares[:count, :count])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for i, j in zip(*np.nonzero(found.counts[:count, :count]), strict=True):
        if i != j:
            colour = "white" if shares[i, j] > 55 else INK
            style = TEXT | {"fontsize": 6.5, "ha": "center", "va": "center", "color": colour}
            axes.text(j, i, f"{shares[i, j]:.0f}", **style)
    tidy(axes)
    axes.set_xticks(range(count), names, rotation=45, ha="left", fontsize=7, color=INK, parse_math=False)
    axes.xaxis.tick_top()
    rows = [f"{name} ({found.counts[i, i]})" for i, name in enumerate(names)]
    axes.set_yticks(range(count), rows, fontsize=7, color=INK, parse_math=False)
    return figure


class ContextExample(NamedTuple):
    """An image with its heatmap and the objects of its class.

    Attributes:
        image: RGB.
        heatmap: (H, W), not scaled.
        region: (H, W), where the objects lie.
        mu: of the image.
        inside: share of the positive relevance inside.
        correct: whether the network classifies it correctly.
    """

    image: RGB
    heatmap: NDArray[np.floating]
    region: NDArray[np.bool_]
    mu: float
    inside: float
    correct: bool


def context_gallery(rows: Mapping[str, Sequence[ContextExample]], title: str, subtitle: str) -> Figure:
    """Draw a row for each class: images beside their heatmaps, with the outline of the objects.

    Args:
        rows: by what stands above the row.
        title, subtitle: of the figure.
    """
    most = max(map(len, rows.values()))
    across, step = most * 2.25 - 0.15, 1 + 2 * LINE + 0.16
    width = max(SIDE * across + 0.4, 6.5)
    note = wrapped(
        "Hot: supports the class, cold: contradicts it, each map scaled by itself. Outline: the objects of the class. "
        "Below: μ, and the share of the positive relevance inside; in red where the network says another class.",
        (width - 0.4) * 16.5,
    )
    foot = 0.3 + 0.14 * note.count("\n")
    figure, share = headed(width, SIDE * step * len(rows) + foot, title, subtitle)
    inch = share / (SIDE * step * len(rows) + foot)
    box = (0.2 / width, foot * inch, SIDE * across / width, share - foot * inch)
    axes = blank(figure.add_axes(box), across, step * len(rows))
    for number, (name, examples) in enumerate(rows.items()):
        top = number * step + LINE + 0.04
        write(axes, 0, top - 0.04, shorten(name, 80), va="bottom")
        for column, one in enumerate(examples):
            _draw_example(axes, one, column * 2.25, top)
    figure.text(0.2 / width, 0.1 * inch, note, va="bottom", **QUIET_TEXT)
    return figure


def _draw_example(axes: Axes, one: ContextExample, left: float, top: float) -> None:
    place(axes, one.image, left, top)
    place(axes, colorize(scale(legible(one.heatmap[None]))[0]), left + 1 + GAP, top)
    for x, pen in ((left, "white"), (left + 1 + GAP, "white")):
        _outline(axes, one.region, x, top, pen)
    mu = mu_said(float(np.log(one.mu)) if one.mu > 0 else -np.inf)
    said = f"μ {mu}, {percent(one.inside, 0)} inside"
    write(axes, left, top + 1.03, said, va="top", fontsize=7, color=INK if one.correct else ALARM)


def _outline(axes: Axes, region: NDArray[np.bool_], left: float, top: float, colour: str) -> None:
    """Draw the border of a region (S, S) in a tile."""
    limits, (height, width) = axes.axis(), region.shape
    framed = np.pad(region.astype(float), 1)
    x = left + (np.arange(-1, width + 1) + 0.5) / width
    y = top + (np.arange(-1, height + 1) + 0.5) / height
    axes.contour(np.clip(x, left, left + 1), np.clip(y, top, top + 1), framed, [0.5], colors=[QUIET], linewidths=1.8)
    axes.contour(np.clip(x, left, left + 1), np.clip(y, top, top + 1), framed, [0.5], colors=[colour], linewidths=0.9)
    axes.axis(limits)
