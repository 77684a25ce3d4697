"""What an analysis is about: a trained network, its data, and how it is explained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unhans.attribution import Attribution
from unhans.data import ImageData, ImageDataset, reading


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode on its device, a split of a data set without augmentation, and an attribution.

    `out` is the folder for everything that an analysis writes.
    """

    network: nn.Module
    data: ImageData
    split: str
    samples_per_class: int | None
    attribution: Attribution
    batch_size: int
    device: torch.device
    seed: int
    out: Path

    @property
    def dataset(self) -> ImageDataset:
        """The chosen split."""
        return (self.data.train_set if self.split == "train" else self.data.val_set).without_augmentation()

    @property
    def classes(self) -> dict[int, str]:
        """Class names by label."""
        return dict(enumerate(self.data.classes))

    def subsets(self) -> dict[int, NDArray[np.int64]]:
        """Return the drawn data-set indices of every class."""
        return reading.choose(self.dataset.labels, self.samples_per_class, self.seed)
