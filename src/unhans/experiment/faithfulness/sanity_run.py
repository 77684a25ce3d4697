"""Heatmaps of a few images while the network's layers become random, kept and taken again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unhans.attribution import explain_all
from unhans.comparison import spearman
from unhans.data import fingerprint_of
from unhans.experiment.faithfulness.faithfulness_run import ClassImages, FaithfulnessRun
from unhans.experiment.survey import weights_of
from unhans.faithfulness import RandomizedStep, layers_from_top, randomized_similarity
from unhans.report import Say, progress
from unhans.store import digest, file_stem, read_json, record_from, write_json

MOST = 12  # layers after which heatmaps are compared


@dataclass(frozen=True)
class SanityRun:
    """Compares the heatmaps of every method.

    Attributes:
        run: the methods and the images.
        images: how many, drawn from all classes.
    """

    run: FaithfulnessRun
    images: int

    def steps(self) -> dict[str, list[RandomizedStep]]:
        """Return by method how similar its heatmaps are, layer by layer from the top."""
        if self._read is None:
            return {}
        layers = layers_from_top(self.run.subject.network, self._read.images[:1])
        at = {layers[i] for i in np.linspace(0, len(layers) - 1, min(MOST, len(layers))).round().astype(int)}
        with progress(len(self.run.methods) * len(at)) as say:
            return {name: self._of(name, layers, at, say) for name in self.run.methods}

    def against(self, networks: Mapping[str, nn.Module]) -> dict[str, list[RandomizedStep]]:
        """Return by method how similar its heatmaps are to those of other networks of the same form, by their names."""
        if self._read is None:
            return {}
        with progress(len(self.run.methods)) as say:
            found = {}
            for name in self.run.methods:
                found[name] = self._kept(name, "labels", {key: weights_of(n) for key, n in networks.items()}, partial(
                    self._compared, name, networks))  # fmt: skip
                say(f"{name}: other labels", 1)
            return found

    def _compared(self, name: str, networks: Mapping[str, nn.Module]) -> list[RandomizedStep]:
        own = self._maps(name, self.run.subject.network)
        found = []
        for key, network in networks.items():
            maps = self._maps(name, network)
            found.append(RandomizedStep(key, spearman(np.abs(own), np.abs(maps)), spearman(own, maps)))
        return found

    def _of(self, name: str, layers: list[str], at: set[str], say: Say) -> list[RandomizedStep]:
        def advance(layer: str) -> None:
            say(f"{name}: random down to {layer}", 1)

        network, seed = self.run.subject.network, self.run.subject.seed
        randomized = partial(randomized_similarity, network, partial(self._maps, name), layers, seed, at, advance)
        return self._kept(name, "random", sorted(at), randomized)

    def _maps(self, name: str, network: nn.Module) -> NDArray[np.float32]:
        read, subject = self._read, self.run.subject
        explain = self.run.methods[name].of(network)
        return explain_all(explain, read.images, read.targets, subject.batch_size, subject.device).maps.numpy()

    def _kept(
        self, name: str, check: str, depends: Any, compute: Callable[[], list[RandomizedStep]]
    ) -> list[RandomizedStep]:
        """A check of a method, from the folder where nothing that it depends on has changed."""
        key = self._key(name, depends)
        path = self.run.subject.out / "measures" / f"{file_stem(list(self.run.methods).index(name), name)}-{check}.json"
        stored = read_json(path)
        if stored is not None and stored.get("key") == key:
            return [record_from(RandomizedStep, each) for each in stored["steps"]]
        found = compute()
        write_json(path, {"key": key, "steps": found})
        return found

    def _key(self, name: str, depends: Any) -> str:
        subject, read = self.run.subject, self._read
        images = fingerprint_of(subject.dataset, read.index), read.index, read.targets
        return digest(weights_of(subject.network), repr(self.run.methods[name]), subject.seed, depends, *images)

    @cached_property
    def _read(self) -> ClassImages | None:
        """The first images of every class in turn."""
        columns = [(place, label, index) for label, rows in self.run.chosen.items() for place, index in enumerate(rows)]
        drawn = sorted(columns)[: self.images]
        parts = [self.run.read(label, np.array([index])) for _, label, index in drawn]
        there = [part for part in parts if part is not None]
        if not there:
            return None
        index = np.concatenate([part.index for part in there])
        images, targets = (torch.cat([getattr(part, name) for part in there]) for name in ("images", "targets"))
        return ClassImages(-1, index, images, targets)
