"""One sample, and a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Sample(NamedTuple):
    """One image: (3, H, W) float32 normalised, its label, and its index in the data set."""

    image: Tensor
    label: int
    index: int


class Batch(NamedTuple):
    """Images (n, 3, H, W), labels (n,) and indices (n,) int64; n is 0 where no image could be read."""

    image: Tensor
    label: Tensor
    index: Tensor


def collate(samples: Sequence[Sample | None]) -> Batch:
    """Stack samples to a batch and leave out those that could not be read (None)."""
    read = [sample for sample in samples if sample is not None]
    return Batch(
        image=torch.stack([sample.image for sample in read]) if read else torch.empty(0, 3, 0, 0),
        label=torch.tensor([sample.label for sample in read], dtype=torch.int64),
        index=torch.tensor([sample.index for sample in read], dtype=torch.int64),
    )
