"""An order of the samples for each epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from unhans.data.dataset import ImageDataset


class EpochShuffle(Sampler[int]):
    """Shuffles by seed and epoch alone: a resumed run sees the order of the uninterrupted one.

    Lightning calls `set_epoch` before every epoch, through its distributed sampler as well; a loop of one's own
    has to do the same, or every epoch has the order of the first.
    """

    def __init__(self, dataset: ImageDataset, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, whose number the data set's flips follow too."""
        self.dataset.epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, int(self.dataset.epoch)])
        yield from order.permutation(len(self.dataset)).tolist()
