"""Names, tables and pictures on disk."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unhans.store.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JPEG = {"quality": 85, "subsampling": 0, "optimize": True}  # a thin coloured watermark must keep its colour
LONGEST_NAME = 80  # characters; leaves room below the 255 bytes that file systems allow


def file_stem(number: int, name: str) -> str:
    """Name a file after class or sample `number` and its name, such as `0003-garbage_truck`.

    The number makes it unique; of the name what every file system can hold is kept (ASCII letters, digits, `_`, `-`;
    accents are dropped, other scripts leave the number alone).
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", ascii_name)[:LONGEST_NAME].strip("_-")
    return f"{number:04d}-{readable}" if readable else f"{number:04d}"


def write_csv(path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as UTF-8 CSV with a header, whole or not at all; None becomes an empty field.

    File names that are no UTF-8 keep their bytes.
    """
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_figure(path: str | os.PathLike[str], figure: Figure, dpi: int = 100) -> None:
    """Write a matplotlib figure in the format that the path's suffix names, whole or not at all.

    Take `.jpg` for pages of photographs (a third of the size; colours at full resolution), `.png` for the others.
    """
    suffix = Path(path).suffix.removeprefix(".")
    with replacing(path) as part:
        figure.savefig(part, format=suffix, dpi=dpi, pil_kwargs=JPEG if suffix in ("jpg", "jpeg") else None)
