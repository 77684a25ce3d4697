"""Pairs of pictures that a person made, with their heatmaps and the difference of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unhans.attribution import RGB, colorize
from unhans.report.figures import canvas
from unhans.report.text import shorten

GAP = 0.06  # tiles
CAPTION, FOOT = 0.2, 0.26  # tiles above and below a row of pictures
HEAD = 0.14  # tiles: the line over all columns


class ShownPicture(NamedTuple):
    """One picture of a pair.

    Attributes:
        kind: "before", "after" or "control".
        image: as the network sees it.
        heatmap: (H, W) for the class of the pair, not scaled.
        predicted: the name of the class that is predicted.
        probability: of the class of the pair.
    """

    kind: str
    image: RGB
    heatmap: NDArray[np.floating]
    predicted: str
    probability: float


class ShownPair(NamedTuple):
    """A pair with the names of its files, its class, and its pictures: before, after and, if it has one, control."""

    before: str
    after: str
    name: str
    pictures: Sequence[ShownPicture]


def pair_figure(pairs: Sequence[ShownPair], title: str, subtitle: str = "") -> Figure:
    """Draw a row for every pair: its pictures, their heatmaps, and the heatmap after minus that before.

    All heatmaps of a row are scaled jointly.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("A figure of pairs expects at least one; got none.")
    most = max(len(pair.pictures) for pair in pairs)
    kinds = [one.kind for one in max(pairs, key=lambda pair: len(pair.pictures)).pictures]
    heights = [canvas.height_of(pair.pictures[0].image.shape[:2]) for pair in pairs]
    across = (1 + GAP) * (2 * most + 1) - GAP
    down = HEAD + sum(heights) + (CAPTION + FOOT) * len(pairs)
    summed = canvas.summed(pairs[0].pictures[0].heatmap[None])
    scaled = "1 is the largest absolute value in a row; a difference above 0 is more support after than before."
    figure, axes = canvas.sheet(across, down, title, subtitle, canvas.INDIVIDUAL, summed, scaled)
    for column, heading in enumerate([*kinds, *(f"heatmap {kind}" for kind in kinds), "after − before"]):
        canvas.write(axes, (1 + GAP) * column, 0, heading, va="top", color=canvas.QUIET)
    top = HEAD
    for pair, height in zip(pairs, heights, strict=True):
        files = " → ".join(shorten(name, 40) for name in dict.fromkeys((pair.before, pair.after)))
        canvas.write(axes, 0, top + CAPTION - 0.05, f"{files}, class {shorten(pair.name, 30)}")
        _draw(axes, pair, top + CAPTION, height, most)
        top += CAPTION + height + FOOT
    return figure


def _draw(axes: canvas.Axes, pair: ShownPair, top: float, height: float, most: int) -> None:
    """Draw the pictures of a pair, their heatmaps and the difference."""
    maps = [one.heatmap for one in pair.pictures]
    together = np.stack([*maps, maps[1] - maps[0]])
    size = pair.pictures[0].image.shape[:2]
    coloured = colorize(canvas.shown(together, (size[0], size[1]), canvas.Look(joint=True)))
    for column, (one, heatmap) in enumerate(zip(pair.pictures, coloured, strict=False)):
        left = (1 + GAP) * column
        canvas.place(axes, one.image, left, top)
        said = f"→ {shorten(one.predicted, 18)}\np = {one.probability:.3f}"
        canvas.write(axes, left, top + height + 0.03, said, va="top", color=canvas.QUIET, fontsize=7)
        canvas.place(axes, heatmap, left + (1 + GAP) * most, top)
    canvas.place(axes, coloured[-1], (1 + GAP) * 2 * most, top)
