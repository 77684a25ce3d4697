"""What an analysis is about: a trained network, its data, and how it is explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unhans.attribution import Attribution
from unhans.class_names import class_index
from unhans.data import ImageData, ImageDataset, Union, draw_per_class


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode on its device, a split of a data set without augmentation, and an attribution.

    `out` is the folder for everything that an analysis writes; `begin` is called once its arguments are known to be
    good, before it writes anything there.
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
    begin: Callable[[], None] = lambda: None

    @cached_property
    def dataset(self) -> ImageDataset | Union:
        """The chosen split, or both."""
        if self.split == "union":
            return Union(self.data.train_set, self.data.val_set)
        return (self.data.train_set if self.split == "train" else self.data.val_set).without_augmentation()

    @property
    def classes(self) -> dict[int, str]:
        """Class names by label."""
        return dict(enumerate(self.data.classes))

    def subsets(self, classes: Sequence[str] | None = None) -> dict[int, NDArray[np.int64]]:
        """Return the drawn data-set indices of every class, or of those that are named.

        Raises ValueError for an unknown name, and where none has samples.
        """
        drawn = draw_per_class(self.dataset.labels, self.samples_per_class, self.seed)
        if classes is None:
            return drawn
        wanted = {class_index(str(name), self.data.classes, "classes") for name in classes}
        chosen = {label: indices for label, indices in drawn.items() if label in wanted}
        if not chosen:
            raise ValueError(f"classes expects one that has {self.split} images, got {', '.join(map(str, classes))}.")
        return chosen
