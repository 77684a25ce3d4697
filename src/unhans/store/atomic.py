"""Files that are written whole or not at all: tables, pictures, anything; and their names."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes its name when the block ends well.

    Missing folders are made. The old file, if any, stays as it is until the new one is complete and on the disk; a
    block that fails or is interrupted leaves nothing behind. Two writers never share a temporary path. It ends in
    `.part`, so no search for finished files finds it; state a file's format to writers that guess it from the name.

    Raises:
        OSError: the folder or the file cannot be written; says which and why.
    """
    path = Path(path)
    part = path.with_name(f".{uuid.uuid4().hex}.part")  # short: the file's own name may be as long as names can be
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            _flush(part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) != os.fspath(part):
            raise  # about another file, which it names
        raise OSError(error.errno, f"Cannot write: {error.strerror}", os.fspath(path)) from error


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


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
