"""From checkpoints to models that see the same images."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from unhans.data import ImageDataset, TrainValUnion
from unhans.data.sources import ImageData
from unhans.experiment.compare.compared_model import ComparedModel
from unhans.experiment.run import Subject, build, build_data, saved_config, trained_network
from unhans.terminal import ConfigurationError

PREPROCESSING = ("image_size", "mean", "std", "resize", "crop_from", "interpolation", "degrade")
NETWORK = "network"  # what one is called that is no checkpoint
TRAINING = ("data", "artifact", "model", "optimizer", "scheduler", "trainer", "callbacks", "repair", "seed")


def compared_models(cfgs: Sequence[DictConfig], subject: Subject) -> list[ComparedModel]:
    """Return the models of completed configurations, the first one being the subject's.

    The images are those of the first configuration, its artifact included, prepared as each model's own data are. The
    names are the folders of the runs; see `renamed`.

    Raises:
        ConfigurationError: a model or its data cannot be built.
    """
    found: list[ComparedModel] = []
    for cfg, name, data, network in load_runs(cfgs, subject):
        seen = build_otherwise(cfgs[0], preprocessing_said(data)) if found else data
        dataset = split_images(seen, subject.split)
        check_squaring(name, data, found[0].name if found else name, subject.data)
        trained = set(data.train_set.paths) if subject.split == "val" else set()
        found.append(
            ComparedModel(
                name, network, dataset, data.classes, training_settings(cfg.ckpt), data.train_set.scale,
                seen.train_set.without_augmentation(), np.array([path in trained for path in dataset.paths]),
                cfg.ckpt,
            )
        )  # fmt: skip
    return found


def load_runs(cfgs: Sequence[DictConfig], subject: Subject) -> Iterator[tuple[DictConfig, str, ImageData, nn.Module]]:
    """Give each configuration with its name, its own data and its network; the first one's are the subject's."""
    for number, (cfg, name) in enumerate(zip(cfgs, folder_names([cfg.ckpt or NETWORK for cfg in cfgs]), strict=True)):
        data = build_data(cfg) if number else subject.data
        yield cfg, name, data, trained_network(cfg, data).to(subject.device) if number else subject.network


def preprocessing_said(data: ImageData) -> dict[str, Any]:
    """Return how images become what a network takes, as plain values by option of the data."""
    own = {name: getattr(data, name) for name in PREPROCESSING}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}


def build_otherwise(reference: DictConfig, options: Mapping[str, Any]) -> ImageData:
    """Return the data of a configuration, its artifact included, with other options, such as a preprocessing."""
    node = copy.deepcopy(reference.data)
    for name, value in options.items():
        OmegaConf.update(node, name, value, merge=False, force_add=True)
    seen = build(node, artifact=build(reference.get("artifact")))
    seen.prepare_data()
    seen.setup()
    return seen


def check_squaring(name: str, data: ImageData, first_name: str, first: ImageData) -> None:
    """Raise ConfigurationError where two models see different parts of an image: their heatmaps have other places."""

    def cut(one: ImageData) -> tuple[str, float | None]:
        return one.resize, None if one.crop_from is None else round(one.crop_from / one.image_size, 3)

    if cut(data) != cut(first):
        raise ConfigurationError(
            f"models are compared place by place, but {name!r} sees images by data.resize={data.resize} "
            f"(data.crop_from={data.crop_from}) and {first_name!r} by data.resize={first.resize} "
            f"(data.crop_from={first.crop_from}); give data.resize=… for all of them."
        )


def split_images(data: ImageData, split: str) -> ImageDataset | TrainValUnion:
    """Return the images of a split, or of both, without augmentation."""
    if split == "union":
        return TrainValUnion(data.train_set, data.val_set)
    return (data.train_set if split == "train" else data.val_set).without_augmentation()


def folder_names(ckpts: Sequence[str]) -> list[str]:
    """Return a name for each checkpoint: the last parts of its path that tell it from the others.

    >>> folder_names(["runs/a/checkpoints/last.ckpt", "runs/b/checkpoints/last.ckpt"])
    ['a', 'b']
    """
    parts = [[part for part in Path(ckpt).with_suffix("").parts if part != "checkpoints"] for ckpt in ckpts]
    if len({each[-1] for each in parts}) == 1:
        parts = [each[:-1] or each for each in parts]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({number})" for number, name in enumerate(names, 1)]


def renamed(models: Sequence[ComparedModel], names: Sequence[str] | None) -> list[ComparedModel]:
    """Return models under other names; raises ValueError unless there is one for each."""
    if names is None:
        return list(models)
    if len(names) != len(models):
        raise ValueError(f"names expects one for each of {len(models)} models, got {len(names)}")
    return [replace(each, name=str(name)) for each, name in zip(models, names, strict=True)]


def training_settings(ckpt: str | None) -> Mapping[str, Any]:
    """Return how a checkpoint was trained: what its run's configuration says; {} where there is none beside it.

    Folders of the run itself are left out, as each has its own, and callbacks that do not act on the training. The
    epoch of the checkpoint is among the settings.
    """
    saved = None if ckpt is None else saved_config(ckpt)
    if saved is None:
        return {}
    callbacks = saved.get("callbacks") or {}
    acting = {name: node for name, node in callbacks.items() if node and node.get("act") not in (None, "none")}
    known = saved | {"callbacks": acting}
    settings = {group: _without(known.get(group), str(saved.get("out"))) for group in TRAINING}
    return settings | {"epoch": checkpoint_epoch(ckpt)}


def checkpoint_epoch(ckpt: str | Path) -> int | None:
    """Return the epoch after which a checkpoint of Lightning was written; None where it does not say."""
    try:
        saved = torch.load(ckpt, map_location="meta", weights_only=False)
    except (OSError, RuntimeError, UnpicklingError, EOFError):
        return None
    return saved.get("epoch") if isinstance(saved, dict) else None


def _without(node: Any, folder: str) -> Any:
    """A configuration without the paths that lie in a folder."""
    if isinstance(node, dict):
        return {key: _without(each, folder) for key, each in node.items()}
    if isinstance(node, list):
        return [_without(each, folder) for each in node]
    return None if isinstance(node, str) and node.startswith(folder) else node
