"""What callbacks ask of a trainer and its module: the network, the data set, a new folder, a line of output."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Dataset

from unhans.attribution import check_name
from unhans.clarc import check_plain
from unhans.data import Key, adapt, is_map_style, read_samples, without_augmentation

LOG = logging.getLogger("unhans")
READ_TWICE = 8  # samples


def network_of(pl_module: pl.LightningModule, name: str) -> nn.Module:
    """Return the network of a (dotted) name inside a module; "" is the module itself.

    Raises:
        ValueError: there is no network of that name.
    """
    network: Any = pl_module
    for part in filter(None, name.split(".")):
        network = getattr(network, part, None)
    if not isinstance(network, nn.Module):
        children = ", ".join(repr(child) for child, _ in pl_module.named_children()) or "no modules"
        raise ValueError(f"network={name!r} names no module of {type(pl_module).__name__}, which has {children}.")
    return network


def check_not_compiled(pl_module: pl.LightningModule, network: nn.Module, layer: str) -> None:
    """Check that the features of a layer can be changed while the module trains.

    Raises:
        ValueError: the network or the module is compiled or wrapped for parallel training, or has no such layer.
    """
    check_plain(network)
    if getattr(pl_module, "_compiler_ctx", None) is not None or pl_module._compiled_call_impl is not None:
        raise ValueError("ClArC needs a network that is not compiled, got a compiled LightningModule.")
    check_name(network, layer)


@contextmanager
def raise_misconfiguration(who: str = "") -> Iterator[None]:
    """Turn a ValueError into a MisconfigurationException of the same sentence, which ends `fit` before training."""
    try:
        yield
    except ValueError as error:
        raise MisconfigurationException(f"{who}: {error}" if who else str(error)) from error


def dataset_of(trainer: pl.Trainer, source: str | Dataset, keys: Mapping[str, Key], who: str) -> Dataset:
    """Return a data set with items as pairs, without its random transforms where it can tell them apart.

    Args:
        trainer: whose data are taken.
        source: "train" or "val" for the trainer's data, or a data set.
        keys: where image and label are in an item.
        who: asks, for messages.

    Raises:
        MisconfigurationException: samples cannot be read by their index.
    """
    dataset, collate = source, None
    if isinstance(source, str):
        loader = trainer.train_dataloader if source == "train" else _validation_loaders(trainer)
        loader = loader[0] if isinstance(loader, (list, tuple)) and loader else loader
        dataset, collate = getattr(loader, "dataset", None), getattr(loader, "collate_fn", None)
    with raise_misconfiguration():
        return adapt(without_augmentation(dataset), keys, collate, who)


def training_set(trainer: pl.Trainer, keys: Mapping[str, Key], who: str) -> Dataset | None:
    """Return the map-style data set that a trainer trains on, its items as pairs; None where it has no single one."""
    loader: Any = trainer.train_dataloader
    dataset: Any = getattr(loader, "dataset", None)
    whole = getattr(loader, "batch_sampler", None) is None  # then its items are batches
    if whole or not is_map_style(dataset):
        return None
    return adapt(without_augmentation(dataset), keys, getattr(loader, "collate_fn", None), who)


def check_single_process(trainer: pl.Trainer, who: str) -> None:
    """Refuse several processes and sharded parameters, whose gradients a callback would not see alike."""
    name = type(trainer.strategy).__name__
    if trainer.world_size > 1 or any(kind in name.lower() for kind in ("ddp", "fsdp", "deepspeed", "modelparallel")):
        raise MisconfigurationException(f"{who} trains in one process with whole parameters, got {name}.")


def warn_if_random(dataset: Dataset, indices: NDArray[np.int64], who: str) -> None:
    """Warn where the first samples differ when they are read again; audits compare the same images (law 5).

    Of several, since one alone is mirrored alike in half of the cases.
    """
    for index in indices[:READ_TWICE]:
        images, again = (read_samples(dataset, [index])[0] for _ in range(2))
        if images.shape == again.shape and torch.equal(images, again):
            continue
        LOG.warning(
            "%s: the data set reads sample %d differently each time, as with random augmentation. Audits compare "
            "the same images from epoch to epoch: give the data set without it as dataset=, or give it a method "
            "without_augmentation().", who, int(index),
        )  # fmt: skip
        return


def new_folder(base: Path, name: str) -> str:
    """Make a folder in `base` that was not there: `name`, `name-v1` and so on. Return its name.

    An empty one may be another run's, which has just begun.
    """
    for number in count():
        own = f"{name}-v{number}" if number else name
        with suppress(FileExistsError):
            (base / own).mkdir(parents=True)
            return own
    raise AssertionError


def print_line(trainer: pl.Trainer, text: str) -> None:
    """Print a line above the progress bar."""
    bar = trainer.progress_bar_callback
    if bar is not None and hasattr(bar, "print"):
        bar.print(text)
    else:
        print(text)


def _validation_loaders(trainer: pl.Trainer) -> Any:
    """The loaders of the validation data, which Lightning makes only when it is about to validate."""
    if trainer.val_dataloaders is None:
        trainer.fit_loop.epoch_loop.val_loop.setup_data()
    return trainer.val_dataloaders
