"""Samples that a table lists, such as suspects.csv, and a data set without them."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_SPLITS = {"train": "train", "validation": "val", "val": "val"}  # as audits call them, and as people do


class Labelled(Protocol):
    """Samples with paths, labels (n,) as indices into the class names, and these names."""

    labels: NDArray[np.int64]
    classes: list[str]

    @property
    def paths(self) -> list[str]:
        """The path, or a stable name, of each sample."""
        ...


@dataclass(frozen=True)
class Listed:
    """Samples by path, and for each the splits that it is listed for: both where the table does not tell.

    file: the table.
    """

    file: Path
    splits: Mapping[str, frozenset[str]]

    def __len__(self) -> int:
        return len(self.splits)

    def rows(self, paths: Sequence[str], split: str) -> NDArray[np.bool_]:
        """Return which of these samples of a split, "train" or "val", are listed for it: (n,) bool."""
        return np.array([split in self.splits.get(path, ()) for path in paths], dtype=bool)


def read_listed(file: str | Path, option: str) -> Listed:
    """Return the samples in the column `path` of a table; its column `split`, where filled, tells which split is meant.

    option: the key that the file was given as, which opens every sentence. Raises FileNotFoundError or ValueError for a
    file that is missing, is no table of text, has no column `path` or no rows, or an unknown split.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{option} expects a table such as suspects.csv, got no file at {path}")
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as table:  # see `write_csv`
        text = table.read()  # without the mark with which spreadsheets begin a file
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows, columns = list(reader), reader.fieldnames or ()
    except csv.Error as error:
        raise ValueError(f"{option} expects a table of text, got {path}: {error}") from error
    if "\0" in text:
        raise ValueError(f"{option} expects a table of text, got {path}, which holds zero bytes")
    if "path" not in columns:
        raise ValueError(f"{option} expects a column 'path', got {', '.join(columns) or 'nothing'} in {path}")
    listed: dict[str, frozenset[str]] = {}
    for row in rows:
        if row["path"]:
            listed[row["path"]] = listed.get(row["path"], frozenset()) | _splits(row.get("split"), option, path)
    if not listed:
        raise ValueError(f"{option} expects samples in the column 'path', got none in {path}")
    return Listed(path, listed)


def listed_rows(listed: Listed, train: Labelled, val: Labelled, option: str) -> dict[str, NDArray[np.bool_]]:
    """Return which samples of "train" and "val" are listed, (n,) bool each; ValueError where not a single one is."""
    rows = {"train": listed.rows(train.paths, "train"), "val": listed.rows(val.paths, "val")}
    if not any(found.any() for found in rows.values()):
        raise ValueError(
            f"{option} expects paths of the images that are used, such as {train.paths[0]}, got none of them among the "
            f"{len(listed)} in {listed.file}, such as {next(iter(listed.splits))}"
        )
    return rows


def remaining(listed: Listed, train: Labelled, val: Labelled, option: str) -> dict[str, NDArray[np.int64]]:
    """Return the indices of the samples of "train" and "val" that are not listed, and log how many are left out.

    Raises ValueError where not a single sample is listed, or a class is left without training images; a class left
    without validation images is a warning.
    """
    rows = listed_rows(listed, train, val, option)
    for split, part in (("train", train), ("val", val)):
        before, after = (np.bincount(part.labels[own], minlength=len(part.classes)) for own in (..., ~rows[split]))
        for label in np.flatnonzero((after == 0) & (before > 0)):
            _nothing_left(option, listed, split, part.classes[label], int(before[label]))
    _log.warning(
        "%s: %d of %d training images and %d of %d validation images are left out, %d samples are listed in %s",
        option, rows["train"].sum(), len(rows["train"]), rows["val"].sum(), len(rows["val"]), len(listed), listed.file,
    )  # fmt: skip
    return {split: np.flatnonzero(~found) for split, found in rows.items()}


def _nothing_left(option: str, listed: Listed, split: str, name: str, n: int) -> None:
    if split == "train":
        raise ValueError(f"{option} leaves no training images of class {name!r}: all {n} are listed in {listed.file}")
    _log.warning("%s leaves no validation images of class %r: its validation accuracy says nothing", option, name)


def _splits(name: str | None, option: str, path: Path) -> frozenset[str]:
    if not name:
        return frozenset(_SPLITS.values())
    if name not in _SPLITS:
        raise ValueError(f"{option} expects train or validation in the column 'split', got {name!r} in {path}")
    return frozenset({_SPLITS[name]})
