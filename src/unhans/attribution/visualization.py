"""Batches of heatmaps as one picture, without text: images, heatmaps and overlays in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unhans.attribution.heatmaps import RGB, colorize, scale

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)
PALE = 255  # what lies between the tiles


def picture(image: Any) -> RGB:
    """Turn one image in [0, 1], (3 or 1, H, W), (H, W, 3 or 1) or (H, W), into RGB (H, W, 3) uint8.

    Raises:
        ValueError: the shape is another, or a value is NaN or lies outside of [0, 1].
    """
    array = _array(image).astype(np.float32)
    array = array[None] if array.ndim == 2 else array
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(f"An image must have the shape (3, H, W) or (H, W, 3); got {array.shape}.")
    if not (array.min() >= -1e-6 and array.max() <= 1 + 1e-6):
        raise ValueError(f"Images must lie in [0, 1]; got values from {array.min():g} to {array.max():g}.")
    return np.rint(255 * np.broadcast_to(array.clip(0, 1), (*array.shape[:2], 3))).astype(np.uint8)


def enlarge(maps: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Repeat the pixels of maps (..., h, w) until they have the size (H, W), a multiple of theirs.

    Raises:
        ValueError: the size is no multiple.
    """
    height, width = maps.shape[-2:]
    if size[0] % height or size[1] % width:
        raise ValueError(f"A heatmap of {height}×{width} pixels does not divide an image of {size[0]}×{size[1]}.")
    return maps.repeat(size[0] // height, axis=-2).repeat(size[1] // width, axis=-1)


def overlay(image: RGB, scaled: NDArray[np.floating], cmap: str = "hot-cold", alpha: float = 0.9) -> RGB:
    """Lay a heatmap (h, w) in [-1, 1] over an RGB image (H, W, 3), turned grey so that only relevance is coloured.

    A pixel is covered by alpha times twice its absolute relevance, at most by alpha, with a colour at least that of
    ±1/2: so the cover fades where the colour map itself fades to black or white, without darkening the image.

    Raises:
        ValueError: alpha lies outside of [0, 1], or as `enlarge` and `colorize` do.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha}.")
    values = enlarge(scaled, image.shape[:2])
    size = np.abs(values)
    cover = alpha * np.minimum(2 * size, 1)[..., None]
    colours = colorize(np.copysign(np.maximum(size, 0.5), values), cmap)
    return np.rint((1 - cover) * (image @ np.array(LUMA))[..., None] + cover * colours).astype(np.uint8)


def grid(rows: Sequence[Sequence[RGB]], gap: int = 4) -> RGB:
    """Join RGB tiles of one size (H, W, 3), given row by row, into one picture with white gaps of so many pixels.

    Raises:
        ValueError: there is no tile, a row has another length, or a tile another size.
    """
    shapes = {tile.shape for row in rows for tile in row}
    if len(shapes) != 1 or len({len(row) for row in rows}) != 1:
        raise ValueError(f"A grid needs rows of one length with tiles of one size; got the sizes {sorted(shapes)}.")
    tiles = np.array([list(row) for row in rows])
    padded = np.pad(tiles, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=PALE)
    down, across, height, width, _ = padded.shape
    joined = padded.transpose(0, 2, 1, 3, 4).reshape(down * height, across * width, 3)
    return joined[: down * height - gap, : across * width - gap]


def render(
    images: Sequence[Any] | NDArray[np.floating] | torch.Tensor,
    heatmaps: NDArray[np.floating] | torch.Tensor,
    *,
    joint: bool = False,
    cmap: str = "hot-cold",
    alpha: float = 0.9,
    gap: int = 4,
) -> RGB:
    """Draw a row per sample: its image, its heatmap, the heatmap laid over the image; one RGB picture (H, W, 3).

    Args:
        images: n images in [0, 1], (3 or 1, H, W) or (H, W, 3) each.
        heatmaps: (n, h, w), not scaled; or (m, n, h, w) for m methods side by side, a heatmap and an overlay each.
            h and w divide H and W.
        joint: scale the maps of a method by their common largest absolute relevance, not each by its own.
        cmap: a name in COLOUR_MAPS.
        alpha: how far the strongest relevance covers the image in an overlay.
        gap: white pixels between two tiles.

    Raises:
        ValueError: there is not one heatmap per image, or as `picture`, `scale`, `colorize` and `overlay` do.
    """
    maps = _array(heatmaps)
    maps = maps[None] if maps.ndim == 3 else maps
    if maps.ndim != 4 or maps.shape[1] != len(images):
        raise ValueError(f"There must be one heatmap per image ({len(images)}); got the shape {maps.shape}.")
    scaled = [scale(each, joint) for each in maps]
    rows = [_row(picture(image), [each[i] for each in scaled], cmap, alpha) for i, image in enumerate(images)]
    return grid(rows, gap)


def _row(image: RGB, scaled: Sequence[NDArray[np.floating]], cmap: str, alpha: float) -> list[RGB]:
    pairs = [(colorize(enlarge(one, image.shape[:2]), cmap), overlay(image, one, cmap, alpha)) for one in scaled]
    return [image, *(tile for pair in pairs for tile in pair)]


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
