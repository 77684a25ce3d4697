"""Scikit-learn's handwritten digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unhans.data.datamodule import ImageData
from unhans.data.image_list import Arrays, Collection, numbered

_BRIGHTEST = 16  # scikit-learn counts the ink among 4 × 4 pixels


class Digits(ImageData):
    """1,797 real handwritten digits of 8 × 8 pixels, enlarged bicubically; nothing is downloaded.

    options: as in ImageData.
    """

    def __init__(
        self,
        image_size: int = 64,
        batch_size: int = 64,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
        **options: Any,
    ) -> None:
        super().__init__(image_size=image_size, batch_size=batch_size, mean=mean, std=std, **options)

    def load(self) -> tuple[Collection, None]:
        """Return all digits; their number in scikit-learn's order is their name."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = np.round(digits.images / _BRIGHTEST * 255).astype(np.uint8)
        classes = [str(digit) for digit in digits.target_names]
        return Collection(
            Arrays(images, numbered("digits", len(images))), digits.target.astype(np.int64), classes
        ), None
