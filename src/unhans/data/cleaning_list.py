"""Samples that a table lists, such as suspects.csv, and a data set without them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unhans.data.dataset import ImageDataset, Split
from unhans.data.table_file import read_table
from unhans.store import plain_text

_log = logging.getLogger(__name__)
_SPLITS: dict[str, Split] = {"train": "train", "validation": "val", "val": "val"}  # as audits and people call them


@dataclass(frozen=True)
class CleaningList:
    """Samples that a table lists.

    Attributes:
        file: the table.
        option: the key that it was given as, which opens every sentence.
        splits: by path, the splits that a sample is listed for: both where the table does not tell.
    """

    file: Path
    option: str
    splits: Mapping[str, frozenset[str]]

    def __len__(self) -> int:
        return len(self.splits)

    def rows(self, train: ImageDataset, val: ImageDataset) -> dict[str, NDArray[np.bool_]]:
        """Return which samples of "train" and "val" are listed, (n,) bool each; ValueError where none is."""
        rows = {
            split: np.array([split in self.splits.get(path, ()) for path in part.paths], dtype=bool)
            for split, part in (("train", train), ("val", val))
        }
        if not any(found.any() for found in rows.values()):
            raise ValueError(
                f"{self.option} expects paths of the images that are used, such as {train.paths[0]}, got none of them "
                f"among the {len(self)} in {self.file}, such as {next(iter(self.splits))}"
            )
        return rows

    def other_rows(self, train: ImageDataset, val: ImageDataset) -> dict[str, NDArray[np.int64]]:
        """Return the indices of the samples of "train" and "val" that are not listed, and log how many are left out.

        Raises:
            ValueError: not a single sample is listed, or a class is left without training images; a class left without
                validation images is a warning.
        """
        rows = self.rows(train, val)
        for split, part in (("train", train), ("val", val)):
            before, after = (np.bincount(part.labels[own], minlength=len(part.classes)) for own in (..., ~rows[split]))
            for label in np.flatnonzero((after == 0) & (before > 0)):
                self._nothing_left(split, part.classes[label], int(before[label]))
        _log.warning(
            "%s: %d of %d training images and %d of %d validation images are left out, %d samples are listed in %s",
            self.option, *(n for found in rows.values() for n in (found.sum(), len(found))), len(self), self.file,
        )  # fmt: skip
        return {split: np.flatnonzero(~found) for split, found in rows.items()}

    def _nothing_left(self, split: str, name: str, n: int) -> None:
        if split == "train":
            raise ValueError(
                f"{self.option} leaves no training images of class {name!r}: all {n} are listed in {self.file}"
            )
        _log.warning(
            "%s leaves no validation images of class %r: its validation accuracy says nothing", self.option, name
        )


def read_cleaning_list(file: str | Path, option: str) -> CleaningList:
    """Return the samples in the column `path` of a table; its column `split`, where filled, tells which split is meant.

    Args:
        file: a table such as suspects.csv.
        option: the key that it was given as, which opens every sentence.

    Raises:
        FileNotFoundError, ValueError: the file is missing, is no table of text, has no column `path` or no rows, or an
            unknown split.
    """
    path = Path(file).expanduser()
    rows, columns = read_table(path, option)
    if "path" not in columns:
        raise ValueError(f"{option} expects a column 'path', got {', '.join(columns) or 'nothing'} in {path}")
    listed: dict[str, frozenset[str]] = {}
    for row in rows:
        if name := plain_text(row["path"] or ""):
            listed[name] = listed.get(name, frozenset()) | _splits(row.get("split"), option, path)
    if not listed:
        raise ValueError(f"{option} expects samples in the column 'path', got none in {path}")
    return CleaningList(path, option, listed)


def _splits(name: str | None, option: str, path: Path) -> frozenset[str]:
    if not name:
        return frozenset(_SPLITS.values())
    if name not in _SPLITS:
        raise ValueError(f"{option} expects train or validation in the column 'split', got {name!r} in {path}")
    return frozenset({_SPLITS[name]})
