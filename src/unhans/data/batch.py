"""Training data of a trainer, and what is asked of its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import Dataset

from unhans.data.adapters import Key, adapted, first_item
from unhans.data.reading import without_augmentation


def check_images(images: Tensor, channels: int, who: str) -> None:
    """Raise ValueError unless these are floating-point images (n, channels, H, W)."""
    if not images.is_floating_point():
        raise ValueError(f"{who} expects images in floating point, got {images.dtype}; normalise them in the data set.")
    if images.ndim != 4 or images.shape[1] != channels:
        raise ValueError(f"{who} expects images (n, {channels}, H, W) in a batch, got shape {tuple(images.shape)}.")


def training_set(trainer: pl.Trainer, keys: Mapping[str, Key], who: str) -> Dataset | None:
    """Return the map-style data set that a trainer trains on, its items as pairs; None where it has no single one."""
    loader: Any = trainer.train_dataloader
    dataset: Any = getattr(loader, "dataset", None)
    whole = getattr(loader, "batch_sampler", None) is None  # then its items are batches
    if whole or not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        return None
    return adapted(without_augmentation(dataset), keys, getattr(loader, "collate_fn", None), who)


def first_image(dataset: Dataset) -> Tensor | None:
    """Return the first image that can be read as a batch (1, C, H, W); None where there is none."""
    item = first_item(dataset)
    return None if item is None else torch.as_tensor(item[0])[None]


def check_whole(trainer: pl.Trainer, who: str) -> None:
    """Refuse several processes and sharded parameters, whose gradients a callback would not see alike."""
    name = type(trainer.strategy).__name__
    if trainer.world_size > 1 or any(kind in name.lower() for kind in ("ddp", "fsdp", "deepspeed", "modelparallel")):
        raise MisconfigurationException(f"{who} trains in one process with whole parameters, got {name}.")
