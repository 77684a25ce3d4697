"""Samples with their heatmaps, several methods side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, overlay, picture
from unhans.report.canvas import ALARM, INK, QUIET, place, write
from unhans.report.sheet import INDIVIDUAL, TEXT_INCH, TILE, Look, Method, sheet, shown, summed, wrapped

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
