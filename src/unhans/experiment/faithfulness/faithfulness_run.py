"""Measures of the heatmaps of every method and class: computed once, kept, and taken again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import Attribution, explain_all, run_with_hooks
from unhans.data import draw_per_class, fingerprint_of, read_samples
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.faithfulness import (
    MEASURES,
    MethodMeasures,
    Order,
    PerturbationCurves,
    PixelRange,
    RegionPerturbation,
    heatmap_values,
)
from unhans.harness import pixel_range, predicted_classes
from unhans.report import Say
from unhans.store import digest, file_stem, jsonable, replacing
from unhans.terminal import ConfigurationError

RANDOM = "random order"  # measured once for all methods
POOL = 9  # images that mixtures are drawn from: eight others for each


@dataclass(frozen=True)
class ClassImages:
    """Images of one class that could be read, and the classes that are explained.

    Attributes:
        label: their class.
        index: in the data set (n,).
        images: as the network takes them, on its device (n, C, H, W).
        targets: on that device (n,).
    """

    label: int
    index: NDArray[np.int64]
    images: Tensor
    targets: Tensor


@dataclass(frozen=True)
class FaithfulnessRun:
    """Computes what is not in the folder yet, method by method and class by class.

    Attributes:
        subject: the network and its data.
        methods: by name.
        perturbation: how regions are replaced.
        orders: "morf", "lerf" or both.
        target: "predicted" class or "label" that is explained and whose score is asked.
        chosen: images by label.
        path, noise: of continuity; see `heatmap_values`.
    """

    subject: Subject
    methods: Mapping[str, Attribution]
    perturbation: RegionPerturbation
    orders: Sequence[Order]
    target: Literal["predicted", "label"]
    chosen: Mapping[int, NDArray[np.int64]]
    path: int
    noise: float

    def check(self) -> None:
        """Raise ValueError for what cannot be perturbed.

        Raises:
            ValueError: regions are larger than the images, steps more than regions, or there is no other image to mix.
        """
        self.perturbation.grid(self.subject.size)
        if self.perturbation.replace == "dirichlet" and len(self._pool_index) < 2:
            raise ConfigurationError(
                "analysis.replace=dirichlet mixes pixels of other images, but there is one image alone."
            )

    @property
    def missing(self) -> dict[int, list[str]]:
        """By label what is not there of random order and the methods."""
        asked = {
            label: [name for name in (RANDOM, *self.methods) if not self.stored(name, label)] for label in self.chosen
        }
        return {label: names for label, names in asked.items() if names}

    def passes(self, missing: Mapping[int, Sequence[str]]) -> int:
        """Return how many perturbed images pass the network."""
        per_image = {name: sum(map(self.perturbation.draws, self.orders)) for name in self.methods}
        per_image[RANDOM] = self.perturbation.draws("random")
        steps = self.perturbation.steps + 1
        return sum(
            len(self.chosen[label]) * steps * per_image[name] for label, names in missing.items() for name in names
        )

    def seconds_per_pass(self) -> float:
        """Return how long a perturbed image takes, from one batch, after a first that is not counted."""
        dataset = self.subject.dataset
        image, _ = read_samples(dataset, next(iter(self.chosen.values()))[:1])
        if not len(image):
            return float("nan")
        batch = image.to(self.subject.device).expand(self.perturbation.at_once, -1, -1, -1)
        for _ in range(2):
            began = time.perf_counter()
            run_with_hooks(self.subject.network, batch, {})
            if self.subject.device.type == "cuda":
                torch.cuda.synchronize(self.subject.device)
        return (time.perf_counter() - began) / len(batch)

    def compute(self, missing: Mapping[int, Sequence[str]], say: Say) -> None:
        """Measure what is missing; each class and method is kept as soon as it is done."""
        for label, names in missing.items():
            read = self.read(label)
            if read is None:
                continue
            for name in names:
                advance = partial(say, f"{name}: class {self.subject.classes[label]}")
                self._save(name, label, self._measured(name, read, advance))

    def measures(self) -> tuple[MethodMeasures, dict[str, MethodMeasures], NDArray[np.int64]]:
        """Return random order and every method, of the same images in the same order, and the labels of these (n,).

        Raises:
            ValueError: no image could be read.
        """
        whole = {label: [self.stored(name, label) for name in (RANDOM, *self.methods)] for label in self.chosen}
        there = {label: _aligned(found) for label, found in whole.items() if all(found)}
        if not there:
            raise ValueError("none of the drawn images could be read; their paths are above.")
        joined = [MethodMeasures.joined(parts) for parts in zip(*there.values(), strict=True)]
        labels = [np.full(len(found[0].index), label) for label, found in there.items()]
        return joined[0], dict(zip(self.methods, joined[1:], strict=True)), np.concatenate(labels)

    def read(self, label: int, indices: NDArray[np.int64] | None = None) -> ClassImages | None:
        """Read images of a class, all that are drawn or those of these indices; None where none can be read."""
        images, index = read_samples(self.subject.dataset, self.chosen[label] if indices is None else indices)
        if not len(index):
            return None
        images = images.to(self.subject.device)
        if self.target == "label":
            return ClassImages(label, index, images, torch.full((len(index),), label, device=images.device))
        return ClassImages(
            label, index, images, predicted_classes(self.subject.network, images, self.subject.batch_size)
        )

    def heatmaps(self, name: str, read: ClassImages) -> NDArray[np.float32]:
        """Return the heatmaps of a method (n, H, W).

        Raises:
            ConfigurationError: they have another size than the images.
        """
        explain = self.methods[name].of(self.subject.network)
        maps = explain_all(
            explain, read.images, read.targets, self.subject.batch_size, self.subject.device
        ).maps.numpy()
        if maps.shape[1:] != tuple(read.images.shape[2:]):
            raise ConfigurationError(
                f"analysis=faithfulness expects heatmaps of the images' size {self.subject.size}, but those of {name} "
                f"have {maps.shape[1:]}; explain the input, attribution.layer=null."
            )
        return maps

    @cached_property
    def valid(self) -> PixelRange:
        """The range of pixels as the network takes them."""
        return pixel_range(self.subject.dataset.scale)

    @cached_property
    def pool(self) -> Tensor | None:
        """Images that mixtures are drawn from, of all classes."""
        if self.perturbation.replace != "dirichlet":
            return None
        images, index = read_samples(self.subject.dataset, self._pool_index)
        if len(index) < 2:
            raise ValueError("analysis.replace=dirichlet mixes pixels of other images, but fewer than two can be read.")
        return images.to(self.subject.device)

    @cached_property
    def _pool_index(self) -> NDArray[np.int64]:
        every = np.concatenate(list(draw_per_class(self.subject.dataset.labels, POOL, self.subject.seed).values()))
        return np.sort(np.random.default_rng(self.subject.seed).permutation(every)[:POOL])

    def _measured(self, name: str, read: ClassImages, advance: Callable[[int], None]) -> MethodMeasures:
        targets = read.targets.cpu().numpy()
        if name == RANDOM:
            nothing = np.zeros((len(targets), *read.images.shape[2:]))
            curves = {"random": self._curves(nothing, read, "random", advance)}
            return MethodMeasures(read.index, targets, curves, {})
        maps = self.heatmaps(name, read)
        curves = {order: self._curves(maps, read, order, advance) for order in self.orders}
        explain = self.methods[name].of(self.subject.network)
        options = {"path": self.path, "noise": self.noise, "seed": self.subject.seed}
        return MethodMeasures(
            read.index, targets, curves, heatmap_values(explain, read.images, read.targets, maps, **options)
        )

    def _curves(
        self, maps: NDArray[np.floating], read: ClassImages, order: Order, advance: Callable[[int], None]
    ) -> PerturbationCurves:
        orders = self.perturbation.orders(maps, read.images, order)
        given = (read.images, read.targets, orders, self.valid, self.pool, advance)
        return self.perturbation.curves(self.subject.network, *given)

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What every measure depends on; how many images pass at once changes no more than rounding."""
        settings = {key: value for key, value in asdict(self.perturbation).items() if key != "at_once"}
        pool = None if self.pool is None else fingerprint_of(self.subject.dataset, self._pool_index)
        return settings | {"target": self.target, "model": weights_of(self.subject.network), "pool": pool}

    def key(self, name: str, label: int) -> str:
        """Return a digest of all that the measures of a method and class depend on."""
        images = fingerprint_of(self.subject.dataset, self.chosen[label]), self.chosen[label]
        own = {} if name == RANDOM else {
            "method": repr(self.methods[name]), "orders": list(self.orders), "path": self.path, "noise": self.noise,
            "measures": MEASURES,
        }  # fmt: skip
        return digest(jsonable(self._common | own), label, self.subject.seed, *images)

    def stored(self, name: str, label: int) -> MethodMeasures | None:
        """Return what is stored of a method and class, unless it depends on something else."""
        try:
            with np.load(self._file(name, label)) as file:
                return _unpacked(dict(file)) if str(file["key"]) == self.key(name, label) else None
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def _save(self, name: str, label: int, found: MethodMeasures) -> None:
        with replacing(self._file(name, label)) as part, part.open("wb") as file:
            np.savez(file, key=self.key(name, label), **_packed(found))

    def _file(self, name: str, label: int) -> Path:
        number = 0 if name == RANDOM else 1 + list(self.methods).index(name)
        folder = self.subject.out / "measures" / file_stem(label, self.subject.classes[label])
        return folder / f"{file_stem(number, name)}.npz"


def _aligned(parts: Sequence[MethodMeasures]) -> list[MethodMeasures]:
    """The measures of the images that all of them have: a file may have been unreadable for a while."""
    common = set.intersection(*(set(one.index.tolist()) for one in parts))
    return [one.take(np.array([index in common for index in one.index.tolist()], bool)) for one in parts]


def _packed(found: MethodMeasures) -> dict[str, NDArray[Any]]:
    curves = {
        f"{kind} {order}": getattr(one, kind) for order, one in found.curves.items() for kind in ("scores", "changed")
    }
    return {"index": found.index, "targets": found.targets} | curves | {
        f"value {name}": value for name, value in found.values.items()
    }  # fmt: skip


def _unpacked(file: Mapping[str, NDArray[Any]]) -> MethodMeasures:
    def of(kind: str) -> dict[str, NDArray[Any]]:
        return {name.partition(" ")[2]: each for name, each in file.items() if name.startswith(f"{kind} ")}

    scores, changed = of("scores"), of("changed")
    curves = {order: PerturbationCurves(scores[order], changed[order]) for order in scores}
    return MethodMeasures(file["index"], file["targets"], curves, of("value"))
