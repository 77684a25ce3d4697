"""The quality of heatmaps and the relevance in regions, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from unhans.faithfulness.training import ACCURACY, MAIN
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
    chart,
    name_epochs,
    percent_tick,
    tidy,
)
from unhans.report.text import shorten
from unhans.report.text.quality import QUALITY_READING, REGIONS_READING, followed_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.faithfulness.training import MeasuredEpoch

PANELS = {
    MAIN: ("AOPC of the {score} minus random order", BLUE),
    ACCURACY: ("accuracy", AMBER),
    "better_than_random": ("images with AOPC above random", GREEN),
    "effective_area": ("effective area of the maps", VIOLET),
}
ACROSS = 4  # regions beside each other
DASHES = (0, (4, 3))
SHARES = ("better_than_random", "effective_area", ACCURACY)  # written in percent


def quality_figure(points: Sequence[MeasuredEpoch], score: str, subtitle: str) -> Figure:
    """Draw AOPC minus random, accuracy and how complex the maps are, by epochs of training, with 95 % bands.

    Args:
        points: ascending.
        score: "logit" or "probability".
        subtitle: what was measured.
    """
    there = {name: PANELS[name] for name in PANELS if any(name in point.values for point in points)}
    together = followed_sentence(points)
    title = "Quality of heatmaps during training"
    said = f"{subtitle}. AOPC minus random: {together}" if together else subtitle
    figure, surface = chart(3.1 * len(there), 2.6, title, said, QUALITY_READING)
    for axes, (name, (heading, colour)) in zip(
        surface.subplots(1, len(there), squeeze=False)[0], there.items(), strict=True
    ):
        draw_course(axes, [point for point in points if name in point.values], name, colour)
        tidy(axes, heading.format(score=score), grid="y", frame=("left", "bottom"), xlabel="epochs of training")
        name_epochs(axes, [point.epoch for point in points])
        if name in SHARES:
            axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
        if name == MAIN:
            axes.axhline(0, color=REST, lw=0.8)
        if name == "better_than_random":
            axes.set_ylim(-0.02, 1.02)
            axes.axhline(0.5, color=QUIET, lw=0.8, ls=DASHES)
    return figure


def draw_course(axes: Axes, points: Sequence[MeasuredEpoch], name: str, colour: str, width: float = 1.6) -> None:
    """Draw the means of a measure by epoch, with the band of their intervals; of a single epoch a line."""
    epochs = [point.epoch for point in points]
    found = [point.values[name] for point in points]
    mean = np.array([one.mean for one in found])
    low, high = np.array([one.interval for one in found]).T
    low, high = (np.where(np.isfinite(end), end, mean) for end in (low, high))
    if len(epochs) == 1:
        axes.vlines(epochs, low, high, lw=2, alpha=0.5, color=colour)
    else:
        axes.fill_between(epochs, low, high, alpha=0.18, lw=0, color=colour)
    axes.plot(epochs, mean, "o-", ms=4, lw=width, color=colour)


def regions_figure(points: Sequence[MeasuredEpoch], regions: Sequence[str], of: str, subtitle: str) -> Figure:
    """Draw for each region what supports the class there above zero, what contradicts it below, and both together.

    Args:
        points: ascending, with "share/REGION/KIND" among their values.
        regions: their names.
        of: the class, or which images.
        subtitle: what was measured.
    """
    across = min(ACROSS, len(regions))
    rows = -(-len(regions) // across)
    figure, surface = chart(
        max(6.5, 3.0 * across), 0.4 + 2.2 * rows, f"Relevance in regions: {shorten(of, 60)}", subtitle, REGIONS_READING
    )
    panels = surface.subplots(rows, across, squeeze=False, sharey=True, sharex=True).ravel()
    for axes, region in zip(panels, regions, strict=False):
        known = [point for point in points if f"share/{region}/net" in point.values]  # others are of a resumed run
        _stack(axes, [point for point in known if point.values[f"share/{region}/net"].n], region)
        n = max((point.values[f"share/{region}/net"].n for point in known), default=0)
        tidy(axes, f"{shorten(region, 30)}  (n = {n})", grid="y", frame=("left", "bottom"), xlabel="epochs of training")
        name_epochs(axes, [point.epoch for point in points])
        axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
        axes.tick_params(labelbottom=True)  # also above a place without a panel
    for axes in panels[len(regions) :]:
        axes.set_visible(False)
    marks = {"supports the class": Patch(color=BLUE, alpha=0.35), "contradicts it": Patch(color=ALARM, alpha=0.35)}
    marks |= {"net": Line2D([], [], color=INK, lw=1.6), "share of the pixels": Line2D([], [], color=QUIET, ls=DASHES)}
    add_key(surface, marks, "outside upper left", columns=4)
    return figure


def _stack(axes: Axes, points: Sequence[MeasuredEpoch], region: str) -> None:
    """Draw one region; of an epoch in which no relevance is known there nothing."""
    axes.axhline(0, color=REST, lw=0.8)
    if not points:
        return
    epochs = [point.epoch for point in points]
    absolute, net, area = (
        np.array([point.values[f"share/{region}/{kind}"].mean for point in points])
        for kind in ("absolute", "net", "area")
    )
    for part, colour in (((absolute + net) / 2, BLUE), ((net - absolute) / 2, ALARM)):
        if len(epochs) == 1:
            axes.bar(epochs, part, width=0.3, color=colour, alpha=0.35)
        else:
            axes.fill_between(epochs, 0, part, color=colour, alpha=0.35, lw=0)
    axes.plot(epochs, area, color=QUIET, lw=1.0, ls=DASHES)
    draw_course(axes, points, f"share/{region}/net", INK)
