"""Anybody's batches and data sets: where images and labels are, and which classes a sample belongs to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, default_collate

Key = str | int
Collate = Callable[[list[Any]], Any]

POSITIONS = {"image": 0, "label": 1}  # in a tuple or list
NAMES = {
    "image": ("image", "images", "pixel_values", "img", "x", "inputs", "jpg", "jpeg", "png", "webp"),
    "label": ("label", "labels", "target", "targets", "y", "cls"),
    "index": ("index",),
}  # in a mapping, the first that is there
STORED = ("labels", "targets", "_labels", "y", "attr")  # where data sets keep labels
LISTED = ("samples", "_samples", "imgs")  # where they keep (file, label)
NONE = -2  # the label of a sample that belongs to no class; −1 is that of one that cannot be read
DRAWN = 1000  # samples of an iterable that are kept in memory
ROUNDING = 1e-5  # of pixels, by which a mixture of an image with itself differs from it
LOG = logging.getLogger("unhans")


class Parts(NamedTuple):
    """What is needed of a batch: images (n, C, H, W), labels (n,), and data-set indices (n,); None where absent.

    Of one sample: an image (C, H, W), its label, and its index.
    """

    image: Any
    label: Any
    index: NDArray[np.int64] | None


def parts_of(batch: Any, keys: Mapping[str, Key], who: str) -> Parts:
    """Return the parts of a batch or a sample: a tuple, list, NamedTuple or mapping.

    Args:
        batch: images come first and labels second, or under the usual names, such as "pixel_values" and "labels";
            indices under "index".
        keys: where they are otherwise, such as {"image": "pixels", "index": 2}.
        who: opens the sentence.

    Raises:
        ValueError: what is asked for is not there, or the images are no tensor.
    """
    image, label, index = (_part(batch, name, keys.get(name), who) for name in ("image", "label", "index"))
    if not isinstance(image, Tensor):
        raise ValueError(
            f"{who} expects a tensor of images, got {type(image).__name__}; let the data set's transform, or the "
            'loader\'s collate_fn, make tensors of them, or say where they are with keys={"image": …}.'
        )
    return Parts(image, label, None if index is None else np.asarray(torch.as_tensor(index).cpu(), dtype=np.int64))


def adapted(
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
    keys = dict(keys or {})
    if isinstance(dataset, Mapping):
        raise ValueError(
            f"{who} expects one data set, got a {type(dataset).__name__} of {', '.join(map(repr, dataset))}; give one "
            "of them as dataset=."
        )
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        dataset = Drawn(dataset, keys, _needed(collate), who)
        return dataset if dataset.held is None else Adapted(dataset, {}, None, who)
    first = first_item(dataset)
    collate = _useful(collate, first, keys, who)
    if first is None or (collate is None and not keys and _is_plain(first)):
        return dataset
    parts_of(first if collate is None else collate([first]), keys, who)  # what cannot be read is said now
    return Adapted(dataset, keys, collate, who)


class Adapted(Dataset[Any]):
    """The (image, label) pairs of a data set whose items have another form.

    A sample with several classes is one entry for each of them; one without any has the label `NONE`.

    Attributes:
        classes: names of the classes by label; None where they have none.
    """

    def __init__(self, dataset: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> None:
        self.dataset, self.keys, self.collate, self.who = dataset, dict(keys), collate, who
        self.classes = class_names_of(dataset, keys)

    @cached_property
    def _known(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_] | None]:
        """Labels and samples of the entries, and which classes each sample belongs to."""
        labels, held = _classes_of(_labels(self))
        return (labels, np.arange(len(labels)), None) if held is None else (*_entries(held), held)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The label of every entry (n,)."""
        return self._known[0]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The sample of every entry (n,)."""
        return self._known[1]

    @property
    def held(self) -> NDArray[np.bool_] | None:
        """Which classes each sample belongs to (samples, C); None where each has one."""
        return self._known[2]

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


class Drawn(Dataset[Any]):
    """The first samples of an iterable, kept in memory so that audits see the same ones every time."""

    def __init__(self, source: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> None:
        if not hasattr(source, "__iter__"):
            raise ValueError(
                f"{who} expects a data set with samples by index, or one to iterate over, got {type(source).__name__}; "
                "give one as dataset=."
            )
        found = [parts for item in islice(source, DRAWN) for parts in _samples(item, keys, collate, who)][:DRAWN]
        if not found or any(parts.label is None for parts in found):
            raise ValueError(f"{who} expects labelled samples, got {'none' if not found else 'some without a label'}.")
        self.images = [parts.image for parts in found]
        self.targets = [parts.label for parts in found]
        self.labels, self.held = _classes_of(self.targets)
        self.classes = getattr(source, "classes", None)
        LOG.info("%s keeps the first %d samples of an iterable data set in memory.", who, len(found))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        """Return an image (C, H, W) and its label."""
        return self.images[index], self.targets[index] if self.held is not None else int(self.labels[index])


def stored_labels(dataset: Any, keys: Mapping[str, Key] | None = None) -> NDArray[Any] | None:
    """Return the labels (n,) or (n, C) that a data set keeps, without reading an image; None where it keeps none."""
    keys = keys or {}
    if isinstance(dataset, Subset):
        labels = stored_labels(dataset.dataset, keys)
        return None if labels is None else labels[np.asarray(dataset.indices, dtype=np.int64)]
    if isinstance(dataset, ConcatDataset):
        parts = [stored_labels(part, keys) for part in dataset.datasets]
        return None if any(part is None for part in parts) else np.concatenate(parts)  # type: ignore[arg-type]
    if _is_table(dataset):
        column = _column(dataset.column_names, keys)
        return None if column is None else _numbers(dataset.with_format(None).select_columns([column])[:][column])
    if "label" in keys:
        return None
    if isinstance(dataset, TensorDataset) and len(dataset.tensors) > 1:
        return _numbers(dataset.tensors[1])
    kept = [getattr(dataset, name) for name in STORED if hasattr(dataset, name)]
    listed = [getattr(dataset, name) for name in LISTED if hasattr(dataset, name)]
    pairs = [[entry[1] for entry in each] for each in listed if all(isinstance(entry, tuple) for entry in each)]
    found = (_numbers(each) for each in (*kept, *pairs) if each is not None)
    return next((labels for labels in found if labels is not None and len(labels) == len(dataset)), None)


def class_names_of(dataset: Any, keys: Mapping[str, Key] | None = None) -> list[str] | None:
    """Return the names of a data set's classes by label; None where it has none."""
    while isinstance(dataset, (Subset, ConcatDataset)):
        dataset = dataset.dataset if isinstance(dataset, Subset) else dataset.datasets[0]
    if _is_table(dataset):
        column = _column(dataset.column_names, keys or {})
        names = getattr(dataset.features.get(column), "names", None)
    else:
        names = getattr(dataset, "classes", None) or getattr(dataset, "attr_names", None)
    return None if not names else [str(name) for name in names]


