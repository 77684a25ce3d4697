"""Context ratios of every model and class: measured once, kept, and taken again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from unhans.data import fingerprint_of
from unhans.experiment.compare import Asked, ComparedModel, Viewing
from unhans.experiment.context.annotated_images import AnnotatedImages
from unhans.experiment.run import Subject
from unhans.faithfulness import ContextRatios, ContextState, context_ratio, states_after, states_before
from unhans.report import Say
from unhans.store import digest, file_stem, jsonable, replacing

FORMAT = 1  # of the stored measures


@dataclass(frozen=True)
class ContextRun:
    """Measures what is not in the folder yet, model by model and class by class.

    Attributes:
        subject: the data and the attribution.
        models: at least one, with the same images.
        images: that are asked about, and their objects.
        most: share of an image that its objects may cover.
    """

    subject: Subject
    models: Sequence[ComparedModel]
    images: AnnotatedImages
    most: float

    @cached_property
    def asked(self) -> list[Asked]:
        """The models with the images."""
        subject = self.subject
        how = Viewing(
            subject.attribution, device=subject.device, batch_size=subject.batch_size, seed=subject.seed, folder=None
        )
        return [Asked(number, model, self.images.samples, how) for number, model in enumerate(self.models)]

    @property
    def labels(self) -> list[int]:
        """The labels of the classes, as places among the names."""
        return np.unique(self.images.samples.labels).tolist()

    @property
    def missing(self) -> list[tuple[Asked, int]]:
        """The models and classes that are not there yet."""
        return [(one, label) for one in self.asked for label in self.labels if self.stored(one, label) is None]

    def rows(self, label: int) -> NDArray[np.int64]:
        """Return the indices of a class's images in the data set."""
        return self.images.samples.index[self.images.samples.labels == label]

    def compute(self, missing: Sequence[tuple[Asked, int]], say: Say) -> None:
        """Measure what is missing; each model and class is kept as soon as it is done."""
        for one, label in missing:
            name = f"{one.model.name}: class {self.images.samples.names[label]}"
            found = self._measured(one, label, lambda done, name=name: say(name, done))
            with replacing(self._file(one, label)) as part, part.open("wb") as file:
                np.savez(file, key=self.key(one, label), **vars(found))

    def measures(self) -> dict[str, ContextRatios]:
        """Return what was measured of every model; labels are places among the names.

        Raises:
            ValueError: no image could be read.
        """
        found = {}
        for one in self.asked:
            parts = [self.stored(one, label) for label in self.labels]
            found[one.model.name] = ContextRatios.joined([part for part in parts if part is not None])
        if not all(len(each.index) for each in found.values()):
            raise ValueError("none of the drawn images could be read; their paths are above.")
        return found

    def heatmap(self, one: Asked, index: int, label: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
        """Return an image (3, H, W) in [0, 1], its heatmap (H, W) and where it shows the class (H, W)."""
        bench = one.bench()
        images, _ = bench.read(np.array([index]))
        region = self.images.regions(one.model.dataset, np.array([index]), label)[0][0]
        return images[0].numpy(), bench.explain(images, one.output(label))[0], region

    def _measured(self, one: Asked, label: int, advance: Callable[[int], None]) -> ContextRatios:
        bench, parts, rows = one.bench(), [], self.rows(label)
        for start in range(0, len(rows), bench.batch_size):
            drawn = rows[start : start + bench.batch_size]
            images, kept = bench.read(drawn)
            if len(kept):
                places = self.images.samples.places(one.model.classes)
                predicted = places[bench.predict(images).argmax(1)]
                parts.append(self._ratios(one, label, kept, images, predicted))
            advance(len(drawn))
        return ContextRatios.joined(parts) if parts else _nothing()

    def _ratios(
        self, one: Asked, label: int, index: NDArray[np.int64], images: Any, predicted: NDArray[np.int64]
    ) -> ContextRatios:
        regions, shown = self.images.regions(one.model.dataset, index, label)
        state = states_before(regions, shown, self.most)
        inside, mu = np.full(len(index), np.nan), np.full(len(index), np.nan)
        asked = np.flatnonzero(state == ContextState.MEASURED)
        if len(asked):
            maps = one.bench().explain(images[asked], one.output(label))
            inside[asked], mu[asked] = context_ratio(maps, regions[asked])
            state[asked] = states_after(inside[asked])
        return ContextRatios(index, np.full(len(index), label), predicted, state, regions.mean((1, 2)), inside, mu)

    @cached_property
    def _keys(self) -> Mapping[int, Any]:
        """What the measures of every model depend on, besides the images."""
        keys = {one.number: one.key((1, 1)) for one in self.asked}
        return {number: [key["model"], key["attribution"]] for number, key in keys.items()}

    def key(self, one: Asked, label: int) -> str:
        """Return a digest of all that the measures of a model and class depend on."""
        rows, name = self.rows(label), self.images.samples.names[label]
        images = fingerprint_of(one.model.dataset, rows), rows, jsonable(self.images.described(rows))
        names = list(self.images.samples.names)
        return digest(FORMAT, jsonable(self._keys[one.number]), names, name, label, self.most, *images)

    def stored(self, one: Asked, label: int) -> ContextRatios | None:
        """Return what is stored of a model and class, unless it depends on something else."""
        try:
            with np.load(self._file(one, label)) as file:
                if str(file["key"]) != self.key(one, label):
                    return None
                return ContextRatios(**{each.name: file[each.name] for each in fields(ContextRatios)})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None

    def _file(self, one: Asked, label: int) -> Path:
        folder = self.subject.out / "measures" / file_stem(one.number, one.model.name)
        return folder / f"{file_stem(label, self.images.samples.names[label])}.npz"


def _nothing() -> ContextRatios:
    """The measures of no image."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    return ContextRatios(whole, whole, whole, whole.astype(np.int8), real, real, real)
