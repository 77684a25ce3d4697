"""What the outcome of a repair depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from unhans.artifacts.put_on import transform_of
from unhans.artifacts.transform import transform_record
from unhans.data import ImageDataset
from unhans.data.affected import Affected
from unhans.experiment.fine_tuning import FineTuning
from unhans.experiment.outcomes import POST_HOC, Method
from unhans.experiment.repair_settings import Settings
from unhans.experiment.start import Start
from unhans.experiment.subject import Subject
from unhans.experiment.survey import weights_of
from unhans.store import digest

LAYERS = 16  # samples of each split whose layer stands for the artifact


@dataclass(frozen=True)
class Keys:
    """Says by what the outcome of a method and a seed is known again."""

    subject: Subject
    tuning: FineTuning | None
    start: Start
    affected: Affected
    settings: Settings

    def of(self, method: Method, seed: int) -> dict[str, Any]:
        """Return the network, the data, the artifact and the settings in plain values."""
        key = {
            "method": method,
            "seed": seed,
            "drawn": self.subject.seed,  # assessed samples and resamples
            "weights": self._weights(seed),
            "data": self._data,
            "artifact": self._artifact,
            "settings": self.settings.key(method) | {"attribution": self.subject.attribution.description},
        }
        if method in POST_HOC or self.tuning is None:  # without one nothing is trained
            return key
        return key | {"training": {**self.tuning.settings, "batch_size": self.subject.data.batch_size}}

    @cached_property
    def _weights(self) -> Callable[[int], str]:
        """From a seed to the weights that all methods begin with; making a network and reading it takes seconds."""
        return cache(lambda seed: weights_of(self.start.network(seed)))

    @cached_property
    def _data(self) -> dict[str, str]:
        data = self.subject.data
        parts: dict[str, ImageDataset] = {"train": data.train_set, "val": data.val_set}
        return {name: part.fingerprint(range(len(part))) for name, part in parts.items()}

    @cached_property
    def _artifact(self) -> dict[str, Any]:
        one, side = self.affected, self.subject.data.image_size
        carriers = {name: np.asarray(rows) for name, rows in one.carriers.items()}
        known = {"label": one.label, "name": one.name, "carriers": digest(carriers)}
        transform = transform_of(one.artifact)
        if transform is not None:
            return known | {"transform": digest(transform_record(transform))}
        layers = [
            one.artifact.layer(index, (side, side))
            for carriers in one.carriers.values()
            for index in range(min(LAYERS, len(carriers)))
        ]
        return known | {"layers": digest(layers)}
