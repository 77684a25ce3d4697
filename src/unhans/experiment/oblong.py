"""Oblong images of a data set: as their files are, or windows cut from square ones."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from unhans.artifacts.squaring import ORIENTATIONS, Orientation, orientation, window
from unhans.data import ImageDataset, Union
from unhans.data.picture import UnreadableImageError, to_tensor

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
