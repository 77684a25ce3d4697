"""Anybody's data sets as map-style ones of (image, label) pairs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, default_collate

from unhans.data.items import Key, Parts, class_names_of, classes_of, entries_of, parts_of, stored_labels

Collate = Callable[[list[Any]], Any]

DRAWN = 1000  # samples of an iterable that are kept in memory
ROUNDING = 1e-5  # of pixels, by which a mixture of an image with itself differs from it
LOG = logging.getLogger("unhans")


def adapt(
    dataset: Any, keys: Mapping[str, Key] | None = None, collate: Collate | None = None, who: str = "an audit"
) -> Dataset:
    """Return a map-style data set of (image, label) pairs: the data set itself where it is one.

    Args:
        dataset: map-style, with items of any form that `parts_of` reads; or iterable, of which the first 1,000 samples
            are kept in memory. Labels are classes, or vectors (C,): soft ones stand for their largest entry; of zeros
            and ones each one is a class of the sample, which then occurs once for each of them.
        keys: where image and label are in an item, where they are not found.
        collate: of the loader, used where it changes the images, as where an image processor runs in it.
        who: opens the sentence of an error.

    Raises:
        ValueError: no data set, or items that cannot be read.
    """
    if hasattr(dataset, "entries"):  # ours, with one entry for each class of an image
        return dataset.entries
    keys = dict(keys or {})
    collate = None if collate is default_collate else collate
    if isinstance(dataset, Mapping):
        raise ValueError(
            f"{who} expects one data set, got a {type(dataset).__name__} of {', '.join(map(repr, dataset))}; give one "
            "of them as dataset=."
        )
    if not is_map_style(dataset):
        dataset = FirstSamples(dataset, keys, collate, who)
        return dataset if dataset.held is None else Adapted(dataset, {}, None, who)
    first = first_item(dataset)
    collate = _changing(collate, first, keys, who)
    if first is None or (collate is None and not keys and _is_pair(first)):
        return dataset
    parts_of(first if collate is None else collate([first]), keys, who)  # what cannot be read is said now
    return Adapted(dataset, keys, collate, who)


def without_augmentation(dataset: Dataset) -> Dataset:
    """Return the data set without its random transforms, where it can tell them apart."""
    return dataset.without_augmentation() if hasattr(dataset, "without_augmentation") else dataset


class Adapted(Dataset[Any]):
    """The (image, label) pairs of a data set whose items have another form.

    A sample with several classes is one entry for each of them; one without any has the label `NONE`.

    Attributes:
        classes: names of the classes by label; None where they have none.
        labels: of every entry (n,).
        rows: the sample of every entry (n,).
        held: which classes each sample belongs to (samples, C); None where each has one.
    """

    def __init__(self, dataset: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> None:
        self.dataset, self.keys, self.collate, self.who = dataset, dict(keys), collate, who
        self.classes = class_names_of(dataset, keys)

    @cached_property
    def _classes(self) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
        return classes_of(self._labels())

    @cached_property
    def _entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        labels, held = self._classes
        return (labels, np.arange(len(labels))) if held is None else entries_of(held)

    labels = property(lambda self: self._entries[0])
    rows = property(lambda self: self._entries[1])
    held = property(lambda self: self._classes[1])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | None:
        """Return an image (C, H, W) and its label; None for an item that cannot be read."""
        index = range(len(self))[index]
        parts = self.sample(int(self.rows[index]))
        return None if parts is None else (parts.image, int(self.labels[index]))

    @property
    def carriers(self) -> NDArray[np.bool_]:
        """Which entries are known to carry a planted artifact (n,)."""
        known = getattr(self.dataset, "carriers", None)
        return np.zeros(len(self), dtype=bool) if known is None else np.asarray(known)[self.rows]

    def sample(self, row: int) -> Parts | None:
        """Return image and label of a sample of the data set; None where it cannot be read."""
        item = self.dataset[row]
        if item is None:
            return None
        if self.collate is None:
            return parts_of(item, self.keys, self.who)
        parts = parts_of(self.collate([item]), self.keys, self.who)
        return Parts(parts.image[0], None if parts.label is None else parts.label[0], None)

    def _labels(self) -> Sequence[Any] | NDArray[Any]:
        """The label of every sample: as it is stored, if a few samples that are read agree; else all are read."""
        size = len(self.dataset)
        stored = stored_labels(self.dataset, self.keys)
        read = sorted({0, size // 2, size - 1})[:size]  # none of an empty data set
        if stored is not None and all(_agrees(stored[row], self.sample(row)) for row in read):
            return stored
        LOG.warning(
            "%s reads all %d samples to know their labels, since the data set keeps none, or others than its items "
            "have; an attribute `labels` spares it.", self.who, size,
        )  # fmt: skip
        labels = []
        for parts in map(self.sample, range(size)):
            if parts is not None and parts.label is None:
                raise ValueError(
                    f'{self.who} expects labelled samples, got one without; say where labels are: keys={{"label": …}}.'
                )
            labels.append(None if parts is None else parts.label)
        return labels


class FirstSamples(Dataset[Any]):
    """The first samples of an iterable, kept in memory so that audits see the same ones every time."""

    def __init__(self, source: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> None:
        if not hasattr(source, "__iter__"):
            raise ValueError(
                f"{who} expects a data set with samples by index, or one to iterate over, got {type(source).__name__}; "
                "give one as dataset=."
            )
        found = [parts for item in islice(source, DRAWN) for parts in _samples(item, keys, collate, who)][:DRAWN]
        if not found or any(parts.label is None for parts in found):
            raise ValueError(
                f"{who} expects labelled samples, got {'some without a label' if found else 'none'}; give others as "
                'dataset=, or say where labels are with keys={"label": …}.'
            )
        self.images = [parts.image for parts in found]
        self.targets = [parts.label for parts in found]
        self.labels, self.held = classes_of(self.targets)
        self.classes = getattr(source, "classes", None)
        level = logging.WARNING if len(found) == DRAWN else logging.INFO
        LOG.log(level, "%s keeps the first %d samples of an iterable data set in memory; only these are audited.",
                who, len(found))  # fmt: skip

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        """Return an image (C, H, W) and its label."""
        return self.images[index], self.targets[index] if self.held is not None else int(self.labels[index])


def first_image(dataset: Dataset) -> Tensor | None:
    """Return the first image that can be read as a batch (1, C, H, W); None where there is none."""
    item = first_item(dataset)
    return None if item is None else torch.as_tensor(item[0])[None]


def first_item(dataset: Any) -> Any:
    """Return the first item that can be read; None where there is none. No labels are looked up for it."""
    if isinstance(dataset, Adapted):
        items = map(dataset.sample, range(samples_in(dataset)))
    else:
        items = (dataset[index] for index in range(len(dataset)))
    return next((item for item in items if item is not None), None)


def samples_in(dataset: Any) -> int:
    """Return how many samples a data set has, as it was given. No labels are looked up for it."""
    return len(dataset.dataset if isinstance(dataset, Adapted) else dataset)


def is_map_style(dataset: Any) -> bool:
    """Say whether samples are read by their index; an `IterableDataset` has `__getitem__`, and may have a length."""
    return not isinstance(dataset, IterableDataset) and hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")


def _agrees(stored: Any, parts: Parts | None) -> bool:
    """Whether a label that is read is the stored one; a target_transform may change it."""
    return parts is None or parts.label is None or np.array_equal(np.asarray(parts.label), np.asarray(stored))


def _samples(item: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> Iterator[Parts]:
    """The samples in an item of an iterable, which may be a whole batch."""
    if item is None:
        return
    parts = parts_of(item if collate is None else collate([item]), keys, who)
    if collate is None and parts.image.ndim < 4:
        yield parts
        return
    for row, image in enumerate(parts.image):
        yield Parts(image, None if parts.label is None else parts.label[row], None)


def _is_pair(item: Any) -> bool:
    """Whether an item is (image, class, …) already."""
    if isinstance(item, Mapping) or not isinstance(item, Sequence) or len(item) < 2:
        return False
    label = np.asarray(item[1])
    return isinstance(item[0], Tensor) and label.size == 1 and np.issubdtype(label.dtype, np.integer)


def _changing(collate: Collate | None, item: Any, keys: Mapping[str, Key], who: str) -> Collate | None:
    """The loader's function where it makes other images than the items hold; None where it does not."""
    if collate is None or item is None:
        return None
    try:
        batch = parts_of(collate([item]), keys, who)
    except Exception:  # it may want more than one item, or more than this one
        return None
    try:
        own = parts_of(item, keys, who)
    except ValueError:
        return collate
    same = batch.image.shape[1:] == own.image.shape and torch.allclose(batch.image[0], own.image, atol=ROUNDING)
    return None if same else collate
