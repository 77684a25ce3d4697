"""Heatmaps of images larger than what a network takes, tile by tile ([003] §2.3.3, fig. 2.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from unhans.attribution.method import Attribution, Explain, Heatmaps


@dataclass(frozen=True)
class Tiled:
    """Explains squares of an image, each by itself, and averages the relevance of a pixel over the squares it lies in.

    Squares begin every `stride` pixels; the last of a row or column ends with the image. Each is explained for the
    same target. The logits are the mean over squares.

    Args:
        attribution: how a square is explained; its heatmaps must be of the square's size.
        size: side of a square, as the network takes it. A side of the image that is shorter is taken whole.
        stride: pixels from one square to the next; at most the size, so that every pixel is seen.

    Raises:
        ValueError: the stride is not from 1 to the size.
    """

    attribution: Attribution
    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise ValueError(
                f"stride: expected 1 to the tile's side {self.size}, or pixels are missed, got {self.stride}."
            )

    @property
    def description(self) -> str:
        """Name the method and the tiles."""
        return f"{self.attribution.description}, mean of tiles of {self.size} pixels every {self.stride}"

    def of(self, model: nn.Module) -> Explain:
        """Return the function from images (n, C, H, W) and targets to heatmaps (n, H, W)."""
        explain = self.attribution.of(model)

        def explain_tiles(images: Tensor, target: int | Tensor) -> Heatmaps:
            maps = images.new_zeros((len(images), *images.shape[2:]), dtype=torch.float32)
            seen, logits = torch.zeros_like(maps[:1]), []
            for window in tile_windows(images.shape[2:], self.size, self.stride):
                tile = images[(..., *window)]
                found = explain(tile, target)
                if found.maps.shape[1:] != tile.shape[2:]:
                    got = tuple(found.maps.shape[1:])
                    raise ValueError(f"Tiles need heatmaps of the input's size {tuple(tile.shape[2:])}, got {got}.")
                maps[(..., *window)] += found.maps
                seen[(..., *window)] += 1
                logits.append(found.logits)
            return Heatmaps(maps / seen, torch.stack(logits).mean(0))

        return explain_tiles


def tile_windows(shape: Sequence[int], size: int, stride: int) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each tile of images of a shape (H, W); arguments are those of `Tiled`."""
    tops, lefts = (tile_starts(length, size, stride) for length in shape)
    return [(slice(top, top + size), slice(left, left + size)) for top, left in product(tops, lefts)]


def tile_starts(length: int, size: int, stride: int) -> list[int]:
    """Return where tiles begin along a side: every `stride` pixels, and one that ends with the side.

    >>> tile_starts(256, 102, 34), tile_starts(100, 102, 34)
    ([0, 34, 68, 102, 136, 154], [0])
    """
    last = max(0, length - size)
    return [*range(0, last, stride), last]
