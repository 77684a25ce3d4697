"""Raw images as points: the control of every analysis of heatmaps (METHODS §2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.spray.pooling import sum_pool

GRID, COARSE = 56, 28  # a quarter of 224: what sets images apart as a whole is still there
LARGE = 20_000  # images from which the coarse grid keeps memory below 1 GB per 100,000
BLOCK = 256  # images in memory at once


def raw_pixels(images: Any, grid: int | None = None) -> NDArray[np.float32] | None:
    """Return images (n, C, H, W) as vectors (n, d), averaged onto a grid of 56 × 56; None where all are the same.

    From 20,000 images on the grid is 28 × 28. Images are read in blocks and may have any scale; smaller ones stay as
    they are, and the cells of a grid that does not divide the image differ by a pixel.
    """
    grid = grid or (GRID if len(images) < LARGE else COARSE)
    blocks = [_averaged(np.asarray(images[start : start + BLOCK]), grid) for start in range(0, len(images), BLOCK)]
    pixels = np.concatenate(blocks)
    return None if (pixels == pixels[0]).all() else pixels


def _averaged(images: NDArray[Any], grid: int) -> NDArray[np.float32]:
    n, channels, height, width = images.shape
    flat = images.reshape(n * channels, height, width).astype(np.float32)
    ones = np.ones((1, height, width), dtype=np.float32)
    return (sum_pool(flat, grid) / sum_pool(ones, grid)).reshape(n, -1)
