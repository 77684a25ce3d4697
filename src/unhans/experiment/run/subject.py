"""What a command is about: data, network and callbacks of its configuration, and the subject of an analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger
from torch import nn
from torch.utils.data import Dataset

from unhans.attribution import Attribution
from unhans.class_names import labels_named
from unhans.data import ImageDataset, Preprocessing, TrainValUnion, draw_per_class
from unhans.data.sources import ImageData
from unhans.effects import Bench
from unhans.experiment.run.classifier import Classifier, Loss
from unhans.harness import bench_of
from unhans.models import head_of, load_network, relabel_for_head
from unhans.report.loggers import finish
from unhans.terminal import ConfigurationError


def build(node: DictConfig | None, **arguments: Any) -> Any:
    """Instantiate a node, or None where it is empty; what its target refuses is raised as it was said."""
    if not node or "_target_" not in node:
        return None
    try:
        return instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, (ValueError, OSError, ImportError)):
            raise error.__cause__ from None
        raise ConfigurationError(str(error).replace("\n", " ")) from error


def build_data(cfg: DictConfig) -> ImageData:
    """Return the data module, set up, with its planted artifact.

    Every process of a run prepares the data, since none can wait for another yet: one after the other, where files are
    fetched, and the later ones find them.
    """
    data = build(cfg.data, artifact=build(cfg.get("artifact")))
    data.preprocessing = preprocessing_of(cfg.get("model"))
    data.prepare_data()
    data.setup()
    return data


def build_network(cfg: DictConfig, data: ImageData) -> nn.Module:
    """Return the network for the data's classes, with the weights of `ckpt` where that is given.

    A trained head that is kept gives the data its outputs as labels.

    Raises:
        ValueError: a class has no output, or the checkpoint does not fit.
    """
    network = build(cfg.model, num_classes=data.num_classes)
    relabel_for_head(network, data)
    return network if cfg.get("ckpt") is None else load_network(network, data.classes, cfg.ckpt)


def trained_network(cfg: DictConfig, data: ImageData) -> nn.Module:
    """Return the network with the checkpoint's weights; without one, with the trained head of its own weights."""
    network = build_network(cfg, data)
    head = head_of(network)
    if cfg.ckpt is None and not cfg.untrained and (head is None or not head.kept):
        raise ConfigurationError(
            f"an analysis expects a trained network, but the last layer of this {type(network).__name__} is new and "
            "random; give ckpt=…, or model.weights=… with model.head=keep, or untrained=true for a sanity check."
        )
    return network.eval()


def preprocessing_of(model: DictConfig | None) -> Callable[[int], Preprocessing | None]:
    """Return the function from the number of classes to how the weights of a configured network expect images.

    It is the attribute `preprocessing` of the node's target; where there is none, nothing is known.
    """
    options: Any = OmegaConf.to_container(model, resolve=True) if model else {}
    make = get_object(options.pop("_target_")) if "_target_" in options else None
    return partial(getattr(make, "preprocessing", lambda classes, **options: None), **options)


def build_classifier(cfg: DictConfig, data: ImageData) -> Classifier:
    """Return the LightningModule that trains the network."""
    loss = cfg.get("loss") or ("bce" if data.several else "cross_entropy")
    if loss not in get_args(Loss) or (loss == "cross_entropy") == data.several:
        known = "bce or hinge, as images may show several classes" if data.several else "cross_entropy"
        raise ConfigurationError(f"loss expects {known}, got {loss!r}.")
    network = build_network(cfg, data)
    return Classifier(network, data.classes, build(cfg.optimizer), build(cfg.scheduler), loss)


def build_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """Return the callbacks in the order of the configuration; options of one that is not there say nothing."""
    callbacks = (build(node) for node in (cfg.callbacks or {}).values())
    return [callback for callback in callbacks if callback is not None]


@dataclass(frozen=True)
class Subject:
    """What an analysis is about.

    Attributes:
        network: in evaluation mode, on its device.
        data: training and validation images.
        split: "train", "val" or "union", both.
        samples_per_class: drawn of each class, at most; None is all.
        attribution: how they are explained.
        batch_size: images at once.
        device: of the network.
        seed: of everything that is drawn.
        out: the folder for everything that the analysis writes.
        hold: called before the analysis reads what is in that folder; no other run takes it from then on.
        begin: called once its arguments are known to be good, before it writes anything there; holds the folder, too.
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
    hold: Callable[[], None] = lambda: None
    begin: Callable[[], None] = lambda: None

    @cached_property
    def splits(self) -> dict[str, ImageDataset]:
        """The images of both splits, "train" and "val", without augmentation."""
        parts = {"train": self.data.train_set, "val": self.data.val_set}
        return {name: part.without_augmentation() for name, part in parts.items()}

    @cached_property
    def both(self) -> TrainValUnion:
        """Training and validation images as one data set."""
        return TrainValUnion(**self.splits)

    @cached_property
    def rows(self) -> dict[str, NDArray[np.int64]]:
        """The indices of both splits, "train" and "val", in `both`."""
        return {name: np.flatnonzero(self.both.split == number) for number, name in enumerate(self.splits)}

    @property
    def dataset(self) -> ImageDataset | TrainValUnion:
        """The chosen split, or both."""
        return self.both if self.split == "union" else self.splits[self.split]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.data.image_size, self.data.image_size

    def bench(self, dataset: Dataset | None = None, network: nn.Module | None = None) -> Bench:
        """Return the bench of a data set, by default `both`, and a network, by default the subject's."""
        options = {"device": self.device, "batch_size": self.batch_size, "seed": self.seed}
        network = self.network if network is None else network
        return bench_of(network, self.both if dataset is None else dataset, self.attribution, **options)

    @contextmanager
    def closing(self, logger: Logger | None) -> Iterator[None]:
        """Say at the end which images could not be read, and close a logger, as failed after an exception."""
        failed = 1
        try:
            yield
            failed = 0
        finally:
            self.data.report_unreadable()
            finish([logger] if logger else [], failed)

    @property
    def classes(self) -> dict[int, str]:
        """Class names by label."""
        return dict(enumerate(self.data.classes))

    def subsets(
        self, classes: Sequence[str] | None = None, per_class: int | None = None
    ) -> dict[int, NDArray[np.int64]]:
        """Return the drawn data-set indices (n,) of every class, or of those that are named, by label.

        Args:
            classes: names; None is all.
            per_class: at most so many of each; None is `samples_per_class`.

        Raises:
            ValueError: a name is unknown, or no class that is named has samples.
        """
        wanted = labels_named(classes, self.classes, "classes")
        drawn = draw_per_class(self.dataset.labels, per_class or self.samples_per_class, self.seed)
        chosen = {label: indices for label, indices in drawn.items() if label in wanted}
        if classes is not None and not chosen:
            raise ValueError(f"classes expects one that has {self.split} images, got {', '.join(map(str, classes))}.")
        return chosen
