"""How the explanation of a fixed sample changes from epoch to epoch ([000] figs 9 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import colorize, picture, scale
from unhans.report.canvas import ALARM, INK, QUIET, TEXT, blank, legible, page, place, shorten, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WRAP = 10  # heatmaps in a row
TILE = 1.1  # inches
GAP = 0.08  # tiles
ROW = 1.5  # tiles: a heatmap and two lines above it
TITLE = 0.25  # tiles above the rows of a strip
HEAD = 0.45  # inches above the first strip of a sheet
FOOT = 0.3  # inches below the last
NOTE = "above: predicted class · rank of the true label (1 = first); warm supports, cold contradicts"


@dataclass(frozen=True)
class Strip:
    """One fixed sample and its explanation after every audited epoch.

    image: (3, H, W) or (H, W, 3) in [0, 1]; epochs, predictions, ranks (of the true label, 0 = first): one per epoch;
    heatmaps: (E, H, W). Raises ValueError when their lengths differ.
    """

    image: Any
    epochs: Sequence[int]
    heatmaps: NDArray[np.floating]
    predictions: Sequence[str]
    ranks: Sequence[int]
    title: str

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.epochs, self.heatmaps, self.predictions, self.ranks)]
        if len(set(lengths)) != 1 or not lengths[0]:
            raise ValueError(
                "A strip needs one heatmap, prediction and rank per epoch, and at least one epoch; got {} epochs, "
                "{} heatmaps, {} predictions, {} ranks.".format(*lengths)
            )


def evolution_figure(
    image: Any,
    epochs: Sequence[int],
    heatmaps: NDArray[np.floating],
    predictions: Sequence[str],
    ranks: Sequence[int],
    title: str,
    cmap: str = "hot-cold",
) -> Figure:
    """Draw a sample and all its heatmaps, jointly scaled, with epoch, predicted class and rank above each.

    Arguments as in `Strip`; `cmap` as in `colorize`. After ten heatmaps the strip goes on in the next row.
    """
    strip = Strip(image, epochs, heatmaps, predictions, ranks, title)
    return _sheet([strip], range(len(epochs)), "", cmap)


def evolution_sheet(strips: Sequence[Strip], title: str = "", cmap: str = "hot-cold") -> Figure:
    """Draw the strips of many samples under each other, each scaled for itself.

    Of more than ten epochs, ten are shown, evenly spaced from the first to the last.

    Raises:
        ValueError: there is no strip, or they are not of the same epochs.
    """
    if not strips or any(list(strip.epochs) != list(strips[0].epochs) for strip in strips):
        raise ValueError("A sheet needs at least one strip, and all strips of the same epochs.")
    count = len(strips[0].epochs)
    columns = np.linspace(0, count - 1, min(count, WRAP)).round().astype(int)
    return _sheet(strips, columns, title, cmap)


def _sheet(strips: Sequence[Strip], columns: Sequence[int], title: str, cmap: str) -> Figure:
    across = 1 + min(max(len(columns), 3), WRAP)
    down = len(strips) * _height(len(columns))
    width, head = across * (1 + GAP), HEAD if title else 0
    figure = page(TILE * width + 0.2, TILE * down + head + FOOT)
    inch = 1 / figure.get_figheight()
    figure.text(0.012, 1 - 0.12 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.012, 0.1 * inch, NOTE, va="bottom", **(TEXT | {"fontsize": 7, "color": QUIET}))
    axes = blank(figure.add_axes((0.012, FOOT * inch, 1 - 0.02, TILE * down * inch)), width, down)
    for row, strip in enumerate(strips):
        _strip(axes, strip, columns, row * _height(len(columns)), cmap)
    return figure


def _height(columns: int) -> float:
    return TITLE + ROW * -(-columns // WRAP)


def _strip(axes: Axes, strip: Strip, columns: Sequence[int], top: float, cmap: str) -> None:
    write(axes, 0, top + 0.2, strip.title, fontsize=9, weight="bold")
    top += TITLE
    place(axes, picture(strip.image), 0, top + 0.42)
    maps = colorize(scale(legible(np.asarray(strip.heatmaps)), joint=True), cmap)
    for slot, i in enumerate(columns):
        left, above = (1 + GAP) * (1 + slot % WRAP), top + ROW * (slot // WRAP)
        right = strip.ranks[i] == 0
        write(axes, left, above + 0.19, f"epoch {strip.epochs[i]}", fontsize=7, color=QUIET)
        caption = f"{shorten(strip.predictions[i], 16)} · {strip.ranks[i] + 1}"
        write(axes, left, above + 0.36, caption, fontsize=7, color=INK if right else ALARM)
        place(axes, maps[i], left, above + 0.42)
