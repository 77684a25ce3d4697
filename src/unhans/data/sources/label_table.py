"""Images that may show several classes, listed in a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unhans.data.box_files import read_boxes
from unhans.data.image_list import Files, SeveralLabels
from unhans.data.object_boxes import ANY
from unhans.data.sources.datamodule import ImageData

TRAIN, VALIDATION = "train", ("val", "valid", "validation", "test")
FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True}


class LabelTable(ImageData):
    """A table of images and the classes that they show, or a folder of PASCAL VOC's XML files.

    The CSV table has a row for each image: `path`, where wanted `split` (train or val), and a column for each class.

    A class's column holds 1 where the image shows it, else 0. An image may show several classes, or none. Without a
    column `split`, val_share of the images is split off for validation.

    An XML file of VOC has the name of its picture and objects, those marked difficult among them: the picture shows the
    classes of its objects. Files do not tell the split.

    Args:
        table: the CSV file, or the folder of XML files.
        root: the folder that paths are relative to; None is that of the table, of a folder its neighbour JPEGImages.
        columns: those of the classes; None is all but `path` and `split`, or all classes of the XML files.
        options: as in `ImageData`; `max_per_class` draws images, which keep all their classes.

    Raises:
        FileNotFoundError: there is no such table, or none of the pictures of XML files.
        ValueError: a column is missing, or holds something else; XML files are of another form.
    """

    def __init__(
        self, table: str | Path, root: str | Path | None = None, columns: Sequence[str] | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.table = Path(str(table)).expanduser().absolute()
        beside = self.table.parent / "JPEGImages" if self.table.is_dir() else self.table.parent
        self.root = beside if root is None else Path(str(root)).expanduser().absolute()
        self.columns = None if columns is None else [str(name) for name in columns]

    def load(self) -> tuple[SeveralLabels, SeveralLabels | None]:
        """Return the images of both splits in the order of the table."""
        rows = self._rows()
        names = self.columns or [name for name in rows[0] if name not in ("path", "split")]
        missing = [name for name in ("path", *names) if name not in rows[0]]
        if missing:
            raise ValueError(f"data.table expects a column {missing[0]!r}, but {self.table} has {', '.join(rows[0])}.")
        if "split" not in rows[0]:
            return self._collection(rows, names), None
        wrong = next((row for row in rows if row["split"] not in (TRAIN, *VALIDATION)), None)
        if wrong is not None:
            raise ValueError(f"a column `split` expects train or val, got {wrong['split']!r} in {self.table}.")
        train = [row for row in rows if row["split"] == TRAIN]
        val = [row for row in rows if row["split"] != TRAIN]
        return self._collection(train, names), self._collection(val, names)

    def _rows(self) -> list[dict[str, str]]:
        if self.table.is_dir():
            return self._objects()
        if not self.table.is_file():
            raise FileNotFoundError(f"data.table must be a CSV file, got no file at {self.table}")
        with self.table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError(f"data.table must list images, got an empty table {self.table}")
        return rows

    def _objects(self) -> list[dict[str, str]]:
        """The rows of a table with what the XML files tell."""
        images = read_boxes(self.table, "data.table").images
        names = sorted({name for one in images for name in one.classes})
        if ANY in names:
            nameless = next(one.name for one in images if ANY in one.classes)
            raise ValueError(f"data.table expects objects with a name, got one without for {nameless} in {self.table}.")
        if not any((self.root / one.name).is_file() for one in images):
            raise FileNotFoundError(
                f"data.root expects the pictures of {self.table}, such as {images[0].name}, got none of them in "
                f"{self.root}."
            )
        return [{"path": one.name} | {name: str(int(name in one.classes)) for name in names} for one in images]

    def _collection(self, rows: Sequence[dict[str, str]], names: Sequence[str]) -> SeveralLabels:
        held = np.array([[self._flag(row, name) for name in names] for row in rows], dtype=bool)
        files = Files([self.root / row["path"] for row in rows])
        return SeveralLabels.of(files, held.reshape(len(rows), len(names)), names)

    def _flag(self, row: dict[str, str], name: str) -> bool:
        value = (row[name] or "").strip()
        if value not in FLAGS:
            raise ValueError(f"the column {name!r} of a class expects 0 or 1, got {value!r} for {row['path']}.")
        return FLAGS[value]