def first_item(dataset: Any) -> Any:
    """Return the first item that can be read; None where there is none. No labels are looked up for it."""
    if isinstance(dataset, Adapted):
        items: Iterator[Any] = (dataset.sample(row) for row in range(len(dataset.dataset)))
    else:
        items = (dataset[index] for index in range(len(dataset)))
    return next((item for item in items if item is not None), None)


def _labels(data: Adapted) -> Sequence[Any] | NDArray[Any]:
    """The label of every sample: as it is stored, if a few samples that are read agree; else all are read."""
    size = len(data.dataset)
    stored = stored_labels(data.dataset, data.keys)
    if stored is not None and all(_agrees(stored[row], data.sample(row)) for row in {0, size // 2, size - 1}):
        return stored
    LOG.warning(
        "%s reads all %d samples to know their labels, since the data set keeps none; an attribute `labels` spares it.",
        data.who, size,
    )  # fmt: skip
    read = (data.sample(row) for row in range(size))
    return [None if parts is None else _labelled(parts, data.who).label for parts in read]


def _agrees(stored: Any, parts: Parts | None) -> bool:
    """Whether a label that is read is the stored one; a target_transform may change it."""
    return parts is None or parts.label is None or np.array_equal(np.asarray(parts.label), np.asarray(stored))


def _labelled(parts: Parts, who: str) -> Parts:
    if parts.label is None:
        raise ValueError(f'{who} expects labelled samples, got one without; say where labels are: keys={{"label": …}}.')
    return parts


def _classes_of(labels: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """The class of every sample (n,); and, where they may have several, which each belongs to (n, C)."""
    plain = [None if each is None else np.asarray(each) for each in labels]
    width = next((each.size for each in plain if each is not None), 1)
    if width == 1:
        return np.array([-1 if each is None else _class(each.reshape(())) for each in plain], dtype=np.int64), None
    rows = np.stack([np.zeros(width) if each is None else each.reshape(-1).astype(np.float64) for each in plain])
    largest = np.array([-1 if each is None else int(each.argmax()) for each in plain], dtype=np.int64)
    hot = np.isin(rows, (0, 1)).all()
    held = rows > 0 if hot else None
    return largest, None if held is None or (held.sum(1) == 1).all() else held


def _class(label: NDArray[Any]) -> int:
    """The number of a class; a name or a number with a fraction is none."""
    known = label.dtype == bool or np.issubdtype(label.dtype, np.number)
    if not known or float(label) != int(label):
        raise ValueError(
            f"a label expects the number of a class, or a vector with an entry for each class, got {label.item()!r}; "
            'let the data set give numbers, or say where they are with keys={"label": …}.'
        )
    return int(label)


def _entries(held: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels and samples of one entry for each class of a sample, and one for a sample without any."""
    rows, labels = np.nonzero(held)
    without = np.flatnonzero(~held.any(1))
    rows, labels = np.concatenate([rows, without]), np.concatenate([labels, np.full(len(without), NONE)])
    order = np.lexsort((labels, rows))
    return labels[order].astype(np.int64), rows[order].astype(np.int64)


def _samples(item: Any, keys: Mapping[str, Key], collate: Collate | None, who: str) -> Iterator[Parts]:
    """The samples in an item of an iterable, which may be a whole batch."""
    if item is None:
        return
    batch = collate is not None
    parts = parts_of(collate([item]) if collate is not None else item, keys, who)
    if not batch and parts.image.ndim < 4:
        yield parts
        return
    for row, image in enumerate(parts.image):
        yield Parts(image, None if parts.label is None else parts.label[row], None)


def _is_plain(item: Any) -> bool:
    """Whether an item is (image, class, …) already."""
    if isinstance(item, Mapping) or not isinstance(item, Sequence) or len(item) < 2:
        return False
    label = np.asarray(item[1])
    return isinstance(item[0], Tensor) and label.size == 1 and np.issubdtype(label.dtype, np.integer)


def _needed(collate: Collate | None) -> Collate | None:
    return None if collate is default_collate else collate


def _useful(collate: Collate | None, item: Any, keys: Mapping[str, Key], who: str) -> Collate | None:
    """The loader's function where it makes other images than the items hold; None where it does not, or is torch's."""
    collate = _needed(collate)
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


def _is_table(dataset: Any) -> bool:
    """Whether this is a data set of Hugging Face."""
    return all(hasattr(dataset, name) for name in ("column_names", "features", "with_format", "select_columns"))


def _column(names: Sequence[str], keys: Mapping[str, Key]) -> str | None:
    wanted = keys.get("label")
    return next((name for name in ((wanted,) if wanted is not None else NAMES["label"]) if name in names), None)  # type: ignore[misc]


def _numbers(values: Any) -> NDArray[Any] | None:
    """Labels as an array of numbers; None for anything else, such as names."""
    try:
        array = np.asarray(values)
    except ValueError:
        return None
    return array if array.ndim in (1, 2) and np.issubdtype(array.dtype, np.number) else None


def _part(batch: Any, name: str, key: Key | None, who: str) -> Any:
    """One part of a batch; None for labels and indices that are not there."""
    if isinstance(batch, Mapping):
        wanted = NAMES[name] if key is None else (key,)
        found = next((batch[each] for each in wanted if batch.get(each) is not None), None)
        if found is None and (name == "image" or key is not None):
            raise ValueError(
                f"{who} finds no {name} in a batch with the keys {', '.join(map(repr, batch))}; name it in "
                f'keys={{"{name}": …}}.'
            )
        return found
    if not isinstance(batch, Sequence) or isinstance(batch, str):
        raise ValueError(f"{who} expects (image, label, …) or a mapping, got {type(batch).__name__}.")
    return _of_sequence(batch, name, key, who)


def _of_sequence(batch: Sequence[Any], name: str, key: Key | None, who: str) -> Any:
    fields = getattr(batch, "_fields", ())
    named = [each for each in NAMES[name] if each in fields] if key is None else [key]
    wanted = named[0] if named else name
    place = fields.index(wanted) if wanted in fields else wanted if isinstance(wanted, int) else POSITIONS.get(name)
    if place is None and key is None:
        return None
    if place is None or not -len(batch) <= place < len(batch):
        if name == "label" and key is None:
            return None
        raise ValueError(f"{who} finds no {name} at {wanted!r} in a batch of {len(batch)} parts.")
    return batch[place]
