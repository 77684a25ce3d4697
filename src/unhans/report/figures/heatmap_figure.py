"""Samples with their heatmaps: several methods side by side, many outputs, or the mean maps of many classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unhans.attribution import colorize, overlay, picture, seen_through
from unhans.report.figures import canvas
from unhans.report.figures.canvas import Look, Method
from unhans.report.text import shorten

GAP = 0.05  # tiles between a heatmap and its overlay
APART = 0.2  # tiles between two methods
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
    look: Look = canvas.INDIVIDUAL,
    overlays: bool = True,
) -> Figure:
    """Draw a row per sample: its image, and for every method the heatmap and the heatmap laid over the image.

    Args:
        images: n images of one size in [0, 1].
        methods: at least one, n heatmaps each.
        captions: a line above each sample.
        subtitle: target and data.
        wrong: the samples whose caption is red.
        look: scaling (joint: over all samples, each method by itself) and colour map.
        overlays: whether heatmaps are laid over the image as well.

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
    each = 2 + GAP if overlays else 1.0
    headings = [canvas.wrapped(method.name, each * canvas.TILE * canvas.TEXT_INCH) for method in methods]
    head = LINE * (1 + max(heading.count("\n") for heading in headings)) + 0.05
    row = CAPTION + max(canvas.height_of(image.shape[:2]) for image in pictures)
    between = APART if overlays else PANEL_GAP
    pair = each + between
    across = 1 + APART + pair * len(methods) - between
    figure, axes = canvas.sheet(across, head + row * len(images), title, subtitle, look, canvas.summed(methods[0].maps))
    tops = [head + row * i + CAPTION for i in range(len(images))]
    for i, (image, caption) in enumerate(zip(pictures, captions, strict=True)):
        canvas.write(axes, 0, tops[i] - 0.05, caption, color=canvas.ALARM if len(wrong) and wrong[i] else canvas.INK)
        canvas.place(axes, image, 0, tops[i])
    for column, (method, heading) in enumerate(zip(methods, headings, strict=True)):
        left = 1 + APART + pair * column
        canvas.write(axes, left, 0, heading, va="top", color=canvas.QUIET)
        maps = canvas.shown(method.maps, pictures[0].shape[:2], look)
        for image, scaled, top in zip(pictures, maps, tops, strict=True):
            canvas.place(axes, colorize(scaled, look.cmap), left, top)
            if overlays:
                laid = seen_through(image, scaled) if look.alpha else overlay(image, scaled, look.cmap)
                canvas.place(axes, laid, left + 1 + GAP, top)
    return figure


WRAP = 6  # panels in a row
PANEL_GAP = 0.08  # tiles between panels
ROW_NAME = 0.18  # tiles: the line that names a row and the space above it
PANEL_LINE = 0.12  # tiles: a line above or below a panel
PANEL_APART = 0.25  # tiles between strips
LONGEST = 19  # characters above a panel


def output_notes(logits: Sequence[float], probabilities: Sequence[float]) -> list[str]:
    """Write what stands under the panels of k outputs: the logit and the probability of each that has one, not NaN."""
    pairs = zip(logits, probabilities, strict=True)
    return [f"logit {logit:.3g}" + ("" if math.isnan(p) else f"\np = {p:.3f}") for logit, p in pairs]


def panel_figure(
    methods: Sequence[Method],
    names: Sequence[str],
    notes: Sequence[str],
    title: str,
    *,
    subtitle: str = "",
    look: Look = canvas.INDIVIDUAL,
    image: Any = None,
    images: Sequence[Any] | NDArray[np.floating] = (),
    heading: str = "Mean image",
    marked: int | None = None,
) -> Figure:
    """Draw strips of at most six panels and of equal length, in each a row of heatmaps per method.

    Panels are the outputs for which one sample is explained, classes with their mean images and heatmaps, or images
    that several models explain ([000] figure 11).

    Args:
        methods: at least one, k heatmaps (k, H, W) each.
        names: above each of the k panels.
        notes: below each panel, of as many lines each.
        subtitle: what is to be said about it.
        look: scaling (joint: over the panels, each method by itself) and colour map.
        image: (3, H, W) or (H, W, 3) in [0, 1], which stands before the panels of every strip.
        images: k images in [0, 1], one above each panel, a row of their own.
        heading: of that row.
        marked: the panel whose name is blue.

    Raises:
        ValueError: there is no method or no panel, or not one name, note, map and, if any, image per panel.
    """
    parts = [names, notes, *([images] if len(images) else []), *(method.maps for method in methods)]
    counts = list(map(len, parts))
    if not methods or not counts[0] or len(set(counts)) != 1:
        raise ValueError(f"Panels need a method, and of all as many as there are names; got the numbers {counts}.")
    rows = [(heading, [picture(each) for each in images])] if len(images) else []
    rows += [(method.name, canvas.coloured(method.maps, look)) for method in methods]
    height = max(canvas.height_of(each.shape[:2]) for _, pictures in rows for each in pictures)
    long, step, lead = -(-len(names) // -(-len(names) // WRAP)), 1 + PANEL_GAP, int(image is not None)
    tops = [PANEL_LINE + ROW_NAME + (ROW_NAME + height) * row for row in range(len(rows))]
    foot = tops[-1] + height + 0.04
    strip = foot + PANEL_LINE * (1 + notes[0].count("\n")) + PANEL_APART
    count = -(-len(names) // long)
    across, down = step * (lead + long) - PANEL_GAP, strip * count - PANEL_APART
    figure, axes = canvas.sheet(across, down, title, subtitle, look, canvas.summed(methods[0].maps))
    room = int((figure.get_figwidth() - 2 * canvas.MARGIN - canvas.TILE * step * lead) * canvas.TEXT_INCH)
    for number in range(count):
        for (name, _), top in zip(rows, tops, strict=True):
            canvas.write(axes, step * lead, strip * number + top - 0.05, shorten(name, room), color=canvas.QUIET)
        if image is not None:
            canvas.place(axes, picture(image), 0, strip * number + tops[0])
    for i, (name, below) in enumerate(zip(names, notes, strict=True)):
        left, above = step * (lead + i % long), strip * (i // long)
        style = {"color": canvas.BLUE, "weight": "bold"} if i == marked else {}
        canvas.write(axes, left, above, shorten(name, LONGEST), va="top", **style)
        canvas.write(axes, left, above + foot, below, va="top", color=canvas.QUIET)
        for (_, pictures), top in zip(rows, tops, strict=True):
            canvas.place(axes, pictures[i], left, above + top)
    return figure
