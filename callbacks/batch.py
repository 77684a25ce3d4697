"""Images, labels and sample indices in anybody's batches and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import Dataset

from unhans.data import reading

Key = str | int
POSITIONS = {"image": 0, "label": 1}  # in a tuple or list


class Parts(NamedTuple):
    """What a callback needs of a batch: images (n, C, H, W), labels (n,) and data-set indices (n,), None if absent."""

    image: Tensor
    label: Tensor | None
    index: NDArray[np.int64] | None


def parts_of(batch: Any, keys: Mapping[str, Key], who: str) -> Parts:
    """Return the parts of a batch: a tuple, list, NamedTuple or mapping.

    Images come first and labels second, or under "image" and "label"; indices under "index". keys: where they are
    otherwise, such as {"image": "pixels", "index": 2}. who: opens the sentence. Raises ValueError for no such batch.
    """
    image, label, index = (_part(batch, name, keys.get(name), who) for name in ("image", "label", "index"))
    if not isinstance(image, Tensor):
        raise ValueError(f"{who} expects a tensor of images in each batch, got {type(image).__name__}.")
    return Parts(image, label, None if index is None else np.asarray(torch.as_tensor(index).cpu(), dtype=np.int64))


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
    dataset = reading.without_augmentation(dataset)
    return Pairs(dataset, keys, who) if keys or isinstance(_first(dataset), Mapping) else dataset


class Pairs(Dataset[Any]):
    """The (image, label) of each item of a data set, wherever in the item they are."""

    def __init__(self, dataset: Dataset, keys: Mapping[str, Key], who: str) -> None:
        self.dataset, self.keys, self.who = dataset, keys, who
        origin, self.carriers = reading.origin(dataset), reading.carriers_of(dataset)
        self.classes = getattr(origin, "classes", None)
        if "label" not in keys and (hasattr(origin, "labels") or hasattr(origin, "targets")):
            self.labels = reading.labels_of(dataset)

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> tuple[Tensor, Any] | None:
        """Return an image (C, H, W) and its label; None for an item that cannot be read."""
        item = self.dataset[index]
        return None if item is None else parts_of(item, self.keys, self.who)[:2]


def first_image(dataset: Dataset) -> Tensor | None:
    """Return the first image that can be read as a batch (1, C, H, W); None where there is none."""
    item = _first(dataset)
    return None if item is None else torch.as_tensor(item[0])[None]


def check_whole(trainer: pl.Trainer, who: str) -> None:
    """Refuse several processes and sharded parameters, whose gradients a callback would not see alike."""
    name = type(trainer.strategy).__name__
    if trainer.world_size > 1 or any(kind in name.lower() for kind in ("ddp", "fsdp", "deepspeed", "modelparallel")):
        raise MisconfigurationException(f"{who} trains in one process with whole parameters, got {name}.")


def _first(dataset: Dataset) -> Any:
    items = (dataset[index] for index in range(len(dataset)))  # type: ignore[arg-type]
    return next((item for item in items if item is not None), None)


def _part(batch: Any, name: str, key: Key | None, who: str) -> Any:
    """One part of a batch; None for labels and indices that are not there."""
    if isinstance(batch, Mapping):
        found = batch.get(name if key is None else key)
        if found is None and (name == "image" or key is not None):
            raise ValueError(
                f"{who} finds no {name} in a batch with the keys {', '.join(map(repr, batch))}; name it in "
                f'keys={{"{name}": …}}.'
            )
        return found
    if not isinstance(batch, Sequence) or isinstance(batch, str):
        raise ValueError(f"{who} expects batches of (image, label, …), got {type(batch).__name__}.")
    return _of_sequence(batch, name, key, who)


def _of_sequence(batch: Sequence[Any], name: str, key: Key | None, who: str) -> Any:
    fields = getattr(batch, "_fields", ())
    wanted = name if key is None else key
    place = fields.index(wanted) if wanted in fields else wanted if isinstance(wanted, int) else POSITIONS.get(name)
    if place is None and key is None:
        return None
    if place is None or not -len(batch) <= place < len(batch):
        if name == "label" and key is None:
            return None
        raise ValueError(f"{who} finds no {name} at {wanted!r} in a batch of {len(batch)} parts.")
    return batch[place]
