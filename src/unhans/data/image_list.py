"""Labelled images before they become a data set: where they are, choosing classes, limiting, splitting."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.class_names import class_index
from unhans.data.image_io import has_header, read_rgb, size_of
from unhans.data.items import entries_of


class Files:
    """Picture files by their paths."""

    def __init__(self, paths: Sequence[str | Path]) -> None:
        self.paths = [str(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """Return one image as RGB; UnreadableImageError where its file is broken."""
        return read_rgb(self.paths[index])

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of one image, from the head of its file; UnreadableImageError where it is broken."""
        return size_of(self.paths[index])

    def fingerprint(self, index: int) -> str:
        """Return what changes with the file: its path, size and time of change."""
        state = os.stat(self.paths[index])
        return f"{self.paths[index]}|{state.st_size}|{state.st_mtime_ns}"

    def take(self, chosen: NDArray[np.integer]) -> Files:
        """Return the chosen images in that order."""
        return Files([self.paths[index] for index in chosen])

    def readable(self) -> NDArray[np.bool_]:
        """Return which files begin like an image: (n,) bool."""
        return np.array([has_header(path) for path in self.paths], dtype=bool)


class Arrays:
    """Images in memory, (n, H, W) or (n, H, W, 3) uint8, with a stable name for each."""

    def __init__(self, images: NDArray[np.uint8], paths: Sequence[str]) -> None:
        self.images = images
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> Image.Image:
        """Return one image as RGB."""
        return Image.fromarray(self.images[index]).convert("RGB")

    def size(self, index: int) -> tuple[int, int]:
        """Return height and width of one image."""
        height, width = self.images[index].shape[:2]
        return height, width

    def fingerprint(self, index: int) -> str:
        """Return what changes with the image: its name and a digest of its pixels."""
        return f"{self.paths[index]}|{blake2b(self.images[index].tobytes(), digest_size=16).hexdigest()}"

    def take(self, chosen: NDArray[np.integer]) -> Arrays:
        """Return the chosen images in that order."""
        return Arrays(self.images[chosen], [self.paths[index] for index in chosen])

    def readable(self) -> NDArray[np.bool_]:
        """Return which images can be read: all of them."""
        return np.ones(len(self), dtype=bool)


def numbered_names(prefix: str, n: int) -> list[str]:
    """Return n stable names, such as digits/00012."""
    return [f"{prefix}/{index:05d}" for index in range(n)]


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

        Raises:
            ValueError: a name is unknown or given twice.
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

    def split(self, share: float, seed: int, fold: int = 0) -> tuple[Collection, Collection]:
        """Return a training part and a validation part with about share · n samples of each class.

        Folds 0, 1, … are one part after the other of the same random order.
        """
        train, val = zip(*(_parted(members, share, fold) for members in self._shuffled(seed)), strict=True)
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


@dataclass(frozen=True)
class SeveralLabels(Collection):
    """Images that may belong to several classes, or to none: one entry for each class of an image.

    Attributes:
        labels: of the entries (n,), −2 for the one entry of an image without any class.
        rows: (n,) the image of every entry.
        held: (images, C) which classes each image belongs to.
    """

    rows: NDArray[np.int64]
    held: NDArray[np.bool_]

    @classmethod
    def of(cls, images: Files | Arrays, held: NDArray[np.bool_], classes: Sequence[str]) -> SeveralLabels:
        """Make the entries of images (m) that belong to the classes `held` (m, C)."""
        labels, rows = entries_of(held)
        return cls(images.take(rows), labels, list(classes), rows, held)

    def take(self, chosen: NDArray[np.integer]) -> SeveralLabels:
        """Return the chosen entries in that order."""
        return SeveralLabels(
            self.images.take(chosen), self.labels[chosen], self.classes, self.rows[chosen], self.held
        )  # fmt: skip

    def of_classes(self, names: Sequence[str]) -> SeveralLabels:
        """Return all images with these classes alone, in the order of the names; ValueError as of `Collection`."""
        if len(set(names)) < len(names):
            raise ValueError(f"data.classes must name each class once, got {', '.join(names)}")
        old = [class_index(name, self.classes, "data.classes") for name in names]
        rows, first = np.unique(self.rows, return_index=True)
        return SeveralLabels.of(self.images.take(first), self.held[rows][:, old], names)

    def at_most(self, n: int | None, seed: int) -> SeveralLabels:
        """Return the images that are among n drawn of some class, or of those without any; with all their classes."""
        return self if n is None else self._of_images(np.concatenate([each[:n] for each in self._shuffled(seed)]))

    def split(self, share: float, seed: int, fold: int = 0) -> tuple[SeveralLabels, SeveralLabels]:
        """Return a training and a validation part without a common image; an image counts for its rarest class."""
        shuffled = [np.array(each, dtype=np.int64) for each in self._shuffled(seed, rarest=True)]
        parts = [np.concatenate(each) for each in zip(*(_parted(own, share, fold) for own in shuffled), strict=True)]
        return self._of_images(parts[0]), self._of_images(parts[1])

    def counts(self) -> NDArray[np.int64]:
        """Return the number of images per class: (C,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))

    def _shuffled(self, seed: int, rarest: bool = False) -> list[NDArray[np.int64]]:
        """The images of each class in random order, then those without any; with `rarest` each once."""
        present = np.unique(self.rows)
        held = self.held[present]
        if rarest:
            order = np.argsort(held.sum(0), kind="stable")
            first = order[held[:, order].argmax(1)]
            held = held & (np.arange(held.shape[1]) == first[:, None])
        groups = [present[held[:, label]] for label in range(held.shape[1])]
        names = [zlib.crc32(name.encode()) for name in self.classes]
        groups, names = [*groups, present[~held.any(1)]], [*names, 0]
        return [np.random.default_rng([seed, name]).permutation(each) for name, each in zip(names, groups, strict=True)]

    def _of_images(self, images: NDArray[np.int64]) -> SeveralLabels:
        return self.take(np.flatnonzero(np.isin(self.rows, images)))


def _parted(members: NDArray[np.int64], share: float, fold: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members without a fold, and the fold: a share of them, after those of the folds before it."""
    first, last = (round(number * share * len(members)) for number in (fold, fold + 1))
    return np.concatenate([members[:first], members[last:]]), members[first:last]
