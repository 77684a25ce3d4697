"""Trainings with and without a decoy: what each was trained with, and which differ in the seed only."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import nn

from unhans.artifacts import Artifact, EdgePadding
from unhans.data import ImageDataset
from unhans.data.sources import ImageData
from unhans.effects import draw_evenly
from unhans.experiment.compare import differing, is_seed, load_runs, training_settings, twins_of
from unhans.experiment.run import Subject, build_data
from unhans.terminal import ConfigurationError

BASES = 100  # images that the decoy lies on alone, of each kind, at most
OWN = ("target", "coverage", "val_coverage", "seed")  # settings of an artifact that do not say what it looks like


class HeldOut(NamedTuple):
    """Images (n,) of classes that a network does not know, in a data set that has all classes."""

    images: ImageDataset
    index: NDArray[np.int64]


@dataclass(frozen=True)
class DecoyRun:
    """A trained network, with its own data.

    Attributes:
        name: of the network, unlike the others'.
        network: in evaluation mode, on its device.
        data: its own, prepared as it was trained.
        planted: settings of the artifact; {} where nothing was planted.
        settings: how it was trained; {} where nobody knows.
        held_out: validation images of classes that the network was not trained on; None where the data have no others.
    """

    name: str
    network: nn.Module
    data: ImageData
    planted: Mapping[str, Any]
    settings: Mapping[str, Any]
    held_out: HeldOut | None = None

    @cached_property
    def images(self) -> ImageDataset:
        """Its validation images without the decoy."""
        view = self.data.val_set.without_augmentation()
        view.artifact, view.carriers = None, np.zeros(len(view), dtype=bool)
        return view

    @property
    def look(self) -> dict[str, Any]:
        """What the decoy is, besides where it was planted."""
        return {key: value for key, value in self.planted.items() if key not in OWN}


@dataclass(frozen=True)
class DecoyTest:
    """A run that is asked about one decoy: its own, or, where nothing was planted, that of another run.

    Attributes:
        run: the network and its images.
        artifact: the decoy.
        target: name of its class.
        curve: what the decoy is, and the settings besides coverage and seed in which the runs differ.
        coverage: share of the target's training images that carried it.
    """

    run: DecoyRun
    artifact: Artifact
    target: str
    curve: str
    coverage: float

    def carriers(self) -> NDArray[np.bool_]:
        """Return which validation images (N,) would carry the decoy at the training images' coverage."""
        planted = copy.copy(self.artifact)
        planted.target, planted.val_coverage = self.target, self.coverage
        return planted.carriers(self.run.images.labels, self.run.data.classes, "val")


def decoy_runs(cfgs: Sequence[DictConfig], subject: Subject) -> list[DecoyRun]:
    """Return the runs of completed configurations, the first one being the subject's; each has its own data.

    Raises:
        ConfigurationError: a network or its data cannot be built.
    """
    found = []
    for cfg, name, data, network in load_runs(cfgs, subject):
        planted: Any = OmegaConf.to_container(cfg.artifact, resolve=True) if cfg.get("artifact") else {}
        settings = training_settings(cfg.ckpt)
        found.append(DecoyRun(name, network, data, planted, settings, _held_out(cfg, data, subject.seed)))
    return found if all(one.held_out for one in found) else [replace(one, held_out=None) for one in found]


def _held_out(cfg: DictConfig, data: ImageData, seed: int) -> HeldOut | None:
    """Some validation images of the classes that data.classes leaves out, prepared as the network takes them."""
    if not cfg.data.get("classes"):
        return None
    every = build_data(OmegaConf.merge(cfg, {"data": {"classes": None}, "artifact": None}))
    images = every.val_set.without_augmentation()
    images.artifact, images.carriers = None, np.zeros(len(images), dtype=bool)
    known = [label for label, name in enumerate(every.classes) if name in data.classes]
    unknown = np.flatnonzero(~np.isin(images.labels, known))
    return HeldOut(images, draw_evenly(images.labels, unknown, BASES, seed)) if len(unknown) else None


def decoy_tests(runs: Sequence[DecoyRun]) -> list[DecoyTest]:
    """Return what is asked of every run: its own decoy, or, where nothing was planted, each of the others'.

    Raises:
        ValueError: no run has an artifact, they have several targets, their validation images differ, or the target
            has none.
    """
    planted = [run for run in runs if run.data.artifact is not None]
    if not planted:
        raise ValueError("analysis=decoys expects at least one training with a planted artifact, got none among ckpts.")
    padded = next((run.name for run in planted if isinstance(run.data.artifact, EdgePadding)), None)
    if padded is not None:
        raise ConfigurationError(
            f"analysis=decoys puts a decoy on other images and shows it alone, but the copied borders of {padded!r} "
            "are made of each image's own pixels; analysis=squaring measures what they do."
        )
    target = _common_target(planted)
    _check_images(runs, target)
    looks = list({repr(run.look): run for run in planted}.values())
    described = differing({run.name: run.look for run in planted}) if len(looks) > 1 else {}
    besides = differing({
        run.name: {key: value for key, value in run.settings.items() if key != "artifact"} for run in runs
    })  # fmt: skip
    found = []
    for run in runs:
        for owner in [run] if run in planted else looks:
            words = [type(owner.data.artifact).__name__.lower()]
            settings = described.get(owner.name, {}) | besides[run.name]
            words += [f"{key}={value}" for key, value in settings.items() if _is_told(key, value)]
            coverage = float(run.data.artifact.coverage) if run in planted else 0.0
            found.append(DecoyTest(run, owner.data.artifact, target, ", ".join(words), coverage))
    return found


def _is_told(key: str, value: Any) -> bool:
    """Tell whether a setting is part of a curve's name: the kind is there already, another kind's has no value."""
    return key != "_target_" and value is not None and not is_seed(key)


def joined_by_seed(tests: Sequence[DecoyTest]) -> list[list[int]]:
    """Return the places of tests whose runs differ in the seed only and whose decoy is the same, group by group."""
    twins = {frozenset(pair) for pair in twins_of({test.run.name: test.run.settings for test in tests})}
    groups: list[list[int]] = []
    for number, test in enumerate(tests):
        for group in groups:
            first = tests[group[0]]
            if frozenset((first.run.name, test.run.name)) in twins and first.curve == test.curve:
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def _common_target(planted: Sequence[DecoyRun]) -> str:
    targets = {run.name: run.data.classes[run.data.artifact.target_index(run.data.classes)] for run in planted}
    first, name = next(iter(targets.items()))
    for other, found in targets.items():
        if found != name:
            raise ValueError(
                f"analysis=decoys expects trainings with one target, got {name!r} in {first!r} and {found!r} in "
                f"{other!r}; give those of one target."
            )
    return name


def _check_images(runs: Sequence[DecoyRun], target: str) -> None:
    first = runs[0]
    for run in runs:
        if _listed(run) != _listed(first):
            raise ValueError(
                f"all trainings must have the same validation images, but those of {first.name!r} and {run.name!r} "
                "differ; data.seed, data.classes and data.max_per_class_val decide which these are."
            )
    labels = [label for _, label in _listed(first)]
    if target not in labels or set(labels) == {target}:
        needed = "its own" if target not in labels else "other classes"
        raise ValueError(f"the decoy's class {target!r} needs validation images, of {needed}, got none.")


def _listed(run: DecoyRun) -> list[tuple[str, str]]:
    """The path and the class name of every validation image."""
    names = (run.data.classes[label] for label in run.images.labels)
    return list(zip(run.images.paths, names, strict=True))
