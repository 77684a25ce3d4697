"""An isolated artifact as pictures: its layer on a checkerboard, its alpha, its outline on an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import RGB, picture

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
