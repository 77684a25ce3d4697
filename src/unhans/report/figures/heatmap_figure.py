"""Samples with their heatmaps: several methods side by side, many outputs, or the mean maps of many classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, overlay, picture
from unhans.report.figures.canvas import (
    ALARM,
    BLUE,
    INDIVIDUAL,
    INK,
    NARROWEST,
    QUIET,
    TEXT_INCH,
    TILE,
    Look,
    Method,
    coloured,
    place,
    sheet,
    shown,
    summed,
    wrapped,
    write,
)
from unhans.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.attribution import RGB


GAP = 0.05  # tiles between a heatmap and its overlay
APART = 0.2  # tiles between two methods
PAIR = 2 + GAP + APART
LINE = 0.11  # tiles: a line of text
CAPTION = 0.2  # tiles: the line above a sample and the space above that


def heatmap_figure(
    images: Sequence[Any] | NDArray[np.floating],
    methods: Sequence[Method],
    captions: Sequence[str],
    title: str,
    *,
    subtitle: str = "",
    wrong: Sequence[bool] = (),
    look: Look = INDIVIDUAL,
) -> Figure:
    """Draw a row per sample: its image, and for every method the heatmap and the heatmap laid over the image.

    Args:
        images: n images of one size in [0, 1].
        methods: at least one, n heatmaps each.
        captions: a line above each sample.
        title: what is shown.
        subtitle: target and data.
        wrong: the samples whose caption is red.
        look: scaling (joint: over all samples, each method by itself) and colour map.

    Raises:
        ValueError: there is no sample, no method, or not one caption and heatmap of each method per image.
    """
    counts = [len(images), len(captions), *(len(method.maps) for method in methods)]
    if len(set(counts)) != 1 or not counts[0] or not methods:
        raise ValueError(
            f"A figure needs images, and for each a caption and a heatmap of every method; got {counts[0]} images, "
            f"{counts[1]} captions and heatmaps {counts[2:]}."
        )
    pictures = [picture(image) for image in images]
    headings = [wrapped(method.name, (2 + GAP) * TILE * TEXT_INCH) for method in methods]
    head = LINE * (1 + max(heading.count("\n") for heading in headings)) + 0.05
    row = CAPTION + max(each.shape[0] / max(each.shape[:2]) for each in pictures)
    across = 1 + APART + PAIR * len(methods) - APART
    figure, axes = sheet(across, head + row * len(images), title, subtitle, look, summed(methods[0].maps))
    for column, (method, heading) in enumerate(zip(methods, headings, strict=True)):
        left = 1 + APART + PAIR * column
        write(axes, left, 0, heading, va="top", color=QUIET)
        _column(axes, pictures, method, look, left, head, row)
    for i, each in enumerate(pictures):
        red = bool(len(wrong)) and bool(wrong[i])
        write(axes, 0, head + row * i + CAPTION - 0.05, captions[i], color=ALARM if red else INK)
        place(axes, each, 0, _top(each, head + row * i))
    return figure


def _column(
    axes: Axes, pictures: Sequence[RGB], method: Method, look: Look, left: float, head: float, row: float
) -> None:
    maps = shown(method.maps, pictures[0].shape[:2], look)
    for i, (image, scaled) in enumerate(zip(pictures, maps, strict=True)):
        top = _top(image, head + row * i)
        place(axes, colorize(scaled, look.cmap), left, top)
        place(axes, overlay(image, scaled, look.cmap), left + 1 + GAP, top)


def _top(image: RGB, row: float) -> float:
    """Where the unit square begins whose upper empty part, above a wide image, is not to be seen."""
    height = image.shape[0] / max(image.shape[:2])
    return row + CAPTION - (1 - height) / 2


WRAP = 6  # panels in a row
PANEL_GAP = 0.08  # tiles between panels
ROW_NAME = 0.18  # tiles: the line that names a row and the space above it
PANEL_LINE = 0.12  # tiles: a line above or below a panel
PANEL_APART = 0.25  # tiles between strips
LONGEST = 19  # characters above a panel


@dataclass(frozen=True)
class _Panels:
    """Rows of pictures with a name each; lines above and below every picture of a row."""

    rows: list[tuple[str, Sequence[RGB]]]
    above: Sequence[str]
    below: Sequence[Sequence[str]]
    marked: int | None
    first: RGB | None  # stands before the first row of a strip


def output_figure(
    image: Any,
    methods: Sequence[Method],
    classes: Sequence[str],
    logits: Sequence[float],
    probabilities: Sequence[float],
    title: str,
    *,
    subtitle: str = "",
    truth: int | None = None,
    look: Look = INDIVIDUAL,
) -> Figure:
    """Draw a sample's heatmap for each of k outputs, with logit and probability under it.

    Args:
        image: (3, H, W) or (H, W, 3) in [0, 1].
        methods: at least one, heatmaps (k, H, W) each, a map per output.
        classes: the names of the k outputs.
        logits: of the k outputs.
        probabilities: of the k outputs.
        title: which sample.
        subtitle: what is to be said about it.
        truth: the position of the true label among the outputs; it is marked.
        look: scaling (joint: over the outputs, each method by itself) and colour map.

    Raises:
        ValueError: there is no method or no output, or not one map, name, logit and probability per output.
    """
    _check(methods, classes, logits, probabilities)
    below = [[f"logit {logit:.3g}", f"p = {p:.3f}"] for logit, p in zip(logits, probabilities, strict=True)]
    rows = [(method.name, list(coloured(method.maps, look))) for method in methods]
    return _draw(_Panels(rows, classes, below, truth, picture(image)), title, subtitle, look, summed(methods[0].maps))


def mean_figure(
    images: Sequence[Any] | NDArray[np.floating],
    methods: Sequence[Method],
    classes: Sequence[str],
    counts: Sequence[int],
    title: str,
    *,
    subtitle: str = "",
    look: Look = INDIVIDUAL,
) -> Figure:
    """Draw the mean image and, for every method, the mean heatmap of each of k classes.

    Args:
        images: k mean images in [0, 1].
        methods: at least one, mean heatmaps (k, H, W) each.
        classes: the names of the k classes.
        counts: the samples of each class that the means are of.
        title: what is shown.
        subtitle: target and data.
        look: scaling (joint: over the classes, each method by itself) and colour map.

    Raises:
        ValueError: there is no method or no class, or not one image, map, name and number per class.
    """
    _check(methods, classes, counts, images)
    rows = [("Mean image", [picture(image) for image in images])]
    rows += [(method.name, list(coloured(method.maps, look))) for method in methods]
    below = [[f"n = {count}"] for count in counts]
    return _draw(_Panels(rows, classes, below, None, None), title, subtitle, look, summed(methods[0].maps))


def _check(methods: Sequence[Method], *parts: Sequence[Any] | NDArray[np.floating]) -> None:
    lengths = [*map(len, parts), *(len(method.maps) for method in methods)]
    if not methods or not lengths[0] or len(set(lengths)) != 1:
        raise ValueError(f"Panels need a method, and of all as many as there are names; got the numbers {lengths}.")


def _draw(panels: _Panels, title: str, subtitle: str, look: Look, note: str) -> Figure:
    """Draw strips of at most WRAP panels and of equal length; in each, all rows."""
    count, lead = len(panels.above), int(panels.first is not None)
    height = max(max(each.shape[0] / max(each.shape[:2]) for each in pictures) for _, pictures in panels.rows)
    long = -(-count // -(-count // WRAP))
    strips = [range(start, min(start + long, count)) for start in range(0, count, long)]
    strip_height = (
        PANEL_LINE + (ROW_NAME + height) * len(panels.rows) + 0.05 + PANEL_LINE * len(panels.below[0]) + PANEL_APART
    )
    across = (1 + PANEL_GAP) * (lead + long) - PANEL_GAP
    figure, axes = sheet(across, strip_height * len(strips) - PANEL_APART, title, subtitle, look, note)
    for number, strip in enumerate(strips):
        _strip(axes, panels, strip, number * strip_height, height)
    return figure


def _strip(axes: Axes, panels: _Panels, strip: range, top: float, height: float) -> None:
    """Draw some of the panels: names above the first row, notes below the last."""
    lead = int(panels.first is not None)
    room = int((max(TILE * axes.get_xlim()[1], NARROWEST) - TILE * (1 + PANEL_GAP) * lead) * TEXT_INCH)
    for slot, i in enumerate(strip, lead):
        left, marked = (1 + PANEL_GAP) * slot, i == panels.marked
        text = shorten(panels.above[i], LONGEST)
        write(axes, left, top, text, va="top", color=BLUE if marked else INK, weight="bold" if marked else "normal")
        bottom = top + PANEL_LINE + (ROW_NAME + height) * len(panels.rows) + 0.04
        for line, note in enumerate(panels.below[i]):
            write(axes, left, bottom + PANEL_LINE * line, note, va="top", color=QUIET)
    for row, (name, pictures) in enumerate(panels.rows):
        above = top + PANEL_LINE + ROW_NAME + (ROW_NAME + height) * row
        write(axes, (1 + PANEL_GAP) * lead, above - 0.05, shorten(name, room), color=QUIET)
        if panels.first is not None and row == 0:
            place(axes, panels.first, 0, above - (1 - height) / 2)
        for slot, i in enumerate(strip, lead):
            place(axes, pictures[i], (1 + PANEL_GAP) * slot, above - (1 - height) / 2)
