"""The drawn images with the objects that a file tells of: found by their names, and checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.data import ImageObjects, ObjectFile, UnreadableImageError, native_size, object_region, paths_of, size_of
from unhans.experiment.compare import SampleSet
from unhans.experiment.run import Subject
from unhans.faithfulness import CoOccurrence, co_occurrence
from unhans.terminal import ConfigurationError

SHOWN = 4  # names in a sentence


@dataclass(frozen=True)
class AnnotatedImages:
    """The images that are asked about, and what is known of the objects that they show.

    Attributes:
        samples: the images and the names of their classes.
        file: boxes or masks.
        objects: of the data's images, by path.
        paths: of the data set's images.
        beyond: boxes of drawn images that reach beyond the picture and are cut at its edge.
        rescaled: drawn images whose boxes were drawn in a picture of another size, and are scaled.
        without: names of the classes of which no drawn image has an object.
    """

    samples: SampleSet
    file: ObjectFile
    objects: Mapping[str, Sequence[ImageObjects]]
    paths: Sequence[str]
    beyond: int
    rescaled: int
    without: Sequence[str]

    def objects_of(self, index: int) -> Sequence[ImageObjects]:
        """Return the objects that an image of the data set shows."""
        return self.objects.get(self.paths[index], ())

    def regions(
        self, dataset: Any, index: NDArray[np.int64], label: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where images (n,) show a class, as a data set makes them square, and which have an object (n,)."""
        name, size = self.samples.names[label], getattr(dataset, "parts", (dataset,))[0].image_size
        found = [object_region(dataset, int(i), self.objects_of(int(i)), name) for i in index]
        nowhere = np.zeros((size, size), dtype=bool)
        shown = np.array([one is not None for one in found])
        return np.stack([nowhere if one is None else one for one in found]), shown

    def described(self, index: NDArray[np.int64]) -> list[Any]:
        """Return plain values that change with the objects of some images."""
        return [[_described(one) for one in self.objects_of(int(i))] for i in index]

    def shown_together(self) -> CoOccurrence:
        """Count which classes the data set's images show together."""
        known = [self.objects[path] for path in self.paths if path in self.objects]
        return co_occurrence([{name for one in each for name in one.classes if name} for each in known])


def _shows(objects: Sequence[ImageObjects], name: str) -> bool:
    return any(one.mask is not None or len(one.of(name)) for one in objects)


def _described(one: ImageObjects) -> list[Any]:
    state = None if one.mask is None else one.mask.stat()
    mask = None if state is None else [str(one.mask), state.st_size, state.st_mtime_ns]
    return [one.boxes.tolist(), list(one.classes), one.size, mask]


def annotated_images(subject: Subject, samples: SampleSet) -> AnnotatedImages:
    """Find the objects of the drawn images and check them.

    Raises:
        ConfigurationError: neither boxes nor masks are given.
        FileNotFoundError, ValueError: their file is missing or of another form, none of its images or classes is known,
            a box lies outside its picture, or no drawn image has an object of its class.
    """
    file = subject.data.objects()
    if file is None:
        raise ConfigurationError(
            "analysis=context needs to know where the objects lie; give data.boxes=… (a table, COCO's JSON or VOC's "
            "XML) or data.masks=… (a folder); with ckpt=… or ckpts=… it is +data.boxes=… or +data.masks=…."
        )
    both = [*subject.data.train_set.paths, *subject.data.val_set.paths]
    found, paths = file.by_path(both), paths_of(subject.dataset)
    _check_classes(file, found, samples)
    beyond, rescaled, shown = 0, 0, set()
    for index, label in zip(samples.index.tolist(), samples.labels.tolist(), strict=True):
        counts = _check_boxes(file, paths[index], found.get(paths[index], ()), subject.dataset, index)
        beyond, rescaled = beyond + counts[0], rescaled + counts[1]
        if _shows(found.get(paths[index], ()), samples.names[label]):
            shown.add(label)
    without = [samples.names[label] for label in np.unique(samples.labels).tolist() if label not in shown]
    if not shown:
        raise ValueError(
            f"{file.option}: none of the {len(samples.index)} drawn images has an object of its class in {file.path}."
        )
    return AnnotatedImages(samples, file, found, paths, beyond, rescaled, without)


def _check_classes(file: ObjectFile, found: Mapping[str, Sequence[ImageObjects]], samples: SampleSet) -> None:
    """Raise ValueError where the boxes have classes, and none of them is a class of the data."""
    names = {name for each in found.values() for one in each for name in one.classes}
    if names and not names & {"", *samples.names[: samples.common]}:
        raise ValueError(
            f"{file.option} expects the classes of the data ({_some(samples.names[: samples.common])}), got boxes of "
            f"{_some(sorted(names))} alone in {file.path}; an empty class is that of the image."
        )


def _check_boxes(
    file: ObjectFile, path: str, objects: Sequence[ImageObjects], dataset: Any, index: int
) -> tuple[int, int]:
    """Count boxes of an image that reach beyond it, and 1 where they are scaled.

    Raises ValueError where a box is outside, or a mask is no picture or has other proportions than its image.
    """
    masks = {one.mask: size_of(one.mask) for one in objects if one.mask is not None}
    try:
        size = native_size(dataset, index)
    except UnreadableImageError:
        return 0, 0  # it is left out and told as everywhere
    for mask, sides in masks.items():
        if not _same_proportions(sides, size):
            raise ValueError(
                f"{file.option} expects masks with the proportions of their images, but {mask} has "
                f"{sides[1]}×{sides[0]} pixels and {path} {size[1]}×{size[0]}: which "
                "part of the image it shows is not known."
            )
    for one in objects:
        outside = np.flatnonzero(one.outside(size))
        if len(outside):
            box = ", ".join(f"{edge:g}" for edge in one.scaled(size).boxes[outside[0]])
            raise ValueError(
                f"{file.option} expects boxes inside their image, but the box ({box}) of {path}, which has "
                f"{size[1]}×{size[0]} pixels, is empty or lies outside it (in {file.path})."
            )
    rescaled = any(one.size not in (None, size) for one in objects)
    return sum(int(one.beyond(size).sum()) for one in objects), int(rescaled)


def _same_proportions(mask: tuple[int, int], picture: tuple[int, int]) -> bool:
    """Whether a mask (H, W) covers a picture (H, W) when it is scaled, but for a pixel that was rounded."""
    return abs(mask[1] * picture[0] - mask[0] * picture[1]) <= max(picture)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
