"""Where anybody's batches and data sets keep images, labels, indices and names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset, TensorDataset

Key = str | int

POSITIONS = {"image": 0, "label": 1}  # in a tuple or list
NAMES = {
    "image": ("image", "images", "pixel_values", "img", "x", "inputs", "jpg", "jpeg", "png", "webp"),
    "label": ("label", "labels", "target", "targets", "y", "cls"),
    "index": ("index",),
}  # in a mapping, the first that is there
STORED = ("labels", "targets", "_labels", "y", "attr")  # where data sets keep labels
LISTED = ("samples", "_samples", "imgs")  # where they keep (file, label)
ROUNDING = 1e-2  # of the sum of a distribution, in half precision over many classes
NONE = -2  # the label of a sample that belongs to no class; −1 is that of one that cannot be read


class Parts(NamedTuple):
    """What is needed of a batch, or of one sample; None where absent.

    Attributes:
        image: images (n, C, H, W), or one (C, H, W).
        label: labels (n,), or one.
        index: of the samples in their data set (n,).
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


def check_images(images: Tensor, channels: int, who: str) -> None:
    """Raise ValueError unless these are floating-point images (n, channels, H, W)."""
    if not images.is_floating_point():
        raise ValueError(f"{who} expects images in floating point, got {images.dtype}; normalise them in the data set.")
    if images.ndim != 4 or images.shape[1] != channels:
        raise ValueError(f"{who} expects images (n, {channels}, H, W) in a batch, got shape {tuple(images.shape)}.")


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
        raise ValueError(
            f"{who} expects (image, label, …) or a mapping, got {type(batch).__name__}; give a data set of such "
            "items as dataset=."
        )
    fields = getattr(batch, "_fields", ())
    named = next((each for each in NAMES[name] if each in fields), name) if key is None else key
    place = fields.index(named) if named in fields else named if isinstance(named, int) else POSITIONS.get(name)
    if place is not None and -len(batch) <= place < len(batch):
        return batch[place]
    if key is None and name != "image":
        return None
    raise ValueError(
        f"{who} finds no {name} at {named!r} in a batch of {len(batch)} parts; say where it is with "
        f'keys={{"{name}": …}}.'
    )


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
        column = _column(dataset, keys)
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
        names = getattr(dataset.features.get(_column(dataset, keys or {})), "names", None)
    else:
        names = getattr(dataset, "classes", None) or getattr(dataset, "attr_names", None)
    return None if not names else [str(name) for name in names]


def classes_of(labels: Sequence[Any] | NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return the class of every sample (n,); and, where they may have several, which each belongs to (n, C).

    Raises:
        ValueError: a label is neither the number of a class nor a vector with an entry for each class: zeros and ones,
            or a distribution.
    """
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer):
        return labels.astype(np.int64), None
    plain = [None if each is None else np.asarray(each) for each in labels]
    width = next((each.size for each in plain if each is not None), 1)
    if width == 1 and all(each is None or each.size == 1 for each in plain):
        return np.array([-1 if each is None else _class(each.reshape(())) for each in plain], dtype=np.int64), None
    for each in plain:
        _check_vector(each, width)
    rows = np.stack([np.zeros(width) if each is None else each.reshape(-1).astype(np.float64) for each in plain])
    largest = np.array([-1 if each is None else int(each.argmax()) for each in plain], dtype=np.int64)
    held = rows > 0 if np.isin(rows, (0, 1)).all() else None
    return largest, None if held is None or (held.sum(1) == 1).all() else held


def entries_of(held: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return labels and samples of one entry for each class of a sample, and one for a sample without any."""
    rows, labels = np.nonzero(held)
    without = np.flatnonzero(~held.any(1))
    rows, labels = np.concatenate([rows, without]), np.concatenate([labels, np.full(len(without), NONE)])
    order = np.lexsort((labels, rows))
    return labels[order].astype(np.int64), rows[order].astype(np.int64)


def _check_vector(label: NDArray[Any] | None, width: int) -> None:
    """Raise ValueError unless this is a vector of classes (width,); masks and boxes are none."""
    if label is None:
        return
    if label.shape != (width,) or label.dtype.kind not in "biuf":
        raise ValueError(
            f"a label expects the number of a class, or a vector with an entry for each of {width} classes, got "
            f'{label.dtype} of shape {label.shape}; say where labels are with keys={{"label": …}}.'
        )
    if not (np.isin(label, (0, 1)).all() or (label.min() >= 0 and abs(float(label.sum()) - 1) < ROUNDING)):
        raise ValueError(
            "a label that is a vector expects zeros and ones, or shares that add up to 1, got entries from "
            f"{label.min():g} to {label.max():g} with the sum {label.sum():g}; say where labels are with "
            'keys={"label": …}.'
        )


def _class(label: NDArray[Any]) -> int:
    """The number of a class; a name or a number with a fraction is none."""
    known = label.dtype == bool or np.issubdtype(label.dtype, np.number)
    if not known or float(label) != int(label):
        raise ValueError(
            f"a label expects the number of a class, or a vector with an entry for each class, got {label.item()!r}; "
            'let the data set give numbers, or say where they are with keys={"label": …}.'
        )
    return int(label)


def _is_table(dataset: Any) -> bool:
    """Whether this is a data set of Hugging Face."""
    return all(hasattr(dataset, name) for name in ("column_names", "features", "with_format", "select_columns"))


def _column(table: Any, keys: Mapping[str, Key]) -> str | None:
    wanted = (keys["label"],) if keys.get("label") is not None else NAMES["label"]
    return next((name for name in wanted if name in table.column_names), None)  # type: ignore[misc]


def _numbers(values: Any) -> NDArray[Any] | None:
    """Labels as an array of numbers; None for anything else, such as names."""
    try:
        array = np.asarray(values)
    except ValueError:
        return None
    return array if array.ndim in (1, 2) and np.issubdtype(array.dtype, np.number) else None
