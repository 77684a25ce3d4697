"""The samples that a concept activation vector is fitted on, and the concept itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.artifacts import put_on
from unhans.clarc import Concept, activations, channel_axis, check_layer, fit, least_effect, rank_layers
from unhans.data import ImageDataset, read_samples
from unhans.effects import drawn, evenly
from unhans.experiment.repair.repair_options import AUTO, ConceptFrom, Settings
from unhans.experiment.run import ConfigurationError, Subject
from unhans.harness import Affected

TIED = 0.01  # of the AUC: layers that separate about as well as the best
TRIED = 8  # layers at most where projecting is tried
LOOKED_AT = 100  # training images at most that it is tried on

WORDS: dict[ConceptFrom, str] = {
    "found": "images of the class with the artifact against its others",
    "pasted": "the same images with and without the artifact pasted",
}


@dataclass(frozen=True)
class Samples:
    """Training images with and without the artifact, (n, C, H, W) as the network takes them."""

    affected: Tensor
    unaffected: Tensor


@dataclass(frozen=True)
class Concepts:
    """Fits concepts of one artifact.

    They are fitted on training images: "found" are those that carry the artifact, against the others of its class;
    "pasted" are the same images of all classes, with the artifact pasted on them and as they are.
    """

    subject: Subject
    affected: Affected
    settings: Settings

    @property
    def source(self) -> ConceptFrom:
        """Which samples: those asked for, else "found" where there are two or more of both kinds."""
        if self.settings.concept is not None:
            return self.settings.concept
        return "found" if min(map(len, self._found())) > 1 else "pasted"

    def check(self, layers: bool = True) -> None:
        """Refuse what could not be fitted: no samples of a kind, or a named layer that cannot be corrected."""
        self._check_samples()
        if self.settings.layer != AUTO and layers:
            index = np.arange(min(8, len(self._images)))
            example, _ = read_samples(self._images, index)
            check_layer(self.subject.network, self.settings.layer, example[:1].to(self.subject.device))

    def concept(self, network: nn.Module, seed: int) -> Concept:
        """Return the concept at the layer of the settings, or at the one where projecting it out works best.

        Of the layers where it separates held-out samples best, that is the one where least of the effect is left on
        training images; results are reported on validation images.
        """
        samples, one = self.samples(seed), self.settings
        options = {"estimator": one.estimator, "spatial": one.spatial, "seed": seed}
        where = {"batch_size": self.subject.batch_size, "device": self.subject.device}
        if one.layer == AUTO:
            ranked = rank_layers(network, samples.affected, samples.unaffected, **options, **where)
            best = [each for each in ranked if each.separation >= ranked[0].separation - TIED][:TRIED]
            return least_effect(network, best, *self._trial(seed), self.affected.label, **where).concept
        images = torch.cat([samples.affected, samples.unaffected])
        carries = np.arange(len(images)) < len(samples.affected)
        axis = channel_axis(network, one.layer, images[:1].to(self.subject.device))
        return fit(activations(network, one.layer, images, **where), carries, layer=one.layer, axis=axis, **options)

    def samples(self, seed: int) -> Samples:
        """Draw and read the samples."""
        return self._read_found(seed) if self.source == "found" else self._read_pasted(seed, self.settings.samples)[0]

    def note(self, concept: Concept) -> str:
        """Say what was fitted where."""
        return (
            f"{concept.estimator} at {concept.layer}, {concept.spatial}, AUC {concept.separation:.3f}, "
            f"from {concept.n_affected} and {concept.n_unaffected} images: {WORDS[self.source]}"
        )

    @property
    def _images(self) -> ImageDataset:
        return self.subject.data.train_set.without_augmentation()

    def _found(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        carriers = self.affected.carriers["train"]
        own = (self._images.labels == self.affected.label) & ~self._images.unreadable.numpy()
        return np.flatnonzero(own & carriers), np.flatnonzero(own & ~carriers)

    def _check_samples(self) -> None:
        if self.source == "pasted":
            return
        for indices, word in zip(self._found(), ("affected", "unaffected"), strict=True):
            if len(indices) < 2:
                raise ConfigurationError(
                    f"a concept needs two or more {word} training images of class {self.affected.class_name!r}, got "
                    f"{len(indices)}; concept=pasted fits it on images that the artifact is pasted on."
                )

    def _read_found(self, seed: int) -> Samples:
        parts = [drawn(indices, self.settings.samples, seed) for indices in self._found()]
        return Samples(*(read_samples(self._images, indices)[0] for indices in parts))

    def _trial(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Training images of all classes without and with the artifact pasted, and their labels."""
        samples, labels = self._read_pasted(seed, min(LOOKED_AT, self.settings.samples))
        return samples.unaffected, samples.affected, torch.from_numpy(labels)

    def _read_pasted(self, seed: int, most: int) -> tuple[Samples, NDArray[np.int64]]:
        """Read images that nobody is known to carry the artifact on, and paste it; return their labels as well."""
        usable = ~self.affected.carriers["train"] & ~self._images.unreadable.numpy()
        chosen = evenly(self._images.labels, np.flatnonzero(usable), most, seed)
        images, kept = read_samples(self._images, chosen)
        pasted = put_on(self.affected.artifact, self._images.denormalise(images), kept)
        return Samples(self._images.normalise(pasted), images), self._images.labels[kept]
