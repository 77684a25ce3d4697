"""Where the objects of a class lie in an image: boxes or masks of the picture, and where the network sees them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from unhans.data.dataset import ImageDataset, TrainValUnion
from unhans.data.image_io import read_mask

ANY = ""  # the class of an object that is told by the image's label
EXTENSIONS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class ImageObjects:
    """The objects of one picture, as a file tells them.

    Attributes:
        name: path of the picture, or the end of it.
        boxes: (n, 4) left, top, right and bottom edge in pixels from the picture's upper left corner.
        classes: names of the boxes' classes (n,); `ANY` where the file tells none.
        size: height and width of the picture that the boxes were drawn in; None where the file does not tell.
        mask: a picture that is bright where the object lies, in place of boxes.
    """

    name: str
    boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    classes: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    mask: Path | None = None

    def of(self, class_name: str) -> NDArray[np.float64]:
        """Return the boxes (n, 4) of a class, those of any class among them."""
        return self.boxes[[each in (class_name, ANY) for each in self.classes]]

    def scaled(self, size: tuple[int, int]) -> ImageObjects:
        """Return the boxes in the pixels of a picture (H, W), where they were drawn in one of another size."""
        if self.size in (None, size):
            return self
        factors = np.tile([size[1] / self.size[1], size[0] / self.size[0]], 2)
        return ImageObjects(self.name, self.boxes * factors, self.classes, size, self.mask)

    def outside(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which boxes (n,) have their middle outside the picture (H, W), or no area."""
        left, top, right, bottom = self.scaled(size).boxes.T
        x, y = (left + right) / 2, (top + bottom) / 2
        inside = (x > 0) & (x < size[1]) & (y > 0) & (y < size[0])
        return ~(inside & (left < right) & (top < bottom))

    def beyond(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Tell which boxes (n,) reach beyond the picture (H, W) by more than a pixel."""
        left, top, right, bottom = self.scaled(size).boxes.T
        return (left < -1) | (top < -1) | (right > size[1] + 1) | (bottom > size[0] + 1)

    def cover(self, class_name: str, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of the picture whose middle lies in a box of the class, or that its mask shows."""
        if self.mask is not None:
            return read_mask(self.mask, size)
        covered = np.zeros(size, dtype=bool)
        for left, top, right, bottom in self.scaled(size).of(class_name):
            covered[_pixels(top, bottom, size[0]), _pixels(left, right, size[1])] = True
        return covered


def _pixels(begin: float, end: float, count: int) -> slice:
    """The pixels whose middle lies between two edges; that in the middle where there is none."""
    first, last = np.ceil(np.clip([begin, end], 0, count) - 0.5).astype(int)
    if first == last:
        first = min(int(np.clip((begin + end) / 2, 0, count)), count - 1)
        last = first + 1
    return slice(first, last)


@dataclass(frozen=True)
class ObjectFile:
    """Objects of many pictures.

    Attributes:
        path: the file or folder.
        option: the key that it was given as, which opens every sentence.
        images: the objects of every picture.
    """

    path: Path
    option: str
    images: Sequence[ImageObjects]

    def by_path(self, paths: Sequence[str]) -> dict[str, list[ImageObjects]]:
        """Return the objects of each of these images that has some, by its path.

        The name in the file must be the end of an image's path, without its extension: "0.png" or "cat/0".

        Raises:
            ValueError: a name fits several images, or none fits.
        """
        ends = defaultdict(list)
        for path in dict.fromkeys(paths):
            ends[parts_of_path(path)[-1]].append(path)
        found: dict[str, list[ImageObjects]] = defaultdict(list)
        for one in self.images:
            parts = parts_of_path(one.name)
            fitting = [path for path in ends.get(parts[-1], ()) if parts_of_path(path)[-len(parts) :] == parts]
            if len(fitting) > 1:
                raise ValueError(
                    f"{self.option}: {one.name!r} in {self.path} fits several images, such as {fitting[0]} and "
                    f"{fitting[1]}; give more of their path."
                )
            if fitting:
                found[fitting[0]].append(one)
        if not found:
            raise ValueError(
                f"{self.option} expects images that are used, such as {paths[0]}, got none of them among the "
                f"{len(self.images)} in {self.path}, such as {self.images[0].name}."
            )
        return dict(found)


def parts_of_path(path: str) -> tuple[str, ...]:
    """Return the parts of a path without the extension of a picture."""
    whole = PurePosixPath(str(path).replace("\\", "/"))
    return (whole.with_suffix("") if whole.suffix.lower() in EXTENSIONS else whole).parts or ("",)


def native_size(dataset: ImageDataset | TrainValUnion, index: int) -> tuple[int, int]:
    """Return height and width of the picture of a sample; UnreadableImageError where its file cannot be read."""
    part, own = dataset.place(index) if isinstance(dataset, TrainValUnion) else (dataset, index)
    return part.native_size(own)


def object_region(
    dataset: ImageDataset | TrainValUnion, index: int, objects: Sequence[ImageObjects], class_name: str
) -> NDArray[np.bool_] | None:
    """Return where a sample shows objects of a class, in the square (S, S) that the network sees.

    None where the picture shows none; all False where they lie in what is cut off.

    Raises:
        UnreadableImageError: a file cannot be read.
    """
    part, own = dataset.place(index) if isinstance(dataset, TrainValUnion) else (dataset, index)
    size = part.native_size(own)
    covered = np.zeros(size, dtype=bool)
    for one in objects:
        covered |= one.cover(class_name, size)
    return part.squared_mask(covered) if covered.any() else None


def names_in(objects: Mapping[str, Sequence[ImageObjects]]) -> dict[str, set[str]]:
    """Return by path the names of the classes that an image shows."""
    return {path: {name for one in each for name in one.classes} - {ANY} for path, each in objects.items()}
