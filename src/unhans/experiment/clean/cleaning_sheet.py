"""The contact sheet of a cleaned data set: images before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unhans.experiment.clean.copies import Cleaned

if TYPE_CHECKING:
    from matplotlib.figure import Figure


TILE = 1.5  # inches
GAP = 0.06  # of a tile, between tiles
HEAD, FOOT = 0.75, 0.3  # inches
SIDE = 0.7  # inches for the words beside the rows
NAME = 22  # characters under a tile


def examples_of(cleaned: Sequence[Cleaned], most: int) -> list[Cleaned]:
    """Return at most so many of the images that were painted over, spread evenly over all of them."""
    changed = [one for one in cleaned if one.outcome == "inpainted"]
    rows = np.unique(np.linspace(0, len(changed) - 1, min(most, len(changed))).round().astype(int))
    return [changed[row] for row in rows]


def cleaning_sheet(examples: Sequence[Cleaned], title: str, subtitle: str) -> Figure:
    """Draw each example's original above its copy."""
    from unhans.report.figures import INK, QUIET, blank, page, place, wrapped, write
    from unhans.report.text import shorten

    across = max(len(examples), 4)
    width, height = TILE * across + SIDE + 0.2, HEAD + 2 * TILE + FOOT
    figure = page(width, height)
    write_options = {"fontsize": 13, "weight": "bold", "color": INK, "va": "top", "parse_math": False}
    figure.text(0.1 / width, 1 - 0.1 / height, title, **write_options)
    words = wrapped(subtitle, width * 15)
    figure.text(0.1 / width, 1 - 0.38 / height, words, fontsize=8, color=QUIET, va="top", parse_math=False)
    axes = figure.add_axes((SIDE / width, FOOT / height, TILE * across / width, 2 * TILE / height))
    step = 1 + GAP
    blank(axes, across * step, 2 * step)
    for row, word in enumerate(("before", "after")):
        write(axes, -GAP, row * step + 0.5, word, ha="right", va="center")
    for column, one in enumerate(examples):
        place(axes, np.asarray(one.copy.picture()), column * step, 0)
        with Image.open(one.copy.file) as picture:
            place(axes, np.asarray(picture.convert("RGB")), column * step, step)
        name = shorten(one.copy.file.stem, NAME)
        write(axes, column * step + 0.5, 1 + step + GAP, name, ha="center", va="top", fontsize=6)
    return figure
