"""The isolated artifact on one page: its layer, its alpha, where it was found, and samples with and without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from unhans.attribution import RGB, colorize, picture
from unhans.report.figures.canvas import (
    ALARM,
    INK,
    NARROWEST,
    QUIET,
    TEXT_INCH,
    TILE,
    Look,
    coloured,
    place,
    sheet,
    shown,
    summed,
    wrapped,
    write,
)
from unhans.report.figures.transform_figure import transform_pictures
from unhans.report.text import quality_sentence, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.effects import Case, Proof
    from unhans.effects.interventions import Example
    from unhans.isolation import Isolated


LIGHT, DARK = 245, 205  # greys of the checkerboard behind what is transparent
CELLS = 24  # squares along the longer side of a checkerboard
SHOWN = 0.05  # alpha from which a pixel belongs to the crop
AIR = 0.08  # of the crop's longer side, left round it
LEAST = 320  # pixels: a smaller picture is enlarged before its outline is drawn, which then is thin
LINE = 200  # pixels of the longer side per pixel of the outline's width
INNER, OUTER = (255, 0, 200), (255, 255, 255)  # a magenta line with a white rim can be seen on any photograph


def checkered(layer: Any) -> RGB:
    """Lay an RGBA layer (4, H, W) in [0, 1] over a grey checkerboard."""
    values = np.asarray(layer, dtype=np.float32)
    height, width = values.shape[1:]
    cell = max(1, round(max(height, width) / CELLS))
    rows, columns = np.indices((height, width)) // cell
    board = np.where((rows + columns) % 2, DARK, LIGHT) / np.float32(255)
    return picture(board + values[3] * (values[:3] - board))


def alpha_of(layer: Any) -> RGB:
    """Return how opaque a layer (4, H, W) is: white covers, black is transparent."""
    return picture(np.asarray(layer, dtype=np.float32)[3])


def box_of(layer: Any) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right of what a layer shows, the last two exclusive; the whole layer if nothing."""
    shown = np.asarray(layer)[3] > SHOWN
    if not shown.any():
        return 0, 0, *shown.shape
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def cropped(layer: Any) -> Any:
    """Return the part of a layer (4, H, W) that shows something, with a little air round it."""
    top, left, bottom, right = box_of(layer)
    air = max(1, round(AIR * max(bottom - top, right - left)))
    return layer[:, max(0, top - air) : bottom + air, max(0, left - air) : right + air]


