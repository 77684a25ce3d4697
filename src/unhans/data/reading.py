"""Reading samples of any map-style data set, ours, a `Subset`, torchvision's, or a user's own, and looking at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset
from torchvision.datasets import DatasetFolder

from unhans.data.adapters import Adapted, without_augmentation
from unhans.data.dataset import ImageDataset, TrainValUnion
from unhans.data.image_io import UnreadableImageError
from unhans.data.image_list import Files
from unhans.data.items import class_names_of
from unhans.data.normalization import PixelScale, fits, found_scale, known_scale, origin, pixel_scale


def labels_of(dataset: Dataset) -> NDArray[np.int64]:
    """Return the label of every sample (n,), −1 where a sample cannot be read, −2 where it belongs to no class.

    Taken from where data sets keep labels, see `stored_labels`, if three samples that are read agree, since a
    target_transform or a wrapper may change them; otherwise every sample is read once.
    """
    if isinstance(dataset, Adapted | ImageDataset | TrainValUnion):
        return dataset.labels
    return Adapted(dataset, {}, None, "an audit").labels


def has_several(dataset: Dataset) -> bool:
    """Say whether a sample may belong to several classes, or to none."""
    return getattr(origin(dataset), "held", None) is not None


def without_class(dataset: Dataset, labels: NDArray[np.int64], label: int) -> NDArray[np.bool_]:
    """Return which samples (n,) can be read and do not belong to a class, though they may belong to several others."""
    others = (labels != -1) & (labels != label)
    base = np.arange(len(labels))
    while isinstance(dataset, Subset):
        base = np.asarray(dataset.indices, dtype=np.int64)[base]
        dataset = dataset.dataset
    held = getattr(dataset, "held", None)
    return others if held is None or not hasattr(dataset, "rows") else others & ~held[dataset.rows[base], label]


def once(dataset: Dataset, entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one entry of every sample among some (n,), also of one with several classes: the first."""
    return entries[np.sort(np.unique(rows_of(dataset)[entries], return_index=True)[1])]


def names_of(dataset: Dataset, labels: NDArray[np.int64]) -> dict[int, str]:
    """Return the name of every class that occurs, in the order of the labels; the number where there is no name."""
    classes = class_names_of(dataset)
    present = [int(label) for label in np.unique(labels) if label >= 0]
    return {label: str(classes[label]) if classes and label < len(classes) else str(label) for label in present}


def paths_of(dataset: Dataset) -> list[str]:
    """Return the path of every sample, or its index where the data set knows no paths."""
    if isinstance(dataset, Subset | Adapted):
        paths = paths_of(dataset.dataset)
        return [paths[index] for index in (dataset.rows if isinstance(dataset, Adapted) else dataset.indices)]
    if isinstance(dataset, ConcatDataset) and all(hasattr(part, "__len__") for part in dataset.datasets):
        named = [(number, paths_of(part)) for number, part in enumerate(dataset.datasets)]
        return [path if not path.isdigit() else f"{number}/{path}" for number, paths in named for path in paths]
    if hasattr(dataset, "paths"):
        return [str(path) for path in dataset.paths]
    if hasattr(dataset, "samples"):  # torchvision's folders
        return [str(path) for path, *_ in dataset.samples]
    return [str(index) for index in range(len(dataset))]  # type: ignore[arg-type]


def carriers_of(dataset: Dataset) -> NDArray[np.bool_]:
    """Return which samples are known to carry a planted artifact (n,); all False where nothing is known."""
    if isinstance(dataset, Subset):
        return carriers_of(dataset.dataset)[np.asarray(dataset.indices, dtype=np.int64)]
    carriers = getattr(dataset, "carriers", None)
    return np.zeros(len(dataset), dtype=bool) if carriers is None else np.asarray(carriers)  # type: ignore[arg-type]


DRAW = 8  # in seeds of this draw: with the seed and the label alone it would choose as `Artifact.carriers` does


