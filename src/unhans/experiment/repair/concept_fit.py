"""The samples that a concept activation vector is fitted on, and the concept itself."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.artifacts import put_on
from unhans.clarc import Concept, check_layer, least_effect, rank_layers
from unhans.data import ImageDataset, read_samples
from unhans.effects import draw_evenly, drawn
from unhans.experiment.repair.repair_task import AUTO, RepairTask
from unhans.repair import ConceptSource, FittedConcept
from unhans.terminal import ConfigurationError

TIED = 0.01  # of the AUC: layers that separate about as well as the best
TRIED = 8  # layers at most where projecting is tried
LOOKED_AT = 100  # training images at most that it is tried on

Pair = tuple[Tensor, Tensor]  # training images with and without the artifact (n, C, H, W) as the network takes them


@dataclass(frozen=True)
class Concepts:
    """Fits concepts of a task's artifact.

    They are fitted on training images: "found" are those that carry the artifact, against the others of its class;
    "pasted" are the same images of all classes, with the artifact pasted on them and as they are.
    """

    task: RepairTask

    @property
    def source(self) -> ConceptSource:
        """Which samples: those asked for, else "found" where there are two or more of both kinds."""
        if self.task.options.concept is not None:
            return self.task.options.concept
        return "found" if min(map(len, self._found())) > 1 else "pasted"

    def check(self, layers: bool = True) -> None:
        """Refuse what could not be fitted: no samples of a kind, or a named layer that cannot be corrected."""
        self._check_samples()
        if self.task.options.layer != AUTO and layers:
            index = np.arange(min(8, len(self._images)))
            example, _ = read_samples(self._images, index)
            check_layer(self.task.subject.network, self.task.options.layer, example[:1].to(self.task.subject.device))

    def concept(self, network: nn.Module, seed: int) -> Concept:
        """Return the concept at the layer of the settings, or at the one where projecting it out works best.

        Of the layers where it separates held-out samples best, that is the one where least of the effect is left on
        training images; results are reported on validation images.
        """
        one, auto = self.task.options, self.task.options.layer == AUTO
        pair = self._read_found(seed) if self.source == "found" else self._read_pasted(seed, one.samples)[0]
        options = {"estimator": one.estimator, "spatial": one.spatial, "seed": seed}
        where = {"batch_size": self.task.subject.batch_size, "device": self.task.subject.device}
        layers = None if auto else [one.layer]
        ranked = rank_layers(network, *pair, layers, **options, **where)
        if not auto:
            return ranked[0]
        best = [each for each in ranked if each.separation >= ranked[0].separation - TIED][:TRIED]
        return least_effect(network, best, *self._trial(seed), self.task.known.label, **where).concept

    def summary(self, concept: Concept) -> FittedConcept:
        """Return what is told of a concept."""
        told = [each.name for each in fields(FittedConcept) if each.name != "source"]
        return FittedConcept(**{name: getattr(concept, name) for name in told}, source=self.source)

    @property
    def _images(self) -> ImageDataset:
        return self.task.subject.splits["train"]

    def _found(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        carriers = self.task.known.carriers["train"]
        own = (self._images.labels == self.task.known.label) & ~self._images.unreadable.numpy()
        return np.flatnonzero(own & carriers), np.flatnonzero(own & ~carriers)

    def _check_samples(self) -> None:
        if self.source == "pasted":
            return
        for indices, word in zip(self._found(), ("affected", "unaffected"), strict=True):
            if len(indices) < 2:
                raise ConfigurationError(
                    f"a concept needs two or more {word} training images of class {self.task.known.class_name!r}, got "
                    f"{len(indices)}; concept=pasted fits it on images that the artifact is pasted on."
                )

    def _read_found(self, seed: int) -> Pair:
        parts = [drawn(indices, self.task.options.samples, seed) for indices in self._found()]
        affected, unaffected = (read_samples(self._images, indices)[0] for indices in parts)
        return affected, unaffected

    def _trial(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Training images of all classes without and with the artifact pasted, and their labels."""
        (affected, unaffected), labels = self._read_pasted(seed, min(LOOKED_AT, self.task.options.samples))
        return unaffected, affected, torch.from_numpy(labels)

    def _read_pasted(self, seed: int, most: int) -> tuple[Pair, NDArray[np.int64]]:
        """Read images that nobody is known to carry the artifact on, and paste it; return their labels as well."""
        usable = ~self.task.known.carriers["train"] & ~self._images.unreadable.numpy()
        chosen = draw_evenly(self._images.labels, np.flatnonzero(usable), most, seed)
        images, kept = read_samples(self._images, chosen)
        pasted = put_on(self.task.known.artifact, self._images.scale.to_display(images), kept)
        return (self._images.scale.to_model(pasted), images), self._images.labels[kept]