def outlined(image: Any, mask: NDArray[np.bool_]) -> RGB:
    """Draw a line round a mask (H, W) on an image (3, H, W) in [0, 1]; a small image is enlarged first."""
    pixels = picture(image)
    times = max(1, -(-LEAST // max(mask.shape)))
    pixels, inside = (each.repeat(times, 0).repeat(times, 1) for each in (pixels, np.asarray(mask, dtype=bool)))
    width = max(1, round(max(inside.shape) / LINE))
    line = _grown(inside, width)
    pixels[_grown(line, width)] = OUTER
    pixels[line] = INNER
    pixels[inside] = picture(image).repeat(times, 0).repeat(times, 1)[inside]
    return pixels


def spread(numbers: Sequence[int] | NDArray[np.integer], count: int) -> list[int]:
    """Choose so many of the numbers, evenly from the first to the last."""
    at = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [int(numbers[i]) for i in at]


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation, generate_binary_structure

    return binary_dilation(mask, generate_binary_structure(2, 2), iterations=by)


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
    quality = "" if case.quality is None else quality_sentence(case.quality)
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


EXAMPLE_GAP = 0.06  # tiles between two pictures
APART = 0.16  # tiles between before and after
BLOCK = 4 + 2 * EXAMPLE_GAP + APART  # tiles: before, heatmap, after, heatmap
BETWEEN = 0.4  # tiles between additions and removals
HEADING = 0.34  # tiles: what a block shows and the names of its columns
EXAMPLE_CAPTION = 0.2  # tiles above a row
COLUMNS = ("before", "heatmap", "after", "heatmap")
PAIRED = "1 is the largest absolute value of the two maps of a sample, before and after."
CHOICES = {"largest": "a large change", "typical": "a typical change"}
NAME = 26  # characters of a class name above a row


def proof_figure(proof: Proof, classes: Sequence[str], *, cmap: str = "hot-cold") -> Figure | None:
    """Draw examples before and after, added beside removed, each with its heatmap for the artifact's class.

    The two maps of a sample are scaled jointly, so that before and after can be compared. classes: the name of every
    class, by label. Returns None where there is no example.
    """
    blocks = [block for block in example_blocks(proof) if block[1]]
    if not blocks:
        return None
    look = Look(joint=True, cmap=cmap)
    across = (BLOCK + BETWEEN) * len(blocks) - BETWEEN
    heads = [wrapped(heading, BLOCK * TILE * TEXT_INCH * 8 / 9) for heading, _ in blocks]
    head = HEADING + 0.12 * max(text.count("\n") for text in heads)
    row = (
        EXAMPLE_CAPTION + max(_example_height(example) for _, examples in blocks for example in examples) + EXAMPLE_GAP
    )
    down = head + row * max(len(examples) for _, examples in blocks)
    first = blocks[0][1][0]
    width = max(TILE * across, NARROWEST) * TEXT_INCH
    title = f"What the artifact does to the class '{shorten(proof.name, int(width / 2.6))}'"
    meaning = f"Heatmaps: relevance for the artifact's class, '{proof.name}'; p is its probability."
    subtitle = f"{proof.artifact.rstrip('.')}. {meaning}"
    figure, axes = sheet(across, down, title, subtitle, look, summed(first.heatmaps), PAIRED)
    for number, (text, (_, examples)) in enumerate(zip(heads, blocks, strict=True)):
        left = (BLOCK + BETWEEN) * number
        write(axes, left, 0.02, text, va="top", fontsize=9, weight="bold")
        for name, at in zip(COLUMNS, _lefts(left), strict=True):
            write(axes, at, head - 0.04, name, color=QUIET)
        for line, example in enumerate(examples):
            _row(axes, example, classes, proof, look, left, head + row * line)
    return figure


def example_blocks(proof: Proof) -> list[tuple[str, Sequence[Example]]]:
    """Return the examples of addition and of removal under a heading each."""
    return [
        ("Added to samples of other classes", proof.examples),
        ("Removed from affected samples", proof.removal_examples),
    ]


def example_caption(example: Example, classes: Sequence[str], length: int = NAME) -> tuple[str, str]:
    """Say an example's true class, how p of the artifact's class changes, and why the example was chosen."""
    before, after = (probability_said(float(p)) for p in example.probabilities)
    return shorten(classes[example.label], length), f"p {before} → {after}, {CHOICES[example.choice]}"


def probability_said(value: float) -> str:
    """Write a probability with two digits, and none that is neither 0 nor 1 as if it were."""
    if 0 < value < 0.01:
        return "<0.01"
    return ">0.99" if 0.99 < value < 1 else f"{value:.2f}"


def _row(
    axes: Axes, example: Example, classes: Sequence[str], proof: Proof, look: Look, left: float, top: float
) -> None:
    name, change = example_caption(example, classes)
    grown = float(example.probabilities[1]) > float(example.probabilities[0])
    write(axes, left, top + EXAMPLE_CAPTION - 0.06, f"true class: {name}", color=INK)
    after = _lefts(left)[2]
    write(axes, after, top + EXAMPLE_CAPTION - 0.06, change, color=ALARM if grown else INK)
    before, later = (picture(image) for image in example.images)
    maps = colorize(shown(example.heatmaps, before.shape[:2], look), look.cmap)
    above = top + EXAMPLE_CAPTION - (1 - _example_height(example)) / 2
    for at, tile in zip(_lefts(left), (before, maps[0], later, maps[1]), strict=True):
        place(axes, tile, at, above)


def _lefts(left: float) -> list[float]:
    return [left, left + 1 + EXAMPLE_GAP, left + 2 + EXAMPLE_GAP + APART, left + 3 + 2 * EXAMPLE_GAP + APART]


def _example_height(example: Example) -> float:
    height, width = example.images.shape[-2:]
    return float(height / max(height, width))
