"""Samples of any data set as a person sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.data.image_io import UnreadableImageError
from unhans.data.normalization import SAMPLES, PixelScale, pixel_scale
from unhans.data.reading import labels_of, read_samples, without_augmentation


@dataclass(frozen=True)
class Shown:
    """A data set of (image, label, …) items, read without augmentation and in [0, 1]."""

    dataset: Dataset

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The label of every sample (N,), −1 where it cannot be read."""
        return labels_of(self._plain)

    def read(self, indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Return the images (n, 3, H, W) that can be read, and their indices."""
        images, kept = read_samples(self._plain, indices)
        return (self._scale.to_display(images) if len(kept) else images), kept

    def image(self, index: int) -> Tensor:
        """Return one image (3, H, W); UnreadableImageError where it cannot be read."""
        images, kept = self.read(np.array([index]))
        if not len(kept):
            raise UnreadableImageError(f"sample {index} of the data set cannot be read")
        return images[0]

    @cached_property
    def _plain(self) -> Dataset:
        return without_augmentation(self.dataset)

    @cached_property
    def _scale(self) -> PixelScale:
        return pixel_scale(self._plain, np.random.default_rng(0).permutation(len(self.labels))[:SAMPLES])
