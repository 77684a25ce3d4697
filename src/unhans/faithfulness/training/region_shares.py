"""How much relevance lies in a region: positive, negative, absolute, and whether it speaks for the class there."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RegionShares:
    """Shares of relevance inside a region, of n images (n,) each; NaN where there is no such relevance or no region.

    `absolute` + `net`, halved, is what supports the class there in parts of all |R|, `absolute` − `net`, halved, what
    contradicts it: a network that learns that a watermark says nothing gives it a net share about 0, one that takes it
    for a sign of another class a negative one, while the positive share may stay above the area [000 fig. 12].

    Attributes:
        positive: Σ_in R⁺ / Σ R⁺.
        negative: Σ_in R⁻ / Σ R⁻.
        absolute: Σ_in |R| / Σ |R|.
        net: Σ_in R / Σ |R|, in [−1, 1].
        area: pixels of the region / pixels: what even relevance would give; NaN where there is no region.
    """

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]
    absolute: NDArray[np.float64]
    net: NDArray[np.float64]
    area: NDArray[np.float64]


SHARES = tuple(each.name for each in fields(RegionShares))


def region_shares(heatmaps: NDArray[np.floating], masks: NDArray[np.bool_]) -> RegionShares:
    """Measure heatmaps in a region of each image.

    Args:
        heatmaps: (n, H, W), signed.
        masks: (n, H, W); an image whose mask is empty does not have the region.

    Raises:
        ValueError: the shapes differ.
    """
    maps, masks = np.asarray(heatmaps, np.float64), np.asarray(masks, bool)
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(f"heatmaps and masks (n, H, W) are expected, got the shapes {maps.shape} and {masks.shape}.")

    def sums(part: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return (part * masks).sum((1, 2)), part.sum((1, 2))

    positive, negative = sums(np.maximum(maps, 0)), sums(np.maximum(-maps, 0))
    area = masks.mean((1, 2))
    there = np.where(area > 0, 1.0, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        every = positive[1] + negative[1]
        return RegionShares(
            positive=there * (positive[0] / positive[1]),
            negative=there * (negative[0] / negative[1]),
            absolute=there * ((positive[0] + negative[0]) / every),
            net=there * ((positive[0] - negative[0]) / every),
            area=there * area,
        )
