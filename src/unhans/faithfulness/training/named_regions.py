"""Regions of images that have a name: frame, quadrants, box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAME = 0.1  # width of a frame in parts of the shorter side
QUADRANTS = ("top left", "top right", "bottom left", "bottom right")


def border_frame(size: tuple[int, int], width: float = FRAME) -> NDArray[np.bool_]:
    """Return the frame along the border of images (H, W).

    Args:
        size: height and width.
        width: in parts of the shorter side, at least one pixel.

    Raises:
        ValueError: nothing would be left inside.
    """
    pixels = max(1, round(width * min(size)))
    if not 0 < width < 0.5 or 2 * pixels >= min(size):
        raise ValueError(f"a frame expects a width between 0 and 0.5 with pixels inside it, got {width} of {size}.")
    frame = np.ones(size, dtype=bool)
    frame[pixels:-pixels, pixels:-pixels] = False
    return frame


def quadrants(size: tuple[int, int]) -> dict[str, NDArray[np.bool_]]:
    """Return the four quarters of images (H, W) by name; of an odd side the middle belongs to the right and below."""
    below = np.broadcast_to((np.arange(size[0]) >= size[0] // 2)[:, None], size)
    right = np.broadcast_to(np.arange(size[1]) >= size[1] // 2, size)
    return dict(zip(QUADRANTS, (~below & ~right, ~below & right, below & ~right, below & right), strict=True))


def box_region(size: tuple[int, int], box: Sequence[float]) -> NDArray[np.bool_]:
    """Return a box of images (H, W).

    Args:
        size: height and width.
        box: left, top, right and bottom in parts of the width and height.

    Raises:
        ValueError: it is no box inside the image, or holds no pixel.
    """
    left, top, right, bottom = box
    upper, lower = round(top * size[0]), round(bottom * size[0])
    first, last = round(left * size[1]), round(right * size[1])
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1) or upper == lower or first == last:
        raise ValueError(
            "a box expects left, top, right and bottom in parts of the image, from 0 to 1, with a pixel inside, got "
            f"{list(box)} of {size[1]}×{size[0]} pixels."
        )
    found = np.zeros(size, dtype=bool)
    found[upper:lower, first:last] = True
    return found
