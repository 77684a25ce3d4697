"""Images with their index, with or without a planted artifact; batches, order by epoch, and both splits as one."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from unhans.artifacts import Artifact
from unhans.data.image_io import Interpolation, Resize, UnreadableImageError, degrade, resize, square_mask, to_tensor
from unhans.data.image_list import Collection, Files
from unhans.data.items import NONE
from unhans.data.normalization import PixelScale


class Sample(NamedTuple):
    """One image: (3, H, W) float32 normalised, its label, and its index in the data set."""

    image: Tensor
    label: int
    index: int


class Batch(NamedTuple):
    """Images (n, 3, H, W), labels (n,) and indices (n,) int64; n is 0 where no image could be read."""

    image: Tensor
    label: Tensor
    index: Tensor


def collate(samples: Sequence[Sample | None]) -> Batch:
    """Stack samples to a batch and leave out those that could not be read (None)."""
    read = [sample for sample in samples if sample is not None]
    return Batch(
        image=torch.stack([sample.image for sample in read]) if read else torch.empty(0, 3, 0, 0),
        label=_labels([sample.label for sample in read]),
        index=torch.tensor([sample.index for sample in read], dtype=torch.int64),
    )


def _labels(labels: Sequence[int | Tensor]) -> Tensor:
    """Labels (n,) int64, or (n, C) zeros and ones of samples that may belong to several classes."""
    if labels and isinstance(labels[0], Tensor):
        return torch.stack([torch.as_tensor(label) for label in labels])
    return torch.tensor(labels, dtype=torch.int64)


OnCorrupt = Literal["skip", "raise"]
Split = Literal["train", "val"]


class ImageDataset(Dataset[Sample | None]):
    """Reads, resizes, flips, plants the artifact and normalises one image at a time.

    An item is None where its file cannot be read and on_corrupt is "skip"; `unreadable` (n,) then says so, in
    the memory that loader processes share. `epoch` lies there as well: with the seed and the index it decides a
    flip, so that nothing is drawn from a random state and a resumed run sees what the uninterrupted one saw.

    Args:
        collection: the images, their labels and the class names.
        image_size, resize, crop_from, interpolation: how images become square, see `unhans.data.image_io.resize`.
        mean, std: per channel, of images in [0, 1].
        flip: images are mirrored at random, by the seed.
        artifact: is planted in some images; `split` tells which share of them.
        on_corrupt: "skip" or "raise", where a file cannot be read.
        degrade: how the square is made worse, see `unhans.data.image_io.degrade`.

    Attributes:
        labels: (n,) int64.
        carriers: which images carry the artifact, (n,) bool.
        scale: between images as the network takes them and images in [0, 1].
        held: (images, C), of images that may belong to several classes; None where each has one. There is one item for
            each class of an image then, and `rows` (n,) tells of which image.
    """

    def __init__(
        self,
        collection: Collection,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        resize: Resize = "squash",
        flip: bool = False,
        seed: int = 0,
        artifact: Artifact | None = None,
        split: Split = "train",
        on_corrupt: OnCorrupt = "skip",
        crop_from: int | None = None,
        interpolation: Interpolation = "bicubic",
        degrade: Mapping[str, float] | None = None,
    ) -> None:
        self.images, self.labels, self.classes = collection.images, collection.labels, collection.classes
        self.image_size, self.resize, self.flip, self.seed = image_size, resize, flip, seed
        self.crop_from, self.interpolation, self.degrade = crop_from, interpolation, dict(degrade or {})
        self.scale = PixelScale(torch.tensor(list(mean)), torch.tensor(list(std)))
        self.artifact, self.on_corrupt = artifact, on_corrupt
        nobody = np.zeros(len(self), dtype=bool)
        self.held, self.rows = getattr(collection, "held", None), getattr(collection, "rows", np.arange(len(self)))
        carriers = nobody if artifact is None else artifact.carriers(self.labels, self.classes, split)
        self.carriers = carriers if self.held is None else np.isin(self.rows, self.rows[carriers])
        self.unreadable = torch.zeros(len(self), dtype=torch.bool).share_memory_()
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def paths(self) -> list[str]:
        """The path, or a stable name, of each image."""
        return self.images.paths

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample | None:
        """Return one sample, or None where its file cannot be read and is to be skipped."""
        index = range(len(self))[index]
        try:
            image = self._pixels(index, mirrored=self._is_mirrored(index))
        except UnreadableImageError:
            if self.on_corrupt == "raise":
                raise
            self.unreadable[index] = True
            return None
        return Sample(self._normalise(self._plant(image, index)), int(self.labels[index]), index)

    def plain(self, index: int) -> Tensor:
        """Return the image as a person sees it: (3, H, W) in [0, 1], not flipped, with its planted artifact.

        Raises:
            UnreadableImageError: its file cannot be read.
        """
        return self._plant(self._pixels(index), index)

    def clean(self, index: int) -> Tensor:
        """Return `plain` without its planted artifact: (3, H, W) in [0, 1]; UnreadableImageError as there."""
        return self._pixels(index)

    def without_augmentation(self) -> ImageDataset:
        """Return the same images, never flipped; nothing is copied."""
        view = copy.copy(self)
        view.flip = False
        return view

    def squared(self, picture: Image.Image) -> Image.Image:
        """Return a picture as the square that the network sees."""
        square = resize(picture, self.image_size, self.resize, self.crop_from, self.interpolation)
        return degrade(square, self.degrade)

    def native_size(self, index: int) -> tuple[int, int]:
        """Return height and width of the picture itself; UnreadableImageError where its file cannot be read."""
        return self.images.size(index)

    def squared_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of a picture (H, W) as it lies in the square that the network sees."""
        return square_mask(mask, self.image_size, self.resize, self.crop_from, self.interpolation)

    def take(self, rows: NDArray[np.int64]) -> ImageDataset:
        """Return the chosen images in that order; who of them carries the artifact stays as it is."""
        part = copy.copy(self)
        part.images, part.labels, part.carriers = self.images.take(rows), self.labels[rows], self.carriers[rows]
        part.rows = np.arange(len(rows)) if self.held is None else self.rows[rows]
        part.unreadable = torch.zeros(len(part), dtype=torch.bool).share_memory_()
        return part

    def of_files(self, paths: Sequence[str | Path]) -> ImageDataset:
        """Return other picture files, made ready for the network as these are; they have no label and no artifact."""
        part = copy.copy(self)
        part.images, part.labels = Files(paths), np.full(len(paths), NONE)
        part.flip, part.artifact, part.held, part.rows = False, None, None, np.arange(len(paths))
        part.carriers = np.zeros(len(paths), dtype=bool)
        part.unreadable = torch.zeros(len(paths), dtype=torch.bool).share_memory_()
        return part

    def with_labels(self, labels: Sequence[int], classes: Sequence[str]) -> ImageDataset:
        """Return the same images where class i is class `labels[i]` of these; nothing is copied."""
        view = copy.copy(self)
        given = np.asarray(labels, dtype=np.int64)
        view.labels, view.classes = np.where(self.labels >= 0, given[self.labels], self.labels), list(classes)
        if self.held is not None:
            view.held = np.zeros((len(self.held), len(classes)), dtype=bool)
            view.held[:, given] = self.held
        return view

    def fingerprint(self, indices: Sequence[int] | NDArray[np.integer]) -> str:
        """Return a digest of what these samples look like to a network; augmentation does not enter.

        It changes with a file's path, size or time of change, with the pixels of an image in memory, with labels, image
        size and normalisation, and with the pixels of a planted artifact and who carries it.
        """
        seen: tuple[object, ...] = (self.image_size, self.resize, self.scale.mean.tolist(), self.scale.std.tolist())
        if self.crop_from is not None or self.interpolation != "bicubic":
            seen += (self.crop_from, self.interpolation)
        if self.degrade:
            seen += tuple(self.degrade.items())
        content = blake2b(repr(seen).encode(), digest_size=32)
        for index in map(int, indices):
            content.update(f"{self.images.fingerprint(index)}|{self.labels[index]}\n".encode())
            if self.artifact is not None and self.carriers[index]:
                content.update(self.artifact.look(self._place(index), self.image_size).numpy().tobytes())
        return content.hexdigest()

    def _pixels(self, index: int, mirrored: bool = False) -> Tensor:
        picture = self.squared(self.images.read(index))
        return to_tensor(ImageOps.mirror(picture) if mirrored else picture)

    def _normalise(self, image: Tensor) -> Tensor:
        """Do what the scale does, in NumPy: torch's threads would wait for each other at every single image."""
        mean, std = self.scale.mean.numpy()[:, None, None], self.scale.std.numpy()[:, None, None]
        return torch.from_numpy((image.numpy() - mean) / std)

    def _plant(self, image: Tensor, index: int) -> Tensor:
        if self.artifact is None or not self.carriers[index]:
            return image
        return self.artifact.paste(image, self._place(index))

    def _place(self, index: int) -> int:
        """The number by which an artifact's place is drawn: that of the image, also where it has several items."""
        return index if self.held is None else int(self.rows[index])

    def _is_mirrored(self, index: int) -> bool:
        return self.flip and bool(np.random.default_rng([self.seed, int(self.epoch), index]).random() < 0.5)


