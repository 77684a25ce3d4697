"""Scores of training images for the queries of every class, and the clusters of its gradients: computed once, kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.experiment.influence.influence_samples import InfluenceSamples
from unhans.experiment.survey import weights_of
from unhans.influence import GradientClusters, GradientCosine, cluster_gradients
from unhans.lrp.tracing import logits_of
from unhans.report import Say
from unhans.spray import SpRAy
from unhans.store import digest, file_stem, jsonable, read_json, record_from, replacing, write_json


@dataclass(frozen=True)
class ClassScores:
    """The scores for the queries of one class.

    Attributes:
        label: the class.
        queries: those that could be read, by their index among training and validation images (q,).
        predicted: the classes that the network takes them for (q,).
        training: the training images that could be read, likewise (n,).
        scores: (q, n) float32.
    """

    label: int
    queries: NDArray[np.int64]
    predicted: NDArray[np.int64]
    training: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class InfluenceRun:
    """Computes what is not in the folder yet; a class that is finished is read.

    Attributes:
        samples: which images.
        cosine: how gradients are compared.
        spray: how they are clustered.
    """

    samples: InfluenceSamples
    cosine: GradientCosine
    spray: SpRAy

    @cached_property
    def parameters(self) -> int:
        """How many parameters the gradients are of."""
        return sum(self._sizes)

    @property
    def missing(self) -> list[int]:
        """The classes whose scores are not there."""
        return [label for label in self.samples.queries if self._stored(label) is None]

    def count_passes(self, labels: Sequence[int]) -> int:
        """Return how often the training images are read for these classes."""
        queries = self.samples.queries
        sizes = [sum(len(queries[label]) for label in block) for block in self._blocks(labels)]
        return sum(math.ceil(size / self._together(self.parameters)) for size in sizes)

    def count_cluster_reads(self) -> int:
        """Return how many images are read to cluster the gradients of all classes whose carriers are known."""
        counts = [len(self.samples.clustered(label)) for label in self.samples.queries if self.samples.is_known(label)]
        return sum(n * (1 + math.ceil(n / self._together(size))) for n in counts for size in self._sizes)

    def scores(self, labels: Sequence[int], say: Say) -> list[ClassScores]:
        """Compute the scores for these classes, as many at once as fit into memory, and return those of all classes."""
        for block in self._blocks(labels):
            for found in self._computed(block, say):
                self._save(found)
        every = [found for label in self.samples.queries if (found := self._stored(label)) is not None]
        if not every:
            raise ValueError("none of the queries could be read; their paths are above.")
        common = np.array(sorted(set.intersection(*(set(one.training.tolist()) for one in every))), dtype=np.int64)
        return [
            replace(one, training=common, scores=one.scores[:, np.isin(one.training, common)]) for one in every
        ]  # a file may have been unreadable for a while

    def clusters(self, label: int) -> list[GradientClusters]:
        """Cluster the gradients of a class whose carriers are known, for every prefix of the layers.

        Raises:
            ValueError: there are too few images to cluster, or none with or none without the artifact.
        """
        index = self.samples.clustered(label)
        carriers = self.samples.carriers
        if carriers is None or len(np.unique(carriers[index])) < 2:
            raise ValueError(
                f"of its {len(index)} images in split={self.samples.subject.split} some must be known to carry the "
                "artifact, and some not."
            )
        key = self._settings(index) | {
            "spray": self.spray.settings(),
            "carriers": digest(carriers[index]),
        }
        path = self._folder / f"{self._stem(label)}-clusters.json"
        stored = read_json(path)
        if stored is not None and stored.get("key") == jsonable(key):
            return [record_from(GradientClusters, each) for each in stored["clusters"]]
        kept: list[NDArray[np.int64]] = []

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            kept.clear()
            return self.samples.read(index, kept)

        grams = self.cosine.gram(self.samples.subject.network, batches)
        found = cluster_gradients(grams, self.spray, carriers[np.concatenate(kept)])
        write_json(path, {"key": jsonable(key), "clusters": found})
        return found

    def _computed(self, labels: Sequence[int], say: Say) -> Iterator[ClassScores]:
        """Give the scores for some classes, whose queries are held together."""
        samples, network = self.samples, self.samples.subject.network
        names = [samples.subject.data.classes[label] for label in labels]
        what = f"class {names[0]}" if len(names) == 1 else f"classes {names[0]} to {names[-1]}"
        asked: list[NDArray[np.int64]] = []
        read: list[NDArray[np.int64]] = []
        queries = list(samples.read(np.concatenate([samples.queries[label] for label in labels]), asked))
        if not queries:
            return
        with torch.no_grad():
            predicted = torch.cat([logits_of(network(images)).argmax(1).cpu() for images, _ in queries]).numpy()

        def training() -> Iterator[tuple[Tensor, Tensor]]:
            read.clear()
            return samples.read(samples.training, read)

        scores = self.cosine.scores(network, queries, training, lambda n: say(f"scoring for {what}", n))
        index, ranked = np.concatenate(asked), np.concatenate(read)
        for label in labels:
            own = samples.images.labels[index] == label
            if own.any():
                yield ClassScores(label, index[own], predicted[own], ranked, scores.numpy().astype(np.float32)[own])

    @cached_property
    def _sizes(self) -> list[int]:
        """How many parameters each layer has."""
        layers = (self.samples.subject.network.get_submodule(layer) for layer in self.cosine.layers)
        return [sum(p.numel() for p in layer.parameters()) for layer in layers]

    def _together(self, parameters: int) -> int:
        """How many gradients by so many parameters are in memory at once."""
        return max(1, int(self.cosine.memory / (4 * parameters)))

    def _blocks(self, labels: Sequence[int]) -> list[list[int]]:
        """Put classes together whose queries fit into memory with their gradients."""
        together = self.cosine.memory / (4 * (self.parameters + 3 * self.samples.subject.data.image_size**2))
        blocks: list[list[int]] = []
        held = 0
        for label in labels:
            count = len(self.samples.queries[label])
            if not blocks or held + count > together:
                blocks.append([])
                held = 0
            blocks[-1].append(label)
            held += count
        return blocks

    @property
    def _folder(self) -> Path:
        return self.samples.subject.out / "scores"

    def _stem(self, label: int) -> str:
        return file_stem(label, self.samples.subject.data.classes[label])

    def _settings(self, index: NDArray[np.int64]) -> dict[str, Any]:
        """What decides gradients of some images."""
        cosine = {"layers": list(self.cosine.layers), "of": self.cosine.of, "normalise": self.cosine.normalise}
        return {"model": self._weights, "images": self.samples.fingerprint(index)} | cosine

    @cached_property
    def _weights(self) -> str:
        return weights_of(self.samples.subject.network)

    @cached_property
    def _content(self) -> str:
        """What the scores of every class depend on."""
        return digest(jsonable(self._settings(self.samples.training)))

    def _key(self, label: int) -> str:
        queries = self.samples.queries[label]
        return digest(self._content, self.samples.fingerprint(queries), queries, self.samples.training)

    def _stored(self, label: int) -> ClassScores | None:
        """Return what is stored of a class, unless it depends on something else."""
        try:
            with np.load(self._path(label)) as file:
                if str(file["key"]) != self._key(label):
                    return None
                return ClassScores(label, *(file[name] for name in ("queries", "predicted", "training", "scores")))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def _save(self, found: ClassScores) -> None:
        with replacing(self._path(found.label)) as part, part.open("wb") as file:
            np.savez(
                file, queries=found.queries, predicted=found.predicted, training=found.training, scores=found.scores,
                key=self._key(found.label),
            )  # fmt: skip

    def _path(self, label: int) -> Path:
        return self._folder / f"{self._stem(label)}.npz"
