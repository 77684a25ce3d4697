"""Square windows of images: where relevance peaks, how large, and their pixels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

_SIDES = (1 / 8, 3 / 16, 1 / 4, 2 / 7, 3 / 8, 1 / 2)  # of the image's shorter side
_HELD = 0.9  # share of the relevance round a peak that its window must hold
_SMOOTHING = 1 / 56  # of the image's shorter side: 4 pixels of 224
_PEAK = 0.3  # relevance above this share of the peak's belongs to it
_SMALLEST = 5  # pixels


def smooth_relevance(heatmaps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the positive relevance, each map smoothed by 1/56 of its shorter side and divided by its peak.

    heatmaps: (n, H, W); a map without positive relevance stays zero.
    """
    sigma = _SMOOTHING * min(heatmaps.shape[1:])
    smooth = np.stack([gaussian_filter(np.maximum(h, 0).astype(np.float32), sigma) for h in heatmaps])
    return smooth / np.maximum(smooth.max((1, 2), keepdims=True), np.finfo(np.float32).tiny)


def peak_region(relevance: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the connected part above 0.3 of the peak that holds the peak: (H, W) → (H, W)."""
    parts, _ = label(relevance > _PEAK * relevance.max())
    return parts == parts[np.unravel_index(relevance.argmax(), relevance.shape)]


def window_side(relevance: NDArray[np.floating]) -> int:
    """Return the smallest of a few window sides, in pixels, that holds 0.9 of the relevance round the peak.

    relevance: (n, H, W) smoothed; the median over the maps decides. From 1/8 to 1/2 of the shorter side.
    """
    shortest = min(relevance.shape[1:])
    masses = [np.where(peak_region(r), r, 0) for r in relevance]
    extent = np.median([max(_span(mass.sum(1)), _span(mass.sum(0))) for mass in masses])
    sides = [max(_SMALLEST, round(shortest * share)) for share in _SIDES]
    return min(next((side for side in sides if side >= extent), sides[-1]), shortest)


def _span(profile: NDArray[np.floating]) -> int:
    """The length that holds the mass of a profile but for half of what may be left out on each side."""
    share = np.cumsum(profile) / max(profile.sum(), np.finfo(np.float32).tiny)
    tail = (1 - _HELD) / 2
    return int((share < 1 - tail).sum() - (share < tail).sum()) + 1


def peaks(relevance: NDArray[np.floating], side: int, count: int) -> NDArray[np.int64]:
    """Return the windows at the highest peaks of one map (H, W), none within half a side of another: (≤ count, 2).

    Top and left in pixels; a window at the rim sticks out. A peak must reach 0.3 of the highest.
    """
    left, found = relevance.copy(), []
    while len(found) < count and left.max() > _PEAK * relevance.max():
        row, column = np.unravel_index(left.argmax(), left.shape)
        found.append((row - side // 2, column - side // 2))
        left[max(0, row - side // 2) : row + side // 2 + 1, max(0, column - side // 2) : column + side // 2 + 1] = 0
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def cut(images: Tensor, places: NDArray[np.int64], side: int, fill: float = 0.0) -> Tensor:
    """Return one window of each image: (n, C, H, W) at (n, 2) top and left → (n, C, side, side).

    What sticks out of the image, at most a side, is filled.
    """
    padded = [torch.nn.functional.pad(image, (side,) * 4, value=fill) for image in images]
    return torch.stack(
        [
            image[:, top + side : top + 2 * side, left + side : left + 2 * side]
            for image, (top, left) in zip(padded, places, strict=True)
        ]
    )


def put(mask: NDArray[np.bool_], place: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask of the image's size with the window's mask (side, side) at its place, cut at the rim."""
    side = len(mask)
    whole = np.zeros((size[0] + 2 * side, size[1] + 2 * side), dtype=bool)
    top, left = place + side
    whole[top : top + side, left : left + side] = mask
    return whole[side:-side, side:-side]


def crop_to(mask: NDArray[np.bool_], layer: Tensor) -> Tensor:
    """Return what of a layer (C, H, W) lies in the box of a mask (H, W)."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return layer[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].contiguous()
