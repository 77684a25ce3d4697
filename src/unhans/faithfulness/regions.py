"""Regions of images on a grid, and the orders in which they are perturbed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Order = Literal["morf", "lerf", "random"]  # most relevant first, least relevant first

TIES, RANDOM_ORDER = 1, 2  # in seeds: what is drawn


@dataclass(frozen=True)
class RegionGrid:
    """Square regions that do not overlap; the last ones of a row or column are cut at the border.

    Attributes:
        size: height and width of the images.
        region: side of a region in pixels.

    Raises:
        ValueError: a region is larger than the image, or has no pixel.
    """

    size: tuple[int, int]
    region: int

    def __post_init__(self) -> None:
        if not 1 <= self.region <= min(self.size):
            height, width = self.size
            raise ValueError(f"region expects 1 to {min(self.size)} for images of {height}×{width}, got {self.region}.")

    @property
    def count(self) -> int:
        """How many regions there are."""
        return int(self.numbers[-1, -1]) + 1

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """The region of every pixel (H, W), counted row by row."""
        rows, columns = (np.arange(side) // self.region for side in self.size)
        return rows[:, None] * (columns[-1] + 1) + columns

    def sums(self, heatmaps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the sum of relevance in every region (n, regions) of heatmaps (n, H, W)."""
        maps = np.asarray(heatmaps, np.float64)
        if maps.shape[1:] != self.size:
            raise ValueError(f"heatmaps expect the size {self.size} of the images, got {maps.shape[1:]}.")
        rows, columns = (np.arange(0, side, self.region) for side in self.size)
        return np.add.reduceat(np.add.reduceat(maps, rows, axis=1), columns, axis=2).reshape(len(maps), -1)

    def steps_of(self, orders: NDArray[np.int64], per_step: int = 1) -> NDArray[np.int64]:
        """Return the step, from 1 on, after which every pixel is replaced (n, H, W).

        Args:
            orders: regions in the order in which they are replaced (n, k); pixels of others come after the last.
            per_step: regions that are replaced in a step.
        """
        n, replaced = orders.shape
        found = np.full((n, self.count), -(-replaced // per_step) + 1, np.int64)
        np.put_along_axis(found, orders, np.arange(replaced)[None] // per_step + 1, axis=1)
        return found[:, self.numbers]


def image_keys(images: Tensor) -> list[int]:
    """Return a number for every image (n, C, H, W) that depends on its values alone, to draw by."""
    arrays = images.detach().float().cpu().contiguous().numpy()
    return [int.from_bytes(blake2b(image.tobytes(), digest_size=8).digest(), "little") for image in arrays]


def order_regions(
    scores: NDArray[np.floating], order: Order, keys: Sequence[int], seed: int = 0, repeat: int = 0
) -> NDArray[np.int64]:
    """Return the regions of every image in an order (n, regions).

    Equal scores are ordered by the seed and the image, whatever the method and the other images are; so is the random
    order, anew in every repeat.

    Args:
        scores: of the regions (n, regions).
        order: "morf" most relevant first, "lerf" least relevant first, "random".
        keys: of the images, see `image_keys`.
        seed: of ties and random orders.
        repeat: of the random order.
    """
    count = scores.shape[1]
    if order == "random":
        drawn = [np.random.default_rng([seed, key, RANDOM_ORDER, repeat]).permutation(count) for key in keys]
        return np.stack(drawn).astype(np.int64)
    sign = -1 if order == "morf" else 1
    ties = (np.random.default_rng([seed, key, TIES]).permutation(count) for key in keys)
    return np.stack([np.lexsort((tie, sign * row)) for tie, row in zip(ties, scores, strict=True)])
