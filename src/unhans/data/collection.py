"""Labelled images before they become a data set: choosing classes, limiting, splitting."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.naming import class_index
from unhans.data.source import Arrays, Files


@dataclass(frozen=True)
class Collection:
    """Images, their labels (n,) as indices into the class names, and these names."""

    images: Files | Arrays
    labels: NDArray[np.int64]
    classes: list[str]

    def take(self, chosen: NDArray[np.integer]) -> Collection:
        """Return the chosen samples in that order."""
        return Collection(self.images.take(chosen), self.labels[chosen], self.classes)

    def of_classes(self, names: Sequence[str]) -> Collection:
        """Return the samples of some classes, which get labels 0, 1, … in the order of the names.

        Raises ValueError for a name that is unknown or given twice.
        """
        if len(set(names)) < len(names):
            raise ValueError(f"data.classes must name each class once, got {', '.join(names)}")
        old = [class_index(name, self.classes, "data.classes") for name in names]
        kept = self.take(np.flatnonzero(np.isin(self.labels, old)))
        new = np.full(len(self.classes), -1)
        new[old] = np.arange(len(old))
        return Collection(kept.images, new[kept.labels], list(names))

    def at_most(self, n: int | None, seed: int) -> Collection:
        """Return at most n samples of each class, drawn at random, in their old order; None keeps all."""
        return self if n is None else self._of_members([members[:n] for members in self._shuffled(seed)])

    def split(self, share: float, seed: int) -> tuple[Collection, Collection]:
        """Return a training part and a validation part with round(share · n) samples of each class."""
        shuffled = self._shuffled(seed)
        cuts = [round(share * len(members)) for members in shuffled]
        train = [members[cut:] for members, cut in zip(shuffled, cuts, strict=True)]
        val = [members[:cut] for members, cut in zip(shuffled, cuts, strict=True)]
        return self._of_members(train), self._of_members(val)

    def counts(self) -> NDArray[np.int64]:
        """Return the number of samples per class: (C,)."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def _shuffled(self, seed: int) -> list[NDArray[np.int64]]:
        """Order each class at random, by its own name: what other classes there are changes nothing."""
        names = [zlib.crc32(name.encode()) for name in self.classes]
        return [
            np.random.default_rng([seed, name]).permutation(np.flatnonzero(self.labels == label))
            for label, name in enumerate(names)
        ]

    def _of_members(self, members: Sequence[NDArray[np.int64]]) -> Collection:
        return self.take(np.sort(np.concatenate(members)))
