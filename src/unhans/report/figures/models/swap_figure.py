"""Trained-on × tested-on as a matrix, and heatmaps of the same image under every preparation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle

from unhans.attribution import RGB, colorize, scale
from unhans.report.figures import ALARM, INK, QUIET, TEXT, blank, chart, headed, legible, place, tidy, write
from unhans.report.text import percent, range_written, shorten, signed
from unhans.report.text.models import SWAP_READING, swap_headline

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from unhans.comparison import SwapStudy

WIDE, HIGH = 1.5, 0.75  # inches of a cell
LENGTH = 26  # characters of a name
TILE, GAP = 1.5, 0.08  # inches, tiles


def swap_figure(study: SwapStudy, subtitle: str) -> Figure:
    """Draw accuracies with their intervals, the variant of the training framed, costs beyond chance red."""
    rows, variants = study.rows, list(study.images)
    width, height = WIDE * len(variants) + 3.2, HIGH * len(rows) + 0.9
    note = f"Rows: trained on; columns: tested on; framed: the training’s variant; red: beyond chance. {SWAP_READING}"
    figure, surface = chart(max(7.0, width), height, swap_headline(study), subtitle, note)
    axes = surface.subplots()
    values = np.array([[study.cell(row.name, name).accuracy.mean for name in variants] for row in rows])
    axes.imshow(values, cmap="Greys", vmin=0, vmax=4, aspect="auto")
    for y, row in enumerate(rows):
        for x, name in enumerate(variants):
            cell = study.cell(row.name, name)
            said = f"{percent(cell.accuracy.mean)}\n{range_written(cell.accuracy.interval)}"
            if cell.cost is not None:
                said += f"\n{signed(-100 * cell.cost.difference.mean, 1)} points"
            colour = ALARM if cell.cost is not None and cell.cost.proven else INK
            axes.text(x, y, said, **TEXT | {"ha": "center", "va": "center", "fontsize": 7.5, "color": colour})
            if row.trained == name:
                axes.add_patch(Rectangle((x - 0.47, y - 0.45), 0.94, 0.9, fill=False, edgecolor=INK, lw=1.2))
    axes.set_xticks(range(len(variants)), [shorten(name, LENGTH) for name in variants], fontsize=8, parse_math=False)
    names = [f"{shorten(row.name, LENGTH)}\n({shorten(row.trained or 'unknown', LENGTH)})" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8, parse_math=False)
    tidy(axes)
    axes.xaxis.tick_top()
    axes.tick_params(labelcolor=INK, length=0)
    return figure


class SwapExample(NamedTuple):
    """An image under every variant, and what every network makes of it.

    Attributes:
        images: by variant.
        heatmaps: by network and variant, not scaled (H, W).
        said: by network and variant, such as "cat 93 %".
    """

    images: Mapping[str, RGB]
    heatmaps: Mapping[str, Mapping[str, NDArray[np.floating]]]
    said: Mapping[str, Mapping[str, str]]


def swap_sheet(example: SwapExample, title: str, subtitle: str) -> Figure:
    """Draw the image under every variant and below it each network's heatmaps, each scaled by itself."""
    columns = list(example.images)
    across = 1.0 + (1 + GAP) * len(columns)
    down = 0.2 + 1 + (1 + 0.3) * len(example.heatmaps)
    width = max(6.0, TILE * across + 0.4)
    note = f"{subtitle} Each heatmap is scaled by itself; red supports the class of the label, blue contradicts it."
    figure, share = headed(width, TILE * down + 0.1, title, note)
    axes = blank(figure.add_axes((0.2 / width, 0, TILE * across / width, share)), across, down + 0.1 / TILE)
    lefts = [1.0 + (1 + GAP) * number for number in range(len(columns))]
    for left, name in zip(lefts, columns, strict=True):
        write(axes, left, 0, shorten(name, 22), va="top", color=QUIET)
        place(axes, example.images[name], left, 0.18)
    top = 1.18 + 0.12
    for network, maps in example.heatmaps.items():
        write(axes, 0, top + 0.5, shorten(network, 20), va="center")
        for left, name in zip(lefts, columns, strict=True):
            place(axes, colorize(scale(legible(maps[name][None]))[0]), left, top)
            write(axes, left, top + 1.02, example.said[network][name], va="top", fontsize=7)
        top += 1.3
    return figure
