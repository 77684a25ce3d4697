"""Faithfulness of heatmaps: curves minus random order, strips of perturbed images, maps of randomised networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from unhans.attribution import RGB, colorize, scale
from unhans.report.figures.canvas import (
    ALARM,
    AMBER,
    BLUE,
    GREEN,
    INK,
    QUIET,
    REST,
    VIOLET,
    add_key,
    blank,
    chart,
    headed,
    legible,
    percent_tick,
    place,
    tidy,
    wrapped,
    write,
)
from unhans.report.text import percent, shorten
from unhans.report.text.quality import CHANGES_READING, LABELS_READING, ORDER_NAMES, SANITY_READING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from unhans.faithfulness import MethodSummary, Order, PerturbationCurves, RandomizedStep
    from unhans.stats import Estimate

METHOD_PENS = (BLUE, ALARM, GREEN, AMBER, VIOLET, INK)  # in turn
STYLES = ("-", (0, (4, 2)), (0, (1, 1.5)))  # of methods beyond those
CHANGES_ACROSS = 4  # methods beside each other
BARS = 25  # of a method, at most
TILE, GAP, LINE = 1.15, 0.06, 0.14  # inches, tiles, tiles


def _pen(number: int) -> dict:
    return {"color": METHOD_PENS[number % len(METHOD_PENS)], "ls": STYLES[number // len(METHOD_PENS) % len(STYLES)]}


def _dot(number: int) -> dict:
    """A dot of a method: filled, and beyond the first pens open."""
    return {"marker": "o"} | ({"mfc": "white"} if number >= len(METHOD_PENS) else {})


def _key(surface: object, names: Sequence[str], dots: bool = False, **besides: Line2D) -> None:
    marks = {
        shorten(name, 60): Line2D([], [], lw=2, **_pen(number), **(_dot(number) if dots else {}))
        for number, name in enumerate(names)
    }
    add_key(surface, marks | besides, "outside upper left", columns=min(4, len(marks) + len(besides)))


def perturbation_figure(
    summaries: Sequence[MethodSummary], random_changed: NDArray[np.floating], score: str, subtitle: str
) -> Figure:
    """Draw AOPC minus random by the number of steps, for each order, and the share of changed predictions.

    Args:
        summaries: of the methods.
        random_changed: share of changed predictions in random order (steps + 1,).
        score: "logit" or "probability".
        subtitle: what was measured.
    """
    orders = list(summaries[0].curves)
    title = "What the network loses with what heatmaps call relevant"
    figure, surface = chart(
        4.3 * (len(orders) + 1), 3.2, title, subtitle, "Bands: 95 % bootstrap intervals over images."
    )
    panels = surface.subplots(1, len(orders) + 1, squeeze=False)[0]
    for axes in panels:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes, order in zip(panels, orders, strict=False):
        for number, one in enumerate(summaries):
            _band(axes, one.curves[order], _pen(number))
        axes.axhline(0, color=QUIET, lw=0.8)
        heading = f"AOPC of the {score} minus random order, {ORDER_NAMES[order]}"
        tidy(axes, heading, grid="y", frame=["left", "bottom"], xlabel="steps")
    for number, one in enumerate(summaries):
        panels[-1].plot(one.changed_by_step[orders[0]], lw=1.6, **_pen(number))
    panels[-1].plot(random_changed, color=QUIET, lw=1.6)
    panels[-1].yaxis.set_major_formatter(FuncFormatter(percent_tick))
    panels[-1].set_ylim(-0.02, 1.02)
    heading = f"Predicted class has changed, {ORDER_NAMES[orders[0]]}"
    tidy(panels[-1], heading, grid="y", frame=["left", "bottom"], xlabel="steps")
    _key(surface, [one.name for one in summaries], **{"random order": Line2D([], [], lw=2, color=QUIET)})
    return figure


def changes_figure(
    summaries: Sequence[MethodSummary], random: PerturbationCurves, order: Order, subtitle: str
) -> Figure:
    """Draw for every method the share of predictions that change first at each step ([003] fig. 4.3, in grey).

    Args:
        summaries: of the methods.
        random: random order, drawn last.
        order: of the others.
        subtitle: what was measured.
    """
    shares = {one.name: (one.first_changed[order], one.changed_by_step[order][-1]) for one in summaries}
    wide = -(-(len(random.changed_share) - 1) // BARS)  # steps of a bar
    shares["random order"] = random.first_changed_share, random.changed_share[-1]
    across = min(CHANGES_ACROSS, len(shares))
    rows = -(-len(shares) // across)
    figure, surface = chart(
        max(6.5, 3.1 * across),
        0.3 + 1.7 * rows,
        f"When predictions change, {ORDER_NAMES[order]}",
        subtitle,
        CHANGES_READING,
    )
    panels = surface.subplots(rows, across, squeeze=False, sharey=True).ravel()
    for axes, (name, (first, last)) in zip(panels, shares.items(), strict=False):
        starts = np.arange(1, len(first), wide)
        axes.bar(starts + (wide - 1) / 2, np.add.reduceat(first, starts), width=0.9 * wide, color=REST, lw=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
        heading = f"{shorten(name, 24)}: {percent(first.sum(), 0)}; V {percent(last, 0)}"
        tidy(
            axes, heading, grid="y", frame=["left", "bottom"], xlabel="step" if wide == 1 else f"step; {wide} to a bar"
        )
    panels[0].set_ylim(bottom=0)
    for axes in panels[len(shares) :]:
        axes.set_visible(False)
    return figure


def _band(axes: Axes, curve: object, pen: dict) -> None:
    steps = np.arange(len(curve.mean))
    axes.plot(steps, curve.mean, lw=1.6, **pen)
    low, high = (np.where(np.isfinite(end), end, curve.mean) for end in (curve.low, curve.high))
    axes.fill_between(steps, low, high, color=pen["color"], alpha=0.15, lw=0)


class PerturbedStrip(NamedTuple):
    """One image as one method's order perturbs it.

    Attributes:
        method: its name.
        heatmap: (H, W), not scaled.
        images: after some numbers of steps, RGB.
        scores: of these.
    """

    method: str
    heatmap: NDArray[np.floating]
    images: Sequence[RGB]
    scores: Sequence[float]


def strip_figure(strips: Sequence[PerturbedStrip], steps: Sequence[int], title: str, subtitle: str) -> Figure:
    """Draw a row for each method: its heatmap, then the image after every number of steps with the score below."""
    across = 1 + 0.25 + (1 + GAP) * len(steps) - GAP
    names = [wrapped(strip.method, TILE * across * 12) for strip in strips]
    heads = [LINE * (1 + name.count("\n")) + 0.05 for name in names]
    down = 0.2 + sum(head + 1 + LINE + 0.12 for head in heads)
    width = TILE * across + 0.4
    figure, share = headed(width, TILE * down + 0.1, title, subtitle)
    axes = blank(figure.add_axes((0.2 / width, 0, TILE * across / width, share)), across, down + 0.1 / TILE)
    lefts = [1.25 + (1 + GAP) * column for column in range(len(steps))]
    write(axes, 0, 0, "heatmap", va="top", color=QUIET)
    for left, step in zip(lefts, steps, strict=True):
        write(axes, left, 0, f"{step} steps" if step != 1 else "1 step", va="top", color=QUIET)
    top = 0.2
    for strip, name, head in zip(strips, names, heads, strict=True):
        write(axes, 0, top + head - 0.05, name, va="bottom")
        place(axes, colorize(scale(legible(strip.heatmap[None]))[0]), 0, top + head)
        for left, image, score in zip(lefts, strip.images, strip.scores, strict=True):
            place(axes, image, left, top + head)
            write(axes, left, top + head + 1.03, f"{score:.2f}".replace("-", "−"), va="top", fontsize=7)
        top += head + 1 + LINE + 0.12
    return figure


def sanity_figure(checks: Mapping[str, Sequence[tuple[RandomizedStep, Estimate]]]) -> Figure:
    """Draw how similar heatmaps are to those of the trained network as layers become random from the top.

    Args:
        checks: by method every step with the mean of its correlations of |R|.
    """
    title = "Do heatmaps change when the network’s layers become random?"
    return _similarity_figure(checks, title, SANITY_READING, "random from the output down to", 40)


def labels_figure(checks: Mapping[str, Sequence[tuple[RandomizedStep, Estimate]]]) -> Figure:
    """Draw how similar heatmaps are to those of a network trained on permuted labels, and of an untrained one.

    Args:
        checks: by method both with the mean of their correlations of |R|.
    """
    title = "Do heatmaps change when the network is trained on permuted labels?"
    note = f"{SANITY_READING} {LABELS_READING}"
    return _similarity_figure(checks, title, note, "held against a network that was", 0)


def _similarity_figure(
    checks: Mapping[str, Sequence[tuple[RandomizedStep, Estimate]]], title: str, note: str, xlabel: str, turned: int
) -> Figure:
    first = next(iter(checks.values()))
    figure, surface = chart(max(8.5, 0.5 * len(first) + 2.5), 3.4, title, "", note)
    axes = surface.subplots()
    for number, steps in enumerate(checks.values()):
        at = np.arange(len(steps)) + min(0.12, 0.8 / len(checks)) * (number - (len(checks) - 1) / 2)
        means = [one.mean for _, one in steps]
        axes.plot(at, means, lw=1.2 if turned else 0, ms=4, zorder=3, **_pen(number), **_dot(number))
        ends = np.array([one.interval for _, one in steps])
        axes.vlines(at, *np.clip(ends, -1, 1).T, color=_pen(number)["color"], lw=2)
    axes.axhline(0, color=REST, lw=0.8)
    axes.set_xlim(-0.5, len(first) - 0.5)
    names = [shorten(step.layer, 24 if turned else 40) for step, _ in first]
    axes.set_xticks(range(len(first)), names, rotation=turned, ha="right" if turned else "center")
    tidy(axes, "", grid="y", frame=["left", "bottom"], xlabel=xlabel)
    _key(surface, list(checks), dots=True)
    return figure
