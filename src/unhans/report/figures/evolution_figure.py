"""How the explanations of fixed samples change from epoch to epoch, of one network or two ([000] figs 9 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import RGB, colorize, picture, scale
from unhans.effects import portion
from unhans.report.figures.artifact_figure import outlined
from unhans.report.figures.canvas import (
    ALARM,
    INK,
    QUIET,
    TEXT,
    TEXT_INCH,
    TILE,
    Look,
    blank,
    legible,
    page,
    place,
    sheet,
    shown,
    summed,
    write,
)
from unhans.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


WRAP = 10  # heatmaps in a row
STRIP_TILE = 1.1  # inches
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
    figure = page(STRIP_TILE * width + 0.2, STRIP_TILE * down + head + FOOT)
    inch = 1 / figure.get_figheight()
    figure.text(0.012, 1 - 0.12 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.012, 0.1 * inch, NOTE, va="bottom", **(TEXT | {"fontsize": 7, "color": QUIET}))
    axes = blank(figure.add_axes((0.012, FOOT * inch, 1 - 0.02, STRIP_TILE * down * inch)), width, down)
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


CHOSEN = (0, 1, 2, 5, 10, 20, 50, 100)  # epochs that are shown, with the last
PAIR_GAP = 0.08  # tiles between pictures
LETTER = 0.16  # tiles: room for A and B before the heatmaps
CAPTION = 0.34  # tiles above the upper row
SHARE = 0.17  # tiles under a heatmap
BETWEEN = 0.16  # tiles between samples
JOINTLY = "1 is the largest absolute value of all maps of a sample, both networks and all epochs."
INSIDE = "Under each map: share of its positive relevance inside the artifact's mask, which is outlined."


@dataclass(frozen=True)
class Pair:
    """One sample that carries an artifact, explained under two networks after the same epochs.

    image: (3, H, W) in [0, 1]; mask: (H, W), where the artifact is; epochs: E, ascending; first, second: (E, H, W)
    heatmaps of the artifact's class; title: which sample. Raises ValueError where the sizes differ.
    """

    image: Any
    mask: NDArray[np.bool_]
    epochs: Sequence[int]
    first: NDArray[np.floating]
    second: NDArray[np.floating]
    title: str = ""

    def __post_init__(self) -> None:
        expected = (len(self.epochs), *np.shape(self.mask))
        got = [np.shape(maps) for maps in (self.first, self.second)]
        if not len(self.epochs) or any(shape != expected for shape in got):
            raise ValueError(
                f"A pair needs heatmaps {expected} of both networks, one per epoch and of the mask's size; got {got}."
            )


def evolution_pair_figure(
    pairs: Sequence[Pair],
    title: str,
    *,
    names: tuple[str, str] = ("A: unaltered data", "B: artifact on all images"),
    subtitle: str = "",
    cmap: str = "hot-cold",
) -> Figure:
    """Draw for every sample its image, then the heatmaps of both networks after a few epochs, one row each.

    The maps of a sample are scaled jointly. Raises ValueError where there is no sample or the epochs differ.
    """
    if not pairs or any(list(pair.epochs) != list(pairs[0].epochs) for pair in pairs):
        raise ValueError("A figure of pairs needs at least one sample, and all samples at the same epochs.")
    columns = chosen_epochs(pairs[0].epochs)
    look = Look(joint=True, cmap=cmap)
    across = 1 + PAIR_GAP + LETTER + (1 + PAIR_GAP) * len(columns) - PAIR_GAP
    tall = max(_pair_height(pair) for pair in pairs)
    block = CAPTION + 2 * (tall + SHARE) + BETWEEN
    note = f"{INSIDE} {summed(pairs[0].first)}"
    said = f"{names[0]} above, {names[1]} below. {subtitle}"
    figure, axes = sheet(across, block * len(pairs) - BETWEEN, title, said, look, note, JOINTLY)
    for number, pair in enumerate(pairs):
        _block(axes, pair, columns, block * number, tall, look)
    return figure


def chosen_epochs(epochs: Sequence[int]) -> list[int]:
    """Return the positions of the epochs that are shown: 0, 1, 2, 5, 10, … as far as there are, and the last."""
    return [i for i, epoch in enumerate(epochs) if epoch in CHOSEN or i in (0, len(epochs) - 1)]


def pair_tiles(pair: Pair, columns: Sequence[int], look: Look) -> tuple[RGB, list[list[RGB]]]:
    """Return the image and both rows of coloured heatmaps, with the mask's outline on all of them."""
    image = picture(pair.image)
    maps = np.concatenate([np.asarray(rows)[list(columns)] for rows in (pair.first, pair.second)])
    tiles = [outlined(_channels(colorize(each, look.cmap)), pair.mask) for each in shown(maps, image.shape[:2], look)]
    return outlined(_channels(image), pair.mask), [tiles[: len(columns)], tiles[len(columns) :]]


def pair_shares(pair: Pair, columns: Sequence[int]) -> list[list[float]]:
    """Return for both networks the share of positive relevance inside the mask after each epoch that is shown."""
    return [[portion(rows[i], pair.mask) for i in columns] for rows in (pair.first, pair.second)]


def _block(axes: Axes, pair: Pair, columns: Sequence[int], top: float, tall: float, look: Look) -> None:
    image, rows = pair_tiles(pair, columns, look)
    start, room = 1 + PAIR_GAP + LETTER, int(TILE * TEXT_INCH * axes.get_xlim()[1] * 8 / 9)
    write(axes, 0, top + 0.12, shorten(pair.title, room), fontsize=9, weight="bold")
    upper, lift = top + CAPTION, (1 - tall) / 2
    place(axes, image, 0, upper - lift)
    for slot, i in enumerate(columns):
        epoch = pair.epochs[i]
        write(axes, start + (1 + PAIR_GAP) * slot, upper - 0.04, f"epoch {epoch}" if epoch else "before", color=QUIET)
    for row, (letter, tiles, shares) in enumerate(zip("AB", rows, pair_shares(pair, columns), strict=True)):
        above = upper + row * (tall + SHARE)
        write(axes, start - 0.06, above + tall / 2, letter, ha="right", va="center", weight="bold", fontsize=10)
        for slot, (tile, share) in enumerate(zip(tiles, shares, strict=True)):
            left = start + (1 + PAIR_GAP) * slot
            place(axes, tile, left, above - lift)
            write(axes, left, above + tall + 0.02, f"{100 * share:.0f} % inside", va="top", fontsize=7, color=INK)


def _pair_height(pair: Pair) -> float:
    height, width = np.shape(pair.mask)
    return float(height / max(height, width))


def _channels(pixels: RGB) -> NDArray[np.float32]:
    return (pixels.astype(np.float32) / 255).transpose(2, 0, 1)
