"""How complex is a heatmap? Entropy, Gini index, effective area, share of the strongest pixels, compressed size."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TOP = 0.05  # of the pixels: the strongest
LEVEL = 9  # zlib's strongest compression


@dataclass(frozen=True)
class Complexity:
    """Measures of heatmaps, all of |R| / Σ |R| and each (n,); NaN of a map that is zero everywhere, but for its size.

    Attributes:
        entropy: Shannon's, in nats.
        normalised_entropy: divided by ln of the number of pixels: 1 where all pixels have the same |R|.
        gini: the Gini index: 0 where all pixels have the same |R|, 1 − 1/pixels where one has it all.
        effective_area: exp(entropy) / pixels, the share of pixels that would have this entropy if they were equal.
        top_share: share of |R| in the strongest 5 % of the pixels, at least one.
        png_bytes: size of |R| / max |R| as a PNG of 8 bits, grey, compressed by zlib at level 9.
    """

    entropy: NDArray[np.float64]
    normalised_entropy: NDArray[np.float64]
    gini: NDArray[np.float64]
    effective_area: NDArray[np.float64]
    top_share: NDArray[np.float64]
    png_bytes: NDArray[np.int64]


COMPLEXITIES = tuple(each.name for each in fields(Complexity))


def complexity(heatmaps: NDArray[np.floating]) -> Complexity:
    """Measure heatmaps (n, H, W), signed or not.

    Raises:
        ValueError: the shape is another, a map has fewer than two pixels, or a value is not finite.
    """
    maps = np.abs(np.asarray(heatmaps, np.float64))
    if maps.ndim != 3 or maps[:1].size < 2 or not np.isfinite(maps).all():
        raise ValueError(f"complexity expects finite heatmaps (n, H, W), got the shape {maps.shape}.")
    rows = maps.reshape(len(maps), -1)
    count = rows.shape[1]
    with np.errstate(invalid="ignore"):
        shares = np.sort(rows / rows.sum(1, keepdims=True), axis=1)
    entropy = -np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), shares).sum(1)
    places = 2 * np.arange(1, count + 1) - count - 1
    return Complexity(
        entropy=entropy,
        normalised_entropy=entropy / np.log(count),
        gini=(places * shares).sum(1) / count,
        effective_area=np.exp(entropy) / count,
        top_share=shares[:, -max(1, round(TOP * count)) :].sum(1),
        png_bytes=np.array([_png_bytes(one) for one in maps], np.int64),
    )


def _png_bytes(magnitude: NDArray[np.float64]) -> int:
    levels = np.rint(255 * magnitude / (magnitude.max() or 1.0)).astype(np.uint8)
    memory = io.BytesIO()
    Image.fromarray(levels).save(memory, "png", compress_level=LEVEL, optimize=False)
    return memory.tell()
