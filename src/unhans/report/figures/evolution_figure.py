"""How the explanations of fixed samples change from epoch to epoch, of one network or two ([000] figs 9 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unhans.attribution import RGB, colorize, picture, with_difference
from unhans.effects import portion
from unhans.report.figures import canvas
from unhans.report.figures.artifact_figure import outlined
from unhans.report.figures.canvas import Look
from unhans.report.text import shorten

MOST_EPOCHS = 10  # heatmaps in a row
GAP = 0.08  # tiles between pictures
LINES = 0.5  # tiles above a row of a sheet: the sample's title, two lines above each heatmap
CHANGE = "last − first"  # the signed difference of two maps, on the scale of the others
NOTE = "Above: predicted class · rank of the true label (1 = first)."
ALL_OF_SAMPLE = "1 is the largest absolute value of all maps of a sample."


@dataclass(frozen=True)
class Strip:
    """One fixed sample and its explanation after each of E audited epochs.

    Attributes:
        image: (3, H, W) or (H, W, 3) in [0, 1].
        epochs: E, ascending.
        heatmaps: (E, H, W).
        predictions: E names of classes.
        ranks: E ranks of the true label, 0 is the first.
        title: which sample.

    Raises:
        ValueError: their lengths differ.
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


def evolution_sheet(strips: Sequence[Strip], title: str = "", cmap: str = "hot-cold") -> Figure:
    """Draw samples under each other, each with its heatmaps by epoch and what changed from the first to the last.

    All maps of a sample, the signed difference among them, are scaled jointly. Of more than ten epochs, ten are shown,
    evenly spaced from the first to the last.

    Raises:
        ValueError: there is no strip, or they are not of the same epochs.
    """
    if not strips or any(list(strip.epochs) != list(strips[0].epochs) for strip in strips):
        raise ValueError("A sheet needs at least one strip, and all strips of the same epochs.")
    columns, look = canvas.choose_evenly(range(len(strips[0].epochs)), MOST_EPOCHS), Look(joint=True, cmap=cmap)
    images = [picture(strip.image) for strip in strips]
    sizes = [image.shape[:2] for image in images] + [strip.heatmaps.shape[1:] for strip in strips]
    row = LINES + max(map(canvas.height_of, sizes)) + 2 * GAP
    changes = len(columns) > 1
    across, down = (1 + GAP) * (1 + len(columns) + changes) - GAP, row * len(strips) - 2 * GAP
    note = f"{NOTE} {canvas.summed(strips[0].heatmaps)}"
    figure, axes = canvas.sheet(across, down, title, "", look, note, ALL_OF_SAMPLE)
    for number, (strip, image) in enumerate(zip(strips, images, strict=True)):
        top = row * number + LINES
        canvas.write(axes, 0, top - 0.36, strip.title, fontsize=9, weight="bold")
        canvas.place(axes, image, 0, top)
        maps = canvas.coloured(_with_change(np.asarray(strip.heatmaps)), look)
        if changes:
            left = (1 + GAP) * (1 + len(columns))
            canvas.write(axes, left, top - 0.17, CHANGE, fontsize=7, color=canvas.QUIET)
            canvas.place(axes, maps[-1], left, top)
        for slot, i in enumerate(columns, 1):
            left, caption = (1 + GAP) * slot, f"{shorten(strip.predictions[i], 20)} · {strip.ranks[i] + 1}"
            canvas.write(axes, left, top - 0.17, f"epoch {strip.epochs[i]}", fontsize=7, color=canvas.QUIET)
            colour = canvas.ALARM if strip.ranks[i] else canvas.INK
            canvas.write(axes, left, top - 0.04, caption, fontsize=7, color=colour)
            canvas.place(axes, maps[i], left, top)
    return figure


