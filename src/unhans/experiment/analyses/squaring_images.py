"""Oblong images of a data set, made square in six ways, and what a network says about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from unhans.artifacts import ORIENTATIONS, WAYS, Orientation, Rgb, Squaring, orientation, window
from unhans.data import ImageDataset, PixelScale, Union, UnreadableImageError, to_tensor
from unhans.effects import Bench, softmax
from unhans.effects.interventions import Squared
from unhans.experiment.run import Subject
from unhans.harness import bench_of
from unhans.report import Say
from unhans.report.figures import Squares

FINEST = 2  # times the network's image size: of a larger file pixels are averaged first


def oblong(dataset: ImageDataset | Union, index: int, aspect: float | None) -> list[tuple[Orientation, Tensor]]:
    """Return a sample's oblong images (3, H, W) in [0, 1], without a planted artifact, each with its orientation.

    aspect: None gives the file's own pixels, and nothing where it is square; otherwise the image is made square as the
    data set does, and windows of that aspect are cut out of it, one lying and one standing.
    Nothing is returned for a file that cannot be read; `unreadable` then says so.
    Raises UnreadableImageError where the data set is not to skip it.
    """
    part, own = _place(dataset, index)
    try:
        picture = part.images.read(own)
    except UnreadableImageError:
        if part.on_corrupt == "raise":
            raise
        part.unreadable[own] = True
        return []
    if aspect is None:
        return _as_it_is(picture, part.image_size)
    square = to_tensor(part.squared(picture))  # as ImageDataset.clean gives it
    return [(each, window(square, aspect, each)) for each in ORIENTATIONS]


def _as_it_is(picture: Image.Image, size: int) -> list[tuple[Orientation, Tensor]]:
    """The picture, unless it is square or so nearly square that no pixel would be padded."""
    if round(size * min(picture.size) / max(picture.size)) == size:
        return []
    image = to_tensor(picture.reduce(max(1, min(picture.size) // (FINEST * size))))
    found = orientation(image)
    return [(found, image)] if found else []


def _place(dataset: ImageDataset | Union, index: int) -> tuple[ImageDataset, int]:
    """The split that holds a sample, and its index there."""
    if isinstance(dataset, Union):
        return dataset.parts[dataset.split[index]], int(dataset.own_index[index])
    return dataset, index


Square = tuple[int, Orientation, Tensor]


@dataclass(frozen=True)
class SquaredImages:
    """The oblong images of a subject, made square for its network.

    bench: of the subject; aspect: None takes files as they are, a number cuts windows of that aspect from square
    images; color: the chosen one.
    """

    subject: Subject
    bench: Bench
    aspect: float | None
    color: Rgb

    def measure(self, indices: NDArray[np.int64], say: Say) -> Squared:
        """Return the logits of these samples in every way; raises ValueError where no image is oblong."""
        entries: list[tuple[int, bool]] = []
        logits: list[NDArray[np.float64]] = []
        size = max(1, self.bench.batch_size // (len(WAYS) * len(ORIENTATIONS)))
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            found = [square for index in part for square in self._squares(int(index))]
            if found:
                entries += [(index, turned == "portrait") for index, turned, _ in found]
                outputs = self.bench.predict(torch.cat([each for *_, each in found]))
                logits.extend(outputs.reshape(len(found), len(WAYS), -1))
            say("squares", len(part))
        if not entries:
            raise ValueError(self._nothing(len(indices)))
        index, portrait = (np.array(values) for values in zip(*entries, strict=True))
        return Squared(index, self.bench.labels[index], portrait, np.stack(logits))

    def example(self, index: int, turned: Orientation, label: int, caption: str) -> Squares:
        """Return one sample in all ways, explained for a class."""
        squares = next(each for _, found, each in self._squares(index) if found == turned)
        logits = self.bench.predict(squares)
        p = softmax(logits)[:, label]
        return Squares(squares.numpy(), self.bench.explain(squares, label), p, logits[:, label], caption)

    def _squares(self, index: int) -> Iterator[Square]:
        """A sample's squares (6, 3, size, size) in [0, 1], for each of its orientations."""
        subject = self.subject
        ways = [Squaring(way, subject.data.image_size, self.color, subject.seed) for way in WAYS]
        for turned, image in oblong(subject.dataset, index, self.aspect):
            drawn = len(ORIENTATIONS) * index + ORIENTATIONS.index(turned)  # two windows of a sample differ
            yield index, turned, torch.stack([way(image, drawn) for way in ways])

    def _nothing(self, count: int) -> str:
        if self.aspect is not None:
            return f"none of the {count} drawn images could be read; their paths are above."
        return (
            f"none of the {count} drawn images is oblong, so that there is nothing to pad; "
            "analysis.aspect=1.5 cuts oblong windows from square images."
        )


def squared_images(subject: Subject, aspect: float | None, color: Rgb) -> SquaredImages:
    """Return the oblong images of a subject; raises ValueError where its network cannot be explained."""
    train, side = subject.data.train_set, subject.data.image_size
    bench = bench_of(
        subject.network,
        subject.dataset,
        subject.attribution,
        scale=PixelScale(train.mean, train.std),
        device=subject.device,
        batch_size=subject.batch_size,
        seed=subject.seed,
    )
    bench.explain(torch.full((1, 3, side, side), 0.5), 0)
    return SquaredImages(subject, bench, aspect, color)