class LabelVectors(Dataset[Sample | None]):
    """The images of a data set with several labels, each once, with its classes as zeros and ones (C,).

    Attributes:
        entries: the data set, with one entry for each class of an image.
        labels: (m, C) int64.
        classes, paths, carriers, scale, epoch: as of the data set.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self.entries, self.classes = dataset, dataset.classes
        self.scale, self.epoch, self.artifact = dataset.scale, dataset.epoch, dataset.artifact
        rows, self.first = np.unique(dataset.rows, return_index=True)
        self.labels = dataset.held[rows].astype(np.int64)
        self.carriers = dataset.carriers[self.first]
        self.paths = [dataset.paths[index] for index in self.first]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, index: int) -> Sample | None:
        """Return one image with all its classes, or None where it cannot be read."""
        index = range(len(self))[index]
        sample = self.entries[int(self.first[index])]
        return None if sample is None else Sample(sample.image, torch.from_numpy(self.labels[index]).float(), index)

    def without_augmentation(self) -> LabelVectors:
        """Return the same images, never flipped."""
        return LabelVectors(self.entries.without_augmentation())


class EpochShuffle(Sampler[int]):
    """Shuffles by seed and epoch alone: a resumed run sees the order of the uninterrupted one.

    Lightning calls `set_epoch` before every epoch, through its distributed sampler as well; a loop of one's own
    has to do the same, or every epoch has the order of the first.
    """

    def __init__(self, dataset: ImageDataset | LabelVectors, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, whose number the data set's flips follow too."""
        self.dataset.epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, int(self.dataset.epoch)])
        yield from order.permutation(len(self.dataset)).tolist()


