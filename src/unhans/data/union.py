"""Training and validation images as one data set, each sample knowing where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Artifact
from unhans.data.dataset import ImageDataset


class Union(Dataset[Any]):
    """The training images, then the validation images; both without augmentation.

    Attributes: labels (n,), paths, carriers (n,), classes as of an `ImageDataset`; split (n,) uint8, 0 for training and
    1 for validation; own_index (n,) the index in the sample's own split.
    """

    def __init__(self, train: ImageDataset, val: ImageDataset) -> None:
        self.parts = (train.without_augmentation(), val.without_augmentation())
        self.classes = train.classes
        self.labels = np.concatenate([part.labels for part in self.parts])
        self.paths = [path for part in self.parts for path in part.paths]
        self.carriers = np.concatenate([part.carriers for part in self.parts])
        self.split = np.repeat(np.array([0, 1], dtype=np.uint8), [len(part) for part in self.parts])
        self.own_index = np.concatenate([np.arange(len(part)) for part in self.parts])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        """Return one sample of its part, or None where its file cannot be read."""
        index = range(len(self))[index]
        return self.parts[self.split[index]][int(self.own_index[index])]

    @property
    def artifact(self) -> Artifact | None:
        """The artifact planted in both parts, or None."""
        return self.parts[0].artifact

    def clean(self, index: int) -> Tensor:
        """Return the image as it was without a planted artifact: (3, H, W) in [0, 1].

        Raises UnreadableImageError where its file cannot be read.
        """
        return self.parts[self.split[index]].clean(int(self.own_index[index]))

    @property
    def unreadable(self) -> Tensor:
        """Tell which files could not be read (n,)."""
        return torch.cat([part.unreadable for part in self.parts])

    def denormalise(self, batch: Tensor) -> Tensor:
        """Return normalised images (…, 3, H, W) in [0, 1]."""
        return self.parts[0].denormalise(batch)

    def without_augmentation(self) -> Union:
        """Return itself: nothing here is augmented."""
        return self

    def fingerprint(self, indices: Sequence[int] | NDArray[np.integer]) -> str:
        """Return a digest of what these samples look like to a network."""
        chosen = np.asarray(indices, dtype=np.int64)
        return "+".join(
            part.fingerprint(self.own_index[chosen[self.split[chosen] == number]])
            for number, part in enumerate(self.parts)
        )
