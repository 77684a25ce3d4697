"""In which samples of a class an isolated artifact is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from unhans.artifacts import check_mask
from unhans.data import Shown
from unhans.isolation import Detector

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Sightings:
    """In which samples of a split an artifact was found, and where.

    carriers: (N,); masks: by index, packed to bits; size: (H, W) of the images.
    """

    carriers: NDArray[np.bool_]
    masks: Mapping[int, NDArray[np.uint8]]
    size: tuple[int, int]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return where it lies on a sample that carries it: (H, W); KeyError for one that does not."""
        height, width = self.size
        return np.unpackbits(self.masks[index], count=height * width).reshape(self.size).astype(bool)


def look_for(
    detector: Detector,
    dataset: Dataset,
    label: int,
    batch_size: int = 32,
    advance: Advance = lambda images: None,
    whole: bool = False,
) -> Sightings:
    """Look for an artifact in all samples of a class, a batch at a time.

    One that is found without a place counts as not found. advance: called with a number of images whenever some were
    looked at. Raises ValueError where it was found on all of an image, unless it lies on `whole` images.
    """
    shown = Shown(dataset)
    carriers, masks, size = np.zeros(len(shown.labels), dtype=bool), {}, (0, 0)
    own = np.flatnonzero(shown.labels == label)
    for start in range(0, len(own), batch_size):
        asked = own[start : start + batch_size]
        images, kept = shown.read(asked)
        if len(kept):
            match, size = detector.match(images), (int(images.shape[-2]), int(images.shape[-1]))
            for row in np.flatnonzero(match.carries & match.masks.any((1, 2))):
                if not whole:
                    check_mask(match.masks[row], f" of sample {kept[row]}")
                carriers[kept[row]], masks[int(kept[row])] = True, np.packbits(match.masks[row])
        advance(len(asked))
    return Sightings(carriers, masks, size)