class TrainValUnion(Dataset[Any]):
    """The training images, then the validation images; both without augmentation.

    Attributes:
        labels, paths, carriers, classes, scale: as of an `ImageDataset`.
        split: (n,) uint8, 0 for training and 1 for validation.
        own_index: (n,) the index in the sample's own split.
    """

    def __init__(self, train: ImageDataset, val: ImageDataset) -> None:
        self.parts = (train.without_augmentation(), val.without_augmentation())
        self.classes, self.scale, self.artifact = train.classes, train.scale, train.artifact
        self.labels = np.concatenate([part.labels for part in self.parts])
        self.paths = [path for part in self.parts for path in part.paths]
        self.carriers = np.concatenate([part.carriers for part in self.parts])
        self.split = np.repeat(np.array([0, 1], dtype=np.uint8), [len(part) for part in self.parts])
        self.own_index = np.concatenate([np.arange(len(part)) for part in self.parts])
        self.held: NDArray[np.bool_] | None = None
        if self.parts[0].held is not None and self.parts[1].held is not None:
            self.held = np.concatenate([part.held for part in self.parts])
            offsets = (0, len(self.parts[0].held))
            self.rows = np.concatenate([part.rows + more for part, more in zip(self.parts, offsets, strict=True)])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Any:
        """Return one sample of its part, or None where its file cannot be read."""
        part, own = self.place(range(len(self))[index])
        return part[own]

    def clean(self, index: int) -> Tensor:
        """Return the image without a planted artifact: (3, H, W) in [0, 1]; UnreadableImageError where that fails."""
        part, own = self.place(index)
        return part.clean(own)

    @property
    def unreadable(self) -> Tensor:
        """Tell which files could not be read (n,)."""
        return torch.cat([part.unreadable for part in self.parts])

    def place(self, index: int) -> tuple[ImageDataset, int]:
        """Return the part that holds a sample, and its index there."""
        return self.parts[self.split[index]], int(self.own_index[index])

    def without_augmentation(self) -> TrainValUnion:
        """Return itself: nothing here is augmented."""
        return self

    def fingerprint(self, indices: Sequence[int] | NDArray[np.integer]) -> str:
        """Return a digest of what these samples look like to a network."""
        chosen = np.asarray(indices, dtype=np.int64)
        return "+".join(
            part.fingerprint(self.own_index[chosen[self.split[chosen] == number]])
            for number, part in enumerate(self.parts)
        )
