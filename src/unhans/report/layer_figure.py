"""The isolated artifact on one page: its layer, its alpha, and where it was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from unhans.attribution import RGB
from unhans.report.canvas import QUIET, place, shorten, write
from unhans.report.layer_picture import alpha_of, box_of, checkered, cropped, outlined, spread
from unhans.report.sheet import TEXT_INCH, TILE, Look, coloured, sheet, summed
from unhans.report.transform_picture import transform_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.artifacts.case import Case
    from unhans.artifacts.isolated import Isolated

GAP = 0.08  # tiles between pictures
CAPTION = 0.2  # tiles above a picture
LARGE = 2.1  # tiles: the side of a picture of the layer
PROTOTYPES = 8  # at most
MEMBERS = 6  # image and heatmap of so many samples
ACROSS = 3  # of them beside each other
WIDTH = 3 * (LARGE + GAP) - GAP


def layer_figure(
    case: Case, images: Any = None, heatmaps: NDArray[np.floating] | None = None, *, cmap: str = "hot-cold"
) -> Figure | None:
    """Draw the layer on a checkerboard and its alpha, and under them samples with the found mask and their heatmaps.

    A fixed artifact is shown in the whole frame and enlarged, a free one as up to eight prototypes, the most frequent
    first, one of whole images by a sample before and after, and by its curves, its field or its spectrum. images
    (n, 3, H, W) in [0, 1] and heatmaps (n, H, W) are those that it was isolated from; without them no sample is shown.
    Returns None where there is nothing to draw.
    """
    pictures = [] if case.isolated is None else layer_pictures(case.isolated, images)
    if not pictures:
        return None
    side = LARGE if len(pictures) <= 3 else (WIDTH + GAP) / 4 - GAP
    rows = _lines(pictures, side)
    found = [] if images is None else _found(case.isolated)
    down = len(rows) * (side + CAPTION)
    if found:
        down += 1.75 * CAPTION + -(-len(found) // ACROSS) * (GAP + _height(images)) - GAP
    quality = getattr(case.quality, "sentence", "")
    note = summed(heatmaps[:1]) if found and heatmaps is not None else ""
    title = f"The artifact of class '{shorten(case.name, int(WIDTH * TILE * TEXT_INCH / 2.6))}'"
    look = Look(cmap=cmap)
    figure, axes = sheet(WIDTH, down, title, f"{case.isolated.sentence} {quality}".strip(), look, note)
    for number, row in enumerate(rows):
        _layers(axes, row, side, number * (side + CAPTION))
    if found:
        _samples(axes, found, (images, heatmaps), case.isolated, look, len(rows) * (side + CAPTION))
    return figure


def layer_pictures(isolated: Isolated, images: Any = None) -> list[tuple[str, RGB]]:
    """Return what is shown of an artifact, each picture under a caption; images: those that it was isolated from."""
    if not isolated.layers:
        return transform_pictures(isolated, images)
    if isolated.kind == "fixed":
        layer = isolated.layers[0]
        top, left, bottom, right = box_of(layer)
        size = f"{right - left} × {bottom - top} pixels at x {left}, y {top}"
        return [("layer in the whole image", checkered(layer)), (f"enlarged: {size}", checkered(cropped(layer))),
                ("opacity: white covers", alpha_of(layer))]  # fmt: skip
    if len(isolated.layers) == 1:
        layer = isolated.layers[0]
        return [(f"layer, {_size(layer)}", checkered(layer)), ("opacity: white covers", alpha_of(layer))]
    shown = isolated.layers[:PROTOTYPES]
    return [(f"prototype {number}, {_size(layer)}", checkered(layer)) for number, layer in enumerate(shown, 1)]


def samples_said(isolated: Isolated) -> str:
    """Say what the samples under an artifact are."""
    where = "" if isolated.transform is not None else ", outlined where it was found"
    return f"Samples of the class that carry it{where}"


def sample_pictures(
    isolated: Isolated, images: Any, heatmaps: NDArray[np.floating] | None, look: Look, count: int = MEMBERS
) -> list[tuple[RGB, RGB | None]]:
    """Return images (n, 3, H, W) that carry the artifact with its outline, each beside its heatmap if there is one."""
    chosen = _found(isolated, count)
    maps = [None] * len(chosen) if heatmaps is None else coloured(np.asarray(heatmaps[chosen]), look)
    return [(outlined(images[i], isolated.masks[i]), one) for i, one in zip(chosen, maps, strict=True)]


def _found(isolated: Isolated, count: int = MEMBERS) -> list[int]:
    return spread(np.flatnonzero(isolated.members), count) if isolated.members.any() else []


def _layers(axes: Axes, pictures: Sequence[tuple[str, RGB]], side: float, top: float) -> None:
    for number, (caption, pixels) in enumerate(pictures):
        left = number * (side + GAP)
        write(axes, left, top + CAPTION - 0.06, caption, color=QUIET)
        _large(axes, pixels, left, top + CAPTION, side)


def _samples(
    axes: Axes, found: Sequence[int], data: tuple[Any, Any], isolated: Isolated, look: Look, top: float
) -> None:
    images, heatmaps = data
    text = f"{samples_said(isolated)}; beside each its heatmap"
    write(axes, 0, top + 0.24, text, fontsize=9, weight="bold")
    height, pair = _height(images), (WIDTH + GAP) / ACROSS
    for slot, (image, heatmap) in enumerate(sample_pictures(isolated, images, heatmaps, look)):
        left, above = pair * (slot % ACROSS), top + 1.75 * CAPTION + (GAP + height) * (slot // ACROSS)
        for number, pixels in enumerate(each for each in (image, heatmap) if each is not None):
            place(axes, pixels, left + number * (1 + GAP / 3), above - (1 - height) / 2)


def _large(axes: Axes, pixels: RGB, left: float, top: float, side: float) -> None:
    """Draw a picture into a square with this side, its own proportions kept, with a thin frame."""
    height, width = (side * length / max(pixels.shape[:2]) for length in pixels.shape[:2])
    limits = axes.axis()  # imshow changes them
    axes.imshow(pixels, extent=(left, left + width, top + height, top), interpolation="nearest")
    axes.axis(limits)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=QUIET, linewidth=0.5))


def _lines(pictures: list[tuple[str, RGB]], side: float) -> list[list[tuple[str, RGB]]]:
    across = int((WIDTH + GAP) / (side + GAP) + 1e-6)
    return [pictures[start : start + across] for start in range(0, len(pictures), across)]


def _size(layer: Any) -> str:
    return f"{layer.shape[2]} × {layer.shape[1]} pixels"


def _height(images: Any) -> float:
    height, width = images.shape[-2:]
    return height / max(height, width)
