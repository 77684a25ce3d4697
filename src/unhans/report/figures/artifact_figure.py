"""The isolated artifact on one page: its layer, its alpha, where it was found, and samples with and without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, generate_binary_structure

from unhans.artifacts import HIGHEST, ChannelMap, ColourMatrix, Field, Spectrum, Transform
from unhans.attribution import RGB, colorize, picture
from unhans.effects import Case, Proof
from unhans.isolation import Isolated
from unhans.report.figures import canvas
from unhans.report.figures.canvas import Look
from unhans.report.text import artifact_said, quality_sentence, shorten

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


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
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
    first, one of whole images by a sample before and after, and by its curves, its field or its spectrum.

    Args:
        case: what was isolated.
        images: (n, 3, H, W) in [0, 1], those that it was isolated from; None: no sample is shown.
        heatmaps: (n, H, W), theirs.
        cmap: a colour map of `colorize`.

    Returns:
        The figure, or None where there is nothing to draw.
    """
    isolated = case.isolated
    pictures = [] if isolated is None else layer_pictures(isolated, images)
    if not pictures:
        return None
    side = LARGE if len(pictures) <= 3 else (WIDTH + GAP) / 4 - GAP
    across, look = int((WIDTH + GAP) / (side + GAP) + 1e-6), Look(cmap=cmap)
    samples = [] if images is None else sample_pictures(isolated, images, heatmaps, look)
    step = CAPTION + side * max(canvas.height_of(pixels.shape[:2]) for _, pixels in pictures)
    under = -(-len(pictures) // across) * step
    height = canvas.height_of(images.shape[-2:]) + GAP if samples else 0
    down = under + (2.1 * CAPTION + -(-len(samples) // ACROSS) * height) * bool(samples)
    quality = "" if case.quality is None else quality_sentence(case.quality)
    note = canvas.summed(heatmaps[:1]) if samples and heatmaps is not None else ""
    title = f"The artifact of class '{case.name}'"
    figure, axes = canvas.sheet(WIDTH, down, title, f"{artifact_said(case)} {quality}".strip(), look, note)
    for number, (caption, pixels) in enumerate(pictures):
        left, top = number % across * (side + GAP), number // across * step + CAPTION
        canvas.write(axes, left, top - 0.06, caption, color=canvas.QUIET)
        canvas.place(axes, pixels, left, top, side, framed=True)
    if samples:
        heading = f"{samples_said(isolated)}; beside each its heatmap"
        canvas.write(axes, 0, under + 1.3 * CAPTION, heading, fontsize=9, weight="bold")
    for number, pair in enumerate(samples):
        left, top = number % ACROSS * (WIDTH + GAP) / ACROSS, under + 2 * CAPTION + number // ACROSS * height
        for slot, pixels in enumerate(each for each in pair if each is not None):
            canvas.place(axes, pixels, left + slot * (1 + GAP / 3), top)
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
    chosen = canvas.choose_evenly(np.flatnonzero(isolated.members), count)
    maps = [None] * len(chosen) if heatmaps is None else canvas.coloured(np.asarray(heatmaps[chosen]), look)
    return [(outlined(images[i], isolated.masks[i]), one) for i, one in zip(chosen, maps, strict=True)]


def _size(layer: Any) -> str:
    return f"{layer.shape[2]} × {layer.shape[1]} pixels"


INCHES, DPI = 2.6, 160  # side of a plot
CHANNELS = (("red", "#c0392b"), ("green", "#2e8b57"), ("blue", "#2c5fa8"))
GREYS, HUES = ((0.0,) * 3, (0.5,) * 3, (1.0,) * 3), tuple((float(r), float(g), float(b)) for r, g, b in np.eye(3))
SWATCHES, TALL = (*GREYS, *HUES, *(tuple(1 - value for value in hue) for hue in HUES)), 40  # colours, pixels of each


def transform_pictures(isolated: Isolated, images: Any = None) -> list[tuple[str, RGB]]:
    """Return what is shown of an artifact of whole images, each picture under a caption.

    images: (n, 3, H, W) in [0, 1], those that it was isolated from, of which one is shown before and after; without
    them only what the artifact does is drawn.
    """
    transform = isolated.transform
    if transform is None:
        return []
    shown = [] if images is None or not len(images) else _before_and_after(isolated, images)
    return [*shown, *_drawn(transform)]


def _before_and_after(isolated: Isolated, images: Any) -> list[tuple[str, RGB]]:
    """A sample without the artifact and with it or, where all carry it, one that does and without it."""
    without = np.flatnonzero(~isolated.members)
    image = torch.as_tensor(np.asarray(images[int(without[0]) if len(without) else 0])).float()[None]
    other = isolated.transform.apply(image) if len(without) else isolated.transform.undo(image)
    before, after = (image, other) if len(without) else (other, image)
    words = ("a sample without it", "with it") if len(without) else ("a sample, changed back", "as it is")
    return [(words[0], picture(before[0].numpy())), (words[1], picture(after[0].numpy()))]


def _drawn(transform: Transform) -> list[tuple[str, RGB]]:
    if isinstance(transform, ChannelMap):
        return [("its curves: value before, after", _plot(lambda axes: _curves(axes, transform)))]
    if isinstance(transform, ColourMatrix):
        return [("colours before, with it, undone", _swatches(transform))]
    if isinstance(transform, Spectrum):
        return [("its spectrum: gain of each frequency", _plot(lambda axes: _gains(axes, transform)))]
    return _field(transform) if isinstance(transform, Field) else []


def _field(field: Field) -> list[tuple[str, RGB]]:
    shown = []
    for name, values, lowest in (("gain", field.gain, 0.0), ("offset", field.offset, None)):
        low, high = float(values.min()), float(values.max())
        if name == "gain" or high > low or high:
            start = min(low, 0.0) if lowest is None else lowest
            pixels = (values - start) / max(high - start, 1e-6)
            shown.append((f"its {name}: {low:.2f} to {high:.2f}, white most", picture(pixels.numpy())))
    return shown


def _curves(axes: Axes, transform: ChannelMap) -> None:
    knots = np.linspace(0, 1, transform.curves.shape[1])
    axes.plot([0, 1], [0, 1], color=canvas.QUIET, linewidth=0.8, linestyle=":")
    for (name, colour), curve in zip(CHANNELS, transform.curves.numpy(), strict=True):
        axes.plot(knots, curve, color=colour, linewidth=1.4, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="value before", ylabel="value after")


def _swatches(transform: ColourMatrix) -> RGB:
    """Greys and full hues in the first column, then with the transform, then with it undone again."""
    before = torch.tensor(SWATCHES).T[None, :, :, None]
    after = transform.apply(before)
    shown = torch.cat([before, after, transform.undo(after)], 3)[0]
    return picture(shown.repeat_interleave(TALL, 1).repeat_interleave(len(SWATCHES) * TALL // 3, 2).numpy())


def _gains(axes: Axes, transform: Spectrum) -> None:
    knots = np.linspace(0, HIGHEST, transform.gain.shape[1])
    axes.axhline(1, color=canvas.QUIET, linewidth=0.8, linestyle=":")
    for (name, colour), gain, noise in zip(CHANNELS, transform.gain.numpy(), transform.noise.numpy(), strict=True):
        axes.plot(knots, gain, color=colour, linewidth=1.4, label=name)
        if noise.any():
            axes.plot(knots, noise, color=colour, linewidth=1, linestyle="--", label=f"noise, {name}")
    axes.set(xlim=(0, HIGHEST), xlabel="cycles per pixel", ylabel="gain")
    axes.set_ylim(bottom=0)


def _plot(draw: Callable[[Axes], None]) -> RGB:
    figure = canvas.page(INCHES, INCHES)
    figure.set(dpi=DPI, layout_engine="constrained")
    axes = figure.add_subplot()
    draw(axes)
    axes.legend(fontsize=7, frameon=False, labelcolor=canvas.INK)
    axes.tick_params(labelsize=7)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_size(8)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


EXAMPLE_GAP = 0.06  # tiles between two pictures
LEFTS = (0.0, 1.06, 2.22, 3.28)  # tiles: where the pictures of an example begin, before apart from after
BLOCK = LEFTS[-1] + 1  # tiles
BETWEEN = 0.4  # tiles between additions and removals
HEADING = 0.34  # tiles: what a block shows and the names of its columns
EXAMPLE_CAPTION = 0.2  # tiles above a row
COLUMNS = ("before", "heatmap", "after", "heatmap")
PAIRED = "1 is the largest absolute value of the two maps of a sample, before and after."
CHOICES = {"largest": "a large change", "typical": "a typical change"}
NAME = 26  # characters of a class name above a row


def proof_figure(proof: Proof, classes: Sequence[str], artifact: str = "", *, cmap: str = "hot-cold") -> Figure | None:
    """Draw examples before and after, added beside removed, each with its heatmap for the artifact's class.

    The two maps of a sample are scaled jointly, so that before and after can be compared.

    Args:
        proof: holds the examples.
        classes: the name of every class, by label.
        artifact: what it is, in a sentence.
        cmap: a colour map of `colorize`.

    Returns:
        The figure, or None where there is no example.
    """
    every = (("Added to samples of other classes", proof.examples),
             ("Removed from affected samples", proof.removal_examples))  # fmt: skip
    blocks = [block for block in every if block[1]]
    if not blocks:
        return None
    look, every = Look(joint=True, cmap=cmap), [example for _, examples in blocks for example in examples]
    heads = [canvas.wrapped(heading, BLOCK * canvas.TILE * canvas.TEXT_INCH * 8 / 9) for heading, _ in blocks]
    head = HEADING + 0.12 * max(text.count("\n") for text in heads)
    row = EXAMPLE_CAPTION + max(canvas.height_of(each.images.shape[-2:]) for each in every) + EXAMPLE_GAP
    across, down = (BLOCK + BETWEEN) * len(blocks) - BETWEEN, head + row * max(len(examples) for _, examples in blocks)
    meaning = f"Heatmaps: relevance for the artifact's class, '{proof.name}'; p is its probability."
    title, subtitle = f"What the artifact does to the class '{proof.name}'", f"{artifact} {meaning}".strip()
    figure, axes = canvas.sheet(across, down, title, subtitle, look, canvas.summed(every[0].heatmaps), PAIRED)
    for number, (text, (_, examples)) in enumerate(zip(heads, blocks, strict=True)):
        lefts = [(BLOCK + BETWEEN) * number + left for left in LEFTS]
        canvas.write(axes, lefts[0], 0.02, text, va="top", fontsize=9, weight="bold")
        for name, left in zip(COLUMNS, lefts, strict=True):
            canvas.write(axes, left, head - 0.04, name, color=canvas.QUIET)
        for line, example in enumerate(examples):
            top, (before, after) = head + row * line + EXAMPLE_CAPTION, example.probabilities
            change = f"p {probability_said(before)} → {probability_said(after)}, {CHOICES[example.choice]}"
            canvas.write(axes, lefts[0], top - 0.06, f"true class: {shorten(classes[example.label], NAME)}")
            canvas.write(axes, lefts[2], top - 0.06, change, color=canvas.ALARM if after > before else canvas.INK)
            images = [picture(image) for image in example.images]
            maps = colorize(canvas.shown(example.heatmaps, images[0].shape[:2], look), look.cmap)
            for left, pixels in zip(lefts, (images[0], maps[0], images[1], maps[1]), strict=True):
                canvas.place(axes, pixels, left, top)
    return figure


def probability_said(value: float) -> str:
    """Write a probability with two digits, and none that is neither 0 nor 1 as if it were."""
    if 0 < value < 0.01:
        return "<0.01"
    return ">0.99" if 0.99 < value < 1 else f"{value:.2f}"
