"""A preprocessing artifact: images padded by copies of their border pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NoReturn, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unhans.artifacts.artifact import Artifact
from unhans.artifacts.squaring import Orientation, check_aspect

Padded = Literal["landscape", "portrait", "random"]


class EdgePadding(Artifact):
    """What copying border pixels makes of an oblong image, on a known share of one class's samples.

    Of a square image the largest centred window of an aspect is kept, and the rest filled with copies of the window's
    outermost pixels: as if an oblong image had been made square [003 §6.3.1]. What lies there comes from the image:
    there is a mask, but no RGBA layer.

    aspect: above 1, the window's longer side over its shorter one. orientation: "landscape" is padded above and below,
    "portrait" at the sides, "random" either, by the seed and the sample's index.
    """

    def __init__(
        self,
        target: int | str,
        aspect: float = 1.5,
        orientation: Padded = "random",
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, seed=seed)
        if orientation not in get_args(Padded):
            raise ValueError(f"orientation must be one of {', '.join(get_args(Padded))}, got {orientation!r}")
        self.aspect, self.orientation = check_aspect(aspect), orientation

    def paste(self, image: Tensor, index: int) -> Tensor:
        """Return the image (3, H, W) with the pixels outside of its window replaced by the window's outermost ones."""
        rows, columns = self._window(index, image.shape[-2:])
        inside = [
            torch.arange(n).clamp(part.start, part.stop - 1)
            for n, part in zip(image.shape[-2:], (rows, columns), strict=True)
        ]
        return image[..., inside[0], :][..., inside[1]]

    def mask(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return where the copies lie: (H, W), 1 outside of the window and 0 inside."""
        height, width = (size, size) if isinstance(size, int) else size
        mask = torch.ones(height, width)
        mask[self._window(index, (height, width))] = 0
        return mask

    def look(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return what, with the image, decides how this sample looks: the mask."""
        return self.mask(index, size)

    def layer(self, index: int, size: int | Sequence[int]) -> NoReturn:
        """Raise ValueError: the padding's colours are those of each image."""
        raise ValueError(
            "an edge padding has no layer, as its pixels come from the image; analysis=squaring measures it"
        )

    def draw(self, height: int, width: int) -> Image.Image:
        """Raise ValueError, as `layer` does."""
        return self.layer(0, (height, width))

    def _orientation(self, index: int) -> Orientation:
        if self.orientation != "random":
            return self.orientation
        return "portrait" if np.random.default_rng([self.seed, index]).random() < 0.5 else "landscape"

    def _window(self, index: int, size: Sequence[int]) -> tuple[slice, slice]:
        """The rows and columns that are kept."""
        shares = (1 / self.aspect, 1.0) if self._orientation(index) == "landscape" else (1.0, 1 / self.aspect)
        kept = [max(1, round(share * side)) for share, side in zip(shares, size, strict=True)]
        rows, columns = (slice((n - k) // 2, (n - k) // 2 + k) for n, k in zip(size, kept, strict=True))
        return rows, columns
