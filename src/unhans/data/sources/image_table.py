"""Images that a table lists, with a column of labels: metadata as archives of photographs give them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unhans.data.image_list import Collection, Files
from unhans.data.sources.datamodule import ImageData
from unhans.data.table_file import read_table

_TRAINING = ("train", "training")
_VALIDATION = ("val", "valid", "validation", "test", "testing")
_log = logging.getLogger(__name__)

Row = dict[str, str]


class ImageTable(ImageData):
    """The images of a table, their classes in one of its columns.

    Rows without a label and images without a file are left out and counted in the log. Where a column tells the split,
    rows of the first that occurs of val, valid, validation, test and testing, or of `validation`, are for validation,
    and other rows that are not for training are left out. Where none is for training, as in a column of folds, those
    that are not of `validation` are.

    Args:
        root: the folder in which the files lie.
        table: a CSV file, in that folder or with a path of its own.
        file: where an image lies in the folder, with columns of the table in braces: "images/{split}/{id}.jpg".
        label: the column of the classes.
        split: the column that tells the split; None, or a table without it: val_share is split off.
        names: from labels to names of the classes, for tables of codes.
        validation: name of the split for validation.
        options: as in `ImageData`.

    Raises:
        FileNotFoundError: there is no table.
        ValueError: a column is missing, or there are no training images.
    """

    def __init__(
        self,
        root: str | Path,
        table: str = "labels.csv",
        file: str = "{path}",
        label: str = "label",
        split: str | None = "split",
        names: Mapping[Any, str] | None = None,
        validation: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.root = Path(str(root)).expanduser().absolute()
        self.table, self.file, self.label, self.split = table, file, label, split
        self.validation = None if validation is None else str(validation)  # a number on the command line
        self.names = {str(code): name for code, name in (names or {}).items()}

    def load(self) -> tuple[Collection, Collection | None]:
        """Return the training and the validation images, in the order of the table."""
        rows, columns = read_table(self.root / self.table, "data.table")
        if self.label not in columns:
            raise ValueError(
                f"data.label expects a column of {self.table}, one of {', '.join(columns)}, got {self.label!r}"
            )
        rows = self._usable(rows)
        classes = sorted({self._name(row) for row in rows})
        if self.split is None or self.split not in columns:
            return self._collection(rows, classes), None
        found = Counter(row[self.split] for row in rows)
        validation = self.validation or next((name for name in _VALIDATION if found[name]), None)
        train = [row for row in rows if row[self.split] in _TRAINING]
        if not train and self.validation is not None:  # a column of folds
            train = [row for row in rows if row[self.split] != self.validation]
        val = [row for row in rows if row[self.split] == validation]
        if not train:
            raise ValueError(
                f"data.split expects rows of train in the column {self.split!r}, got {', '.join(found) or 'no rows'}"
            )
        if self.validation is not None and not val:
            raise ValueError(f"data.validation expects one of {', '.join(found)}, got {self.validation!r}")
        if rest := len(rows) - len(train) - len(val):
            _log.warning("%s: %d rows of other splits than train and %s are left out", self.table, rest, validation)
        return self._collection(train, classes), self._collection(val, classes) if val else None

    def _usable(self, rows: list[Row]) -> list[Row]:
        """The rows with a label and a file; how many have none is logged."""
        labelled = [row for row in rows if row[self.label]]
        kept = [row for row in labelled if self._path(row).is_file()]
        for count, what in ((len(rows) - len(labelled), "label"), (len(labelled) - len(kept), "file")):
            if count:
                _log.warning("%s: %d of %d rows have no %s and are left out", self.table, count, len(rows), what)
        if labelled and not kept:
            raise ValueError(f"data.file expects the path of an image, got none such as {self._path(labelled[0])}")
        if not kept:
            raise ValueError(f"data.table expects images with a label in {self.label!r}, got none in {self.table}")
        return kept

    def _path(self, row: Row) -> Path:
        try:
            return self.root / self.file.format(**row)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"data.file expects columns of the table in braces, got {self.file!r}: {error}") from error

    def _name(self, row: Row) -> str:
        return self.names.get(row[self.label], row[self.label])

    def _collection(self, rows: list[Row], classes: list[str]) -> Collection:
        number = {name: k for k, name in enumerate(classes)}
        labels = np.array([number[self._name(row)] for row in rows], dtype=np.int64)
        return Collection(Files([self._path(row) for row in rows]), labels, classes)
