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
from unhans.spray.pooling import sum_pool
from unhans.spray.raw_images import raw_pixels

COARSE = 7  # cells a side of the coarse grid

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
    pixels = None if images is None else raw_pixels(images, COARSE * 4)
    if pixels is not None:
        found["raw images"] = pixels
    return {name: points for name, points in found.items() if np.ptp(points, axis=0).any()}


def shares(maps: NDArray[np.floating]) -> Points:
    """Return √(R⁺ / Σ R⁺) of maps (n, …) as (n, d), whose euclidean distance is Hellinger's; 0 for maps without R⁺."""
    positive = np.maximum(maps.reshape(len(maps), -1), 0)
    total = positive.sum(axis=1, keepdims=True)
    return np.sqrt(positive / np.where(total > 0, total, 1))
