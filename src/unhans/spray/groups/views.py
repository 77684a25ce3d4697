"""What the samples of a class are compared by when groups of them are looked for: no single view finds every artifact.

Marks at a fixed place stand out in the relevance of the input, borders in its shares, objects at changing places in the
largest relevance of a layer's channels, textures in their sums; the raw images are the control of METHODS §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import POOLED
from unhans.spray.pooling import mean_pool, slices, sum_pool

COARSE = 7  # cells a side of the coarse grid
GRID, COARSE_GRID = 56, 28  # of raw images, a quarter of 224: what sets images apart as a whole is still there
LARGE = 20_000  # images from which the coarse grid keeps memory below 1 GB per 100,000

Points = NDArray[np.floating]


def views_of(maps: NDArray[np.floating], latent: Mapping[str, NDArray], images: Any | None) -> dict[str, Points]:
    """Return the points (n, d) that stand for n samples, by the name of the view; constant views are left out.

    Args:
        maps: (n, rows, columns) or (n, d) relevance of the input, as `SpRAy.prepare` returns it.
        latent: by layer (n, 2, C), the relevance of its channels, summed and maximised over places.
        images: (n, C, H, W) in any scale, or None.
    """
    found = {"input relevance": maps.reshape(len(maps), -1), "relevance shares": shares(maps)}
    if maps.ndim == 3 and min(maps.shape[1:]) > COARSE:
        found["coarse shares"] = shares(sum_pool(maps, COARSE))
    for layer, both in latent.items():
        found |= {f"latent {pooled} {layer}": both[:, row] for row, pooled in enumerate(POOLED)}
    pixels = None if images is None else raw_pixels(images, COARSE_GRID)
    if pixels is not None:
        found["raw images"] = pixels
    return {name: points for name, points in found.items() if np.ptp(points, axis=0).any()}


def shares(maps: NDArray[np.floating]) -> Points:
    """Return √(R⁺ / Σ R⁺) of maps (n, …) as (n, d), whose euclidean distance is Hellinger's; 0 for maps without R⁺."""
    positive = np.maximum(maps.reshape(len(maps), -1), 0)
    total = positive.sum(axis=1, keepdims=True)
    return np.sqrt(positive / np.where(total > 0, total, 1))


def raw_pixels(images: Any, grid: int | None = None) -> NDArray[np.float32] | None:
    """Return images (n, C, H, W) as vectors (n, d), averaged onto a grid of 56 × 56; None where all are the same.

    From 20,000 images on the grid is 28 × 28. Images are read in blocks and may have any scale; smaller ones stay as
    they are, and the cells of a grid that does not divide the image differ by a pixel.
    """
    grid = grid or (GRID if len(images) < LARGE else COARSE_GRID)
    cells = min(grid, images.shape[2]), min(grid, images.shape[3])
    blocks = [mean_pool(np.asarray(images[part]), cells).astype(np.float32) for part in slices(images.shape)]
    pixels = np.concatenate(blocks)
    return None if (pixels == pixels[0]).all() else pixels
