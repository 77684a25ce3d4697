"""Finds an artifact that lies on whole images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from unhans.isolation.isolated import Match
from unhans.isolation.whole.image_statistics import Family, statistics_of
from unhans.isolation.whole.screening import LinearDiscriminant


@dataclass(frozen=True, eq=False)
class WholeDetector:
    """A linear discriminant on numbers that describe whole images.

    family: which numbers; discriminant: of them; threshold: of its scores; size: (H, W) of the images it was fitted to,
    as these numbers depend on it.
    """

    family: Family
    discriminant: LinearDiscriminant
    threshold: float
    size: tuple[int, int]

    def match(self, images: Tensor) -> Match:
        """Look for the artifact in images (n, 3, H, W) in [0, 1]; its mask on carriers is the whole image.

        Raises ValueError for images of another size.
        """
        size = tuple(images.shape[-2:])
        if size != tuple(self.size):
            raise ValueError(
                f"an artifact of whole images is found in images of its own size: {tuple(self.size)} pixels, got {size}"
            )
        scores = self.discriminant.scores(statistics_of(self.family, images))
        carries = scores > self.threshold
        return Match(carries, scores, np.broadcast_to(carries[:, None, None], (len(images), *size)).copy())
