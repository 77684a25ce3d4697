"""Looks for templates in whole images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.contrast import local_contrast
from unhans.artifacts.correlation import Spectra
from unhans.artifacts.isolated import Match
from unhans.artifacts.template import Template
from unhans.artifacts.windows import put

_BATCH = 16  # images searched at once


@dataclass(frozen=True)
class Finding:
    """Where an object is most likely in n images.

    scores: (n,) above 1 for found; kinds: (n,) which template; places: (n, 2) its top and left.
    """

    scores: NDArray[np.float64]
    kinds: NDArray[np.int64]
    places: NDArray[np.int64]

    @property
    def carries(self) -> NDArray[np.bool_]:
        """Which images carry it, (n,)."""
        return self.scores > 1


@dataclass(frozen=True)
class TemplateDetector:
    """Finds a rigid object at any place: the best score of its templates over all places, per image.

    templates: of one size; floor: of the local contrast; shapes: (t, t) bool per template, the object in a window
    of the same centre.
    """

    templates: tuple[Template, ...]
    floor: float
    shapes: tuple[NDArray[np.bool_], ...] = ()

    @property
    def side(self) -> int:
        """The templates' side in pixels."""
        return self.templates[0].filter.shape[-1]

    def match(self, images: Tensor) -> Match:
        """Look for the object in images (n, 3, H, W) in [0, 1], not smaller than half a template."""
        finding = self.find(images)
        carries = finding.carries
        masks = np.zeros((len(images), *images.shape[-2:]), dtype=bool)
        for index in np.flatnonzero(carries):
            shape = self.shapes[finding.kinds[index]]
            margin = (len(shape) - self.side) // 2
            masks[index] = put(shape, finding.places[index] - margin, masks.shape[1:])
        return Match(carries, finding.scores, masks)

    def find(self, images: Tensor) -> Finding:
        """Return the best place in each image, batch by batch."""
        parts = [self._find(batch) for batch in _batches(images)]
        return Finding(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _find(self, images: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        spectra = Spectra(local_contrast(images, self.floor), self.side)
        results = [spectra.best(template.filter) for template in self.templates]
        scores = np.stack([t.scale(r[0]) for t, r in zip(self.templates, results, strict=True)])
        kinds, each = scores.argmax(0), np.arange(len(images))
        return scores[kinds, each], kinds, np.stack([places for _, places in results])[kinds, each]


def _batches(images: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(images), _BATCH):
        yield images[start : start + _BATCH]
