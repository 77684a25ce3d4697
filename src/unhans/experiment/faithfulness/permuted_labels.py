"""The same network trained on permuted labels: it has learned nothing of the classes [Adebayo et al. 2018, § 5]."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import nn

from unhans.data.sources import ImageData
from unhans.effects import draw_evenly
from unhans.experiment.repair import FineTuning, accelerator_of, fine_tuning_of, forget, images_key
from unhans.experiment.run import Subject, build_network, saved_config, trained_network
from unhans.experiment.survey import weights_of
from unhans.harness import accuracy_of
from unhans.models import load_network, save_network
from unhans.stats import Estimate
from unhans.store import digest, jsonable, read_json, write_json
from unhans.terminal import ConfigurationError

COUNTED = 1000  # training images by which is told how many permuted labels were learned, at most


@dataclass(frozen=True)
class PermutedLabels:
    """A network to hold heatmaps against: given, or trained here from the start that the run's seed draws.

    Attributes:
        cfg: the completed configuration of the trained network.
        subject: its data and device.
        ckpt: of a network that was trained on permuted labels; None to train one.
        tuning: how it is trained; None where it is given.
        seed: of the run: draws the start and permutes the labels.
    """

    cfg: DictConfig
    subject: Subject
    ckpt: str | None
    tuning: FineTuning | None
    seed: int

    def start(self) -> nn.Module:
        """Return a network as it was before training: drawn by the run's seed, or with the weights it began with."""
        torch.manual_seed(self.seed)
        fresh = build_network(OmegaConf.merge(self.cfg, {"ckpt": None}), self.subject.data)
        return fresh.to(self.subject.device).eval()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of the training images (N,), permuted among those that have one."""
        labels = np.array(self.subject.data.train_set.labels)
        known = np.flatnonzero(labels >= 0)
        labels[known] = np.random.default_rng([self.seed, len(labels)]).permutation(labels[known])
        return labels

    @property
    def work(self) -> int:
        """How many training images have yet to pass the network; 0 where it is given or there."""
        return 0 if self.tuning is None or self._stored() else self.tuning.epochs * len(self.subject.data.train_set)

    def network(self) -> nn.Module:
        """Return the network; what was trained before, with the same settings, is taken again.

        Raises:
            ConfigurationError: the given one is of another architecture.
        """
        if self.tuning is None:
            return trained_network(OmegaConf.merge(self.cfg, {"ckpt": self.ckpt}), self.subject.data).to(
                self.subject.device
            )
        network, classes = self.start(), self.subject.data.classes
        if self._stored():
            return load_network(network, classes, self._folder / "network.ckpt").to(self.subject.device).eval()
        self._folder.mkdir(parents=True, exist_ok=True)
        if (read_json(self._folder / "begun.json") or {}).get("key") != self._key:
            forget(self._folder)
            write_json(self._folder / "begun.json", {"key": self._key})
        network = self.tuning.tuned(network, self._data(), self.seed, [], self._folder)
        save_network(network, classes, self._folder / "network.ckpt")
        write_json(self._folder / "network.json", {"key": self._key})
        forget(self._folder)
        return network.to(self.subject.device).eval()

    def learned(self, network: nn.Module) -> Estimate | None:
        """Return the share of permuted labels that a network gives; None of one that was given, whose are not known."""
        if self.tuning is None:
            return None
        dataset, labels = self.subject.splits["train"], self.labels
        drawn = draw_evenly(labels, np.flatnonzero(labels >= 0), COUNTED, self.seed)
        return accuracy_of(network, dataset, labels, drawn, self.subject.device, self.subject.batch_size)

    def _data(self) -> ImageData:
        view, images = copy.copy(self.subject.data), copy.copy(self.subject.data.train_set)
        images.labels, view.train_set = self.labels, images
        return view

    @property
    def _folder(self) -> Path:
        return self.subject.out / "permuted"

    @cached_property
    def _key(self) -> str:
        assert self.tuning is not None
        settings = jsonable({"training": self.tuning.settings, "data": images_key(self.subject.data)})
        return digest(settings, self.seed, self.labels, weights_of(self.start()))

    def _stored(self) -> bool:
        known = (read_json(self._folder / "network.json") or {}).get("key") == self._key
        return known and (self._folder / "network.ckpt").is_file()


def permuted_labels(cfgs: Sequence[DictConfig], subject: Subject) -> PermutedLabels | None:
    """Return what the options `permuted` and `permuted_epochs` of the analysis ask for; None for nothing.

    Raises:
        ConfigurationError: both are given, or there is no such checkpoint.
    """
    cfg = cfgs[0]
    ckpt, epochs = cfg.analysis.get("permuted"), cfg.analysis.get("permuted_epochs") or 0
    if ckpt is None and not epochs:
        return None
    if ckpt is not None and epochs:
        raise ConfigurationError(
            "analysis.permuted gives a network, analysis.permuted_epochs trains one; give one of them."
        )
    if ckpt is not None and not Path(ckpt).is_file():
        raise ConfigurationError(f"analysis.permuted expects a checkpoint file, but {ckpt} does not exist.")
    seed = (saved_config(cfg.ckpt) or {}).get("seed", subject.seed) if cfg.ckpt else subject.seed
    tuning = None
    if epochs:
        longer = OmegaConf.merge(cfg, {"trainer": {"max_epochs": epochs}})
        tuning = fine_tuning_of(longer, accelerator_of(subject.device))
    return PermutedLabels(cfg, subject, ckpt, tuning, seed)
