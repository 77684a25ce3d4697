"""From the square that a network sees back to the picture that it was made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.data.picture import Resize

_Mask = NDArray[np.bool_]


def native_mask(mask: _Mask, size: tuple[int, int], how: Resize) -> _Mask:
    """Return where a mask (S, S) of a square image lies in the picture of (height, width) pixels that it was made of.

    how: the way of `unhans.data.picture.resize`. A pixel of the picture counts where any part of it is covered; what
    lies in the part that "crop" cuts off, or that "pad" and "mirror" add, is nowhere.
    """
    height, width = size
    side = len(mask)
    if (height, width) == (side, side):
        return mask
    if how == "squash":
        return _scaled(mask, size)
    if how == "crop":
        shorter = min(size)
        top, left = (height - shorter) // 2, (width - shorter) // 2
        native = np.zeros(size, dtype=bool)
        native[top : top + shorter, left : left + shorter] = _scaled(mask, (shorter, shorter))
        return native
    inner = [max(1, round(length * side / max(size))) for length in size]
    top, left = ((side - length) // 2 for length in inner)
    return _scaled(mask[top : top + inner[0], left : left + inner[1]], size)


def _scaled(mask: _Mask, size: tuple[int, int]) -> _Mask:
    picture = Image.fromarray(mask.astype(np.float32))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX)) > 0
