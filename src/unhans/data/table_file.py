"""A table of text, as people and spreadsheets write it."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def read_table(path: Path, option: str) -> tuple[list[dict[str, str]], list[str]]:
    """Return the rows of a CSV file, by column, and the columns.

    Args:
        path: of the file.
        option: the key that it was given as, which opens every sentence.

    Raises:
        FileNotFoundError, ValueError: there is no file, or it is no table of text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{option} expects a table such as suspects.csv, got no file at {path}")
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as table:  # see `write_csv`
        text = table.read()  # without the mark with which spreadsheets begin a file
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows, columns = list(reader), list(reader.fieldnames or ())
    except csv.Error as error:
        raise ValueError(f"{option} expects a table of text, got {path}: {error}") from error
    if "\0" in text:
        raise ValueError(f"{option} expects a table of text, got {path}, which holds zero bytes")
    return rows, columns
