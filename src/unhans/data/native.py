"""From the square that a network sees back to the picture that it was made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.data.picture import Resize, cut_sizes

_Mask = NDArray[np.bool_]


def native_mask(mask: _Mask, size: tuple[int, int], how: Resize, crop_from: int | None = None) -> _Mask:
    """Return where a mask (S, S) of a square image lies in the picture of (height, width) pixels that it was made of.

    how, crop_from: the way of `unhans.data.picture.resize`. A pixel of the picture counts where any part of it is
    covered; what lies in the part that "crop" cuts off, or that "pad" and "mirror" add, is nowhere.
    """
    side = len(mask)
    if how == "crop":
        scaled, (top, left) = cut_sizes(size, side, side if crop_from is None else crop_from)
        whole = np.zeros(scaled, dtype=bool)
        whole[top : top + side, left : left + side] = mask
        return _scaled(whole, size)
    if size == (side, side):
        return mask
    if how == "squash":
        return _scaled(mask, size)
    inner = [max(1, round(length * side / max(size))) for length in size]
    top, left = ((side - length) // 2 for length in inner)
    return _scaled(mask[top : top + inner[0], left : left + inner[1]], size)


def _scaled(mask: _Mask, size: tuple[int, int]) -> _Mask:
    picture = Image.fromarray(mask.astype(np.float32))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BOX)) > 0