def _with_change(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Heatmaps (E, H, W) and, of several, the last minus the first."""
    return np.concatenate([maps, with_difference(maps[-1], maps[0])[2:]]) if len(maps) > 1 else maps


CHOSEN = (0, 1, 2, 5, 10, 20, 50, 100)  # epochs that are shown, with the last
LETTER = 0.16  # tiles: room for A and B before the heatmaps
CAPTION = 0.34  # tiles above the upper row
SHARE = 0.17  # tiles under a heatmap
BETWEEN = 0.16  # tiles between samples
JOINTLY = "1 is the largest absolute value of all maps of a sample, both networks and all epochs."
INSIDE = "Under each map: share of its positive relevance inside the artifact's mask, which is outlined."


@dataclass(frozen=True)
class Pair:
    """One sample that carries an artifact, explained under two networks after the same E epochs.

    Attributes:
        image: (3, H, W) in [0, 1].
        mask: (H, W), where the artifact is.
        epochs: E, ascending.
        first: (E, H, W), heatmaps of the artifact's class.
        second: the same of the other network.
        title: which sample.

    Raises:
        ValueError: the sizes differ.
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

    The maps of a sample are scaled jointly.

    Args:
        pairs: the samples, all after the same epochs.
        names: of the two networks.
        subtitle: what is to be said about it.
        cmap: a colour map of `colorize`.

    Raises:
        ValueError: there is no sample, or the epochs differ.
    """
    if not pairs or any(list(pair.epochs) != list(pairs[0].epochs) for pair in pairs):
        raise ValueError("A figure of pairs needs at least one sample, and all samples at the same epochs.")
    columns, look = chosen_epochs(pairs[0].epochs), Look(joint=True, cmap=cmap)
    start, step = 1 + GAP + LETTER, 1 + GAP
    tall = max(canvas.height_of(pair.mask.shape) for pair in pairs)
    block = CAPTION + 2 * (tall + SHARE) + BETWEEN
    count = len(pair_headings(pairs[0], columns))
    across, said = start + step * count - GAP, f"{names[0]} above, {names[1]} below. {subtitle}"
    note = f"{INSIDE} {canvas.summed(pairs[0].first)}"
    figure, axes = canvas.sheet(across, block * len(pairs) - BETWEEN, title, said, look, note, JOINTLY)
    for number, pair in enumerate(pairs):
        top = block * number + CAPTION
        image, rows = pair_tiles(pair, columns, look)
        heading = shorten(pair.title, int(canvas.TILE * canvas.TEXT_INCH * across * 0.8))
        canvas.write(axes, 0, top - 0.22, heading, fontsize=9, weight="bold")
        canvas.place(axes, image, 0, top)
        for slot, heading in enumerate(pair_headings(pair, columns)):
            canvas.write(axes, start + step * slot, top - 0.04, heading, color=canvas.QUIET)
        for row, (letter, tiles, shares) in enumerate(zip("AB", rows, pair_shares(pair, columns), strict=True)):
            above = top + row * (tall + SHARE)
            style = {"ha": "right", "va": "center", "weight": "bold", "fontsize": 10}
            canvas.write(axes, start - 0.06, above + tall / 2, letter, **style)
            for slot, tile in enumerate(tiles):
                canvas.place(axes, tile, start + step * slot, above)
            for slot, share in enumerate(shares):
                inside = f"{100 * share:.0f} % inside"
                canvas.write(axes, start + step * slot, above + tall + 0.02, inside, va="top", fontsize=7)
    return figure


def chosen_epochs(epochs: Sequence[int]) -> list[int]:
    """Return the positions of the epochs that are shown: 0, 1, 2, 5, 10, … as far as there are, and the last."""
    return [i for i, epoch in enumerate(epochs) if epoch in CHOSEN or i in (0, len(epochs) - 1)]


def pair_headings(pair: Pair, columns: Sequence[int]) -> list[str]:
    """Return what stands above each tile of a row: the epoch, and of several at last the change."""
    epochs = [f"epoch {pair.epochs[i]}" if pair.epochs[i] else "before" for i in columns]
    return [*epochs, CHANGE] if len(columns) > 1 else epochs


def pair_tiles(pair: Pair, columns: Sequence[int], look: Look) -> tuple[RGB, list[list[RGB]]]:
    """Return the image and both rows of coloured heatmaps, with the mask's outline on all of them.

    Of several epochs the last tile of a row is the signed difference of the last and the first.
    """
    image = picture(pair.image)
    rows = [_with_change(np.asarray(rows)[list(columns)]) for rows in (pair.first, pair.second)]
    maps = np.concatenate(rows)
    pictures = [image, *(colorize(each, look.cmap) for each in canvas.shown(maps, image.shape[:2], look))]
    first, *tiles = (outlined((each / np.float32(255)).transpose(2, 0, 1), pair.mask) for each in pictures)
    return first, [tiles[: len(rows[0])], tiles[len(rows[0]) :]]


def pair_shares(pair: Pair, columns: Sequence[int]) -> list[list[float]]:
    """Return for both networks the share of positive relevance inside the mask after each epoch that is shown."""
    return [[portion(rows[i], pair.mask) for i in columns] for rows in (pair.first, pair.second)]