def draw_per_class(labels: NDArray[np.int64], per_class: int | None, seed: int) -> dict[int, NDArray[np.int64]]:
    """Return at most `per_class` sample indices of every class, ascending, drawn by the seed."""
    chosen = {}
    for label in np.unique(labels[labels >= 0]):
        members = np.flatnonzero(labels == label)
        order = np.random.default_rng([seed, int(label), DRAW]).permutation(members)
        chosen[int(label)] = np.sort(order[:per_class])
    return chosen


def read_samples(dataset: Dataset, indices: Sequence[int] | NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
    """Return the images (n, C, H, W) that can be read, and their indices (n,)."""
    items: list[tuple[int, Any]] = [(int(index), dataset[int(index)]) for index in indices]
    kept = [(index, item[0]) for index, item in items if item is not None]
    images = torch.stack([image for _, image in kept]) if kept else torch.empty(0, 3, 0, 0)
    return images, np.array([index for index, _ in kept], dtype=np.int64)


def read_batches(
    dataset: Dataset, indices: NDArray[np.int64], size: int, num_workers: int = 0
) -> Iterator[tuple[Tensor, NDArray[np.int64], int]]:
    """Give images (b, C, H, W) that can be read, their indices (b,), and how many were asked for, batch by batch.

    Only one batch is in memory, or two per loader process.
    """
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]
    reading = _Batches(dataset, parts)
    if not num_workers:
        yield from map(reading.__getitem__, range(len(parts)))
        return
    yield from _loaded(reading, num_workers)


def _loaded(reading: Dataset, num_workers: int) -> DataLoader:
    """The items of a data set in their order, read by other processes."""
    generator = torch.Generator()  # else a loader draws from the global state
    return DataLoader(reading, batch_size=None, num_workers=num_workers, collate_fn=_as_it_is, generator=generator)


def _as_it_is(batch: Any) -> Any:
    """Keep arrays as arrays, which a loader would turn into tensors."""
    return batch


class _Batches(Dataset[Any]):
    """Whole batches as the items of a data set."""

    def __init__(self, dataset: Dataset, parts: Sequence[NDArray[np.int64]]) -> None:
        self.dataset, self.parts = dataset, parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: int) -> tuple[Tensor, NDArray[np.int64], int]:
        return *read_samples(self.dataset, self.parts[number]), len(self.parts[number])


def splits_of(dataset: Dataset) -> NDArray[np.uint8] | None:
    """Return 0 for training and 1 for validation samples (n,), or None where the data set is not a union of both."""
    return getattr(dataset, "split", None) if isinstance(dataset, TrainValUnion) else None


def own_index_of(dataset: Dataset) -> NDArray[np.int64]:
    """Return the index of every entry (n,) in its own split, or in the data set as it was given (see `Adapted`)."""
    return dataset.own_index if isinstance(dataset, TrainValUnion) else rows_of(dataset)


def rows_of(dataset: Dataset) -> NDArray[np.int64]:
    """Return the sample of every entry (n,) in the data set as it was given; see `Adapted`."""
    if isinstance(dataset, Adapted):
        return dataset.rows
    if getattr(dataset, "held", None) is not None and hasattr(dataset, "rows"):  # numbers of images that are there
        return np.unique(dataset.rows, return_inverse=True)[1]
    return np.arange(len(dataset))  # type: ignore[arg-type]


