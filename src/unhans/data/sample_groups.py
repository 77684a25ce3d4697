"""Groups of samples from a column of a table, such as sex, age or hospital."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unhans.data.table_file import read_table
from unhans.store import plain_text

UNKNOWN = ""
MOST = 20  # groups, of more than which a comparison of each says nothing


@dataclass(frozen=True)
class SampleGroups:
    """The group of every image that a table names.

    Attributes:
        file, column: where they stand.
        of: by the name of an image as the table has it, its group; "" where the cell is empty.
    """

    file: Path
    column: str
    of: dict[str, str]

    def groups(self, paths: Sequence[str]) -> NDArray[np.str_]:
        """Return the group of every image (n,), "" where the table does not tell.

        An image is found by its whole path, by the name of its file, or by that without its ending; the last two only
        where no other image in `paths` has the same.

        Raises:
            ValueError: not a single image is in the table.
        """
        names = [(path, Path(path).name, Path(path).stem) for path in paths]
        counts = [Counter(each[k] for each in names) for k in range(3)]
        found = [
            next((self.of[name] for k, name in enumerate(each) if name in self.of and counts[k][name] == 1), None)
            for each in names
        ]
        if len(paths) and all(each is None for each in found):
            raise ValueError(
                f"the table {self.file} expects names of the images that are used, such as {paths[0]}, got none of "
                f"them among its {len(self.of)}, such as {next(iter(self.of))}"
            )
        return np.array([each or UNKNOWN for each in found], dtype=str)


def read_groups_table(given: str, option: str, bins: Sequence[float] | None = None) -> SampleGroups:
    """Return the groups that a table gives its images: those in the column `path` or, without one, in the first column.

    Args:
        given: "TABLE.csv:column".
        option: the key that it was given as, which opens every sentence.
        bins: ascending bounds that make groups of numbers: below the first, from one to the next, from the last on.

    Raises:
        FileNotFoundError, ValueError: the file is missing, is no table, or lacks the column; it gives an image two
            groups, has too many groups, or is no number where bins are given.
    """
    file, _, column = given.rpartition(":")
    path = Path(file).expanduser()
    if not file or not column:
        raise ValueError(f"{option} expects TABLE.csv:column, got {given!r}")
    rows, columns = read_table(path, option)
    if column not in columns:
        raise ValueError(f"{option} expects a column of {path}, one of {', '.join(columns) or 'none'}, got {column!r}")
    key, found = "path" if "path" in columns else columns[0], {}
    for row in rows:
        name, group = plain_text(row[key] or ""), plain_text(row[column] or "").strip()
        if name and found.setdefault(name, group) != group:
            raise ValueError(f"{option} expects one group for each image, got {found[name]!r} and {group!r} of {name}")
    if not found:
        raise ValueError(f"{option} expects images in the column {key!r}, got none in {path}")
    groups = _binned(found, bins, option)
    if (n := len(set(groups.values()) - {UNKNOWN})) > MOST:
        raise ValueError(
            f"{option} expects at most {MOST} groups, got {n} in {column!r}; analysis.bins=[…] joins numbers"
        )
    return SampleGroups(path, column, groups)


def _binned(groups: dict[str, str], bins: Sequence[float] | None, option: str) -> dict[str, str]:
    """Numbers as the range that they fall into; other cells stay as they are."""
    if not bins:
        return groups
    bounds = list(map(float, bins))
    if bounds != sorted(set(bounds)):
        raise ValueError(f"analysis.bins expects ascending numbers, got {bounds}")
    written = [f"{bound:g}" for bound in bounds]
    names = [f"below {written[0]}", *(f"{a} to {b}" for a, b in pairwise(written))]
    names.append(f"from {written[-1]}")
    found = {image: _range(group, bounds, names) for image, group in groups.items()}
    if not set(names) & set(found.values()):
        raise ValueError(
            f"analysis.bins expects numbers in {option}, got {next(filter(None, groups.values()), 'none')!r}"
        )
    return found


def _range(group: str, bounds: list[float], names: list[str]) -> str:
    """The range of a number; what is no number, as "unknown", stays a group by itself."""
    try:
        return names[int(np.searchsorted(bounds, float(group), side="right"))]
    except ValueError:
        return group