def entries_at(dataset: Dataset, index: NDArray[np.int64], label: int | None = None) -> NDArray[np.int64]:
    """Return where samples of the data set as it was given occur in it, in their order.

    Args:
        dataset: in which a sample of several classes occurs once for each of them.
        index: (n,) of samples in the data set as it was given.
        label: None for every entry of a sample; else one (n,): that of this class, where it has none its first.

    Raises:
        ValueError: there are no such samples.
    """
    rows = rows_of(dataset)
    count = int(rows[-1]) + 1 if len(rows) else 0
    if len(index) and not 0 <= index.min() <= index.max() < count:
        raise ValueError(f"indices expects numbers 0 … {count - 1} of the data set, got others.")
    begin, end = np.searchsorted(rows, index, "left"), np.searchsorted(rows, index, "right")
    several = [np.arange(*each) for each in zip(begin, end, strict=True)]
    if label is None:
        return np.concatenate([np.array([], dtype=np.int64), *several])
    labels = labels_of(dataset)
    return np.array([next((i for i in each if labels[i] == label), each[0]) for each in several], dtype=np.int64)


def fingerprint_of(dataset: Dataset, indices: NDArray[np.int64], num_workers: int = 0) -> str:
    """Return a digest that changes with what these samples look like to a network.

    Our own data sets tell it without reading files (path, size, time of change). So do torchvision's folders, of which
    the first sample is read besides, for their transforms. Of others every sample is read.

    Args:
        dataset: of (image, label) pairs.
        indices: of the samples (n,).
        num_workers: processes that read.
    """
    if isinstance(dataset, Subset):
        return fingerprint_of(dataset.dataset, np.asarray(dataset.indices, dtype=np.int64)[indices], num_workers)
    if hasattr(dataset, "fingerprint"):
        return dataset.fingerprint(indices)
    content = blake2b(digest_size=32)
    if _reads_files(dataset):
        files = Files(paths_of(dataset))
        for index in map(int, indices):
            content.update(f"{files.fingerprint(index)}|{dataset.samples[index][1]}\n".encode(errors="surrogateescape"))
        indices = indices[:1]
    reading = _Contents(dataset, indices)
    for part in map(reading.__getitem__, range(len(indices))) if not num_workers else _loaded(reading, num_workers):
        content.update(part)
    return content.hexdigest()


def _reads_files(dataset: Dataset) -> bool:
    """Tell whether samples are files and nothing else: not where a subclass says what an item is."""
    return isinstance(dataset, DatasetFolder) and type(dataset).__getitem__ is DatasetFolder.__getitem__


@dataclass(frozen=True)
class _Contents(Dataset[bytes]):
    """What samples look like, and their labels, as the items of a data set."""

    dataset: Dataset
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> bytes:
        item = self.dataset[int(self.indices[number])]
        return b"-" if item is None else np.ascontiguousarray(item[0]).tobytes() + str(int(item[1])).encode()


def display_images(dataset: Dataset, images: Tensor) -> Tensor:
    """Return images (n, 3, H, W) in [0, 1] to look at; without a known normalisation each is stretched to it."""
    scale = known_scale(dataset) or found_scale(dataset, images.shape[1])
    if scale is not None and (scale is known_scale(dataset) or fits(scale, images)):
        return scale.to_display(images)
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    shown = (images - low) / (high - low).clamp(min=1e-12)
    return shown.expand(-1, 3, -1, -1) if shown.shape[1] == 1 else shown[:, :3]


@dataclass(frozen=True)
class DisplayedImages:
    """The images of a data set of (image, label, …) items, read without augmentation and in [0, 1]."""

    dataset: Dataset

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The label of every sample (N,), −1 where it cannot be read."""
        return labels_of(self._plain)

    def read(self, indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
        """Return the images (n, 3, H, W) that can be read, and their indices."""
        images, kept = read_samples(self._plain, indices)
        return (self._scale.to_display(images) if len(kept) else images), kept

    def image(self, index: int) -> Tensor:
        """Return one image (3, H, W); UnreadableImageError where it cannot be read."""
        images, kept = self.read(np.array([index]))
        if not len(kept):
            raise UnreadableImageError(f"sample {index} of the data set cannot be read")
        return images[0]

    @cached_property
    def _plain(self) -> Dataset:
        return without_augmentation(self.dataset)

    @cached_property
    def _scale(self) -> PixelScale:
        return pixel_scale(self._plain, 0)
