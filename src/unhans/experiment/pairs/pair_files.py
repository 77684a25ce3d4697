"""Pairs of picture files from a table or from folders, checked before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unhans.class_names import class_index
from unhans.data import read_table, size_of
from unhans.data.sources import image_files
from unhans.store import plain_text
from unhans.terminal import ConfigurationError, near

TABLE = "analysis.pairs"
COLUMNS = ("before", "after", "class", "control")


@dataclass(frozen=True)
class PairFiles:
    """n pairs of picture files.

    Attributes:
        before, after: of every pair.
        control: the picture changed as much in another way; None where a pair has none.
        labels: (n,) the class of each; None: nobody named one.
        ignored: columns of the table that say nothing here.
    """

    before: Sequence[Path]
    after: Sequence[Path]
    control: Sequence[Path | None]
    labels: NDArray[np.int64] | None
    ignored: Sequence[str] = ()

    @property
    def pictures(self) -> NDArray[np.int64]:
        """A number (n,) for every different picture `before`."""
        return np.unique([str(path.resolve()) for path in self.before], return_inverse=True)[1]


def read_pairs(
    table: str | None, folders: Mapping[str, str | None], of: str | None, classes: Sequence[str]
) -> PairFiles:
    """Return the pairs of a table, or of two or three folders with the same names.

    Args:
        table: with columns before and after, and, if wanted, class and control; paths count from its folder.
        folders: before, after and control, None where not given.
        of: the class of all pairs, where no column tells.
        classes: names by label.

    Raises:
        ValueError, OSError: neither or both are given, a file is missing, no picture, or of another size than the other
            of its pair, a pair stands twice, a class is unknown.
    """
    given = [name for name, folder in folders.items() if folder is not None]
    if (table is None) == (not given) or (table is None and not {"before", "after"} <= set(given)):
        raise ConfigurationError(
            "analysis=pairs expects either analysis.pairs=TABLE.csv or two folders, analysis.before=DIR and "
            f"analysis.after=DIR, got {', '.join([*['pairs'] * (table is not None), *given]) or 'neither'}."
        )
    found = _of_folders(folders) if table is None else _of_table(Path(table).expanduser(), classes)
    if of is not None:
        if found.labels is not None:
            raise ConfigurationError(f"analysis.of={of} and a column 'class' of {table} both name a class; leave one.")
        labels = np.full(len(found.before), class_index(of, classes, "analysis.of"))
        found = PairFiles(found.before, found.after, found.control, labels, found.ignored)
    _check(found)
    return found


def _of_table(path: Path, classes: Sequence[str]) -> PairFiles:
    rows, columns = read_table(path, TABLE)
    for name in COLUMNS[:2]:
        if name not in columns:
            hint = near(name, columns, f", got {', '.join(columns) or 'nothing'} in {path}.")
            raise ConfigurationError(f"{TABLE} expects columns 'before' and 'after'{hint}")
    cells = {name: [plain_text(row.get(name) or "").strip() for row in rows] for name in COLUMNS}
    kept = [i for i in range(len(rows)) if any(cells[name][i] for name in COLUMNS)]
    if not kept:
        raise ConfigurationError(f"{TABLE} expects at least one pair, got none in {path}.")
    for name in (*COLUMNS[:2], *["class"] * any(cells["class"])):
        if empty := [i for i in kept if not cells[name][i]]:
            raise ConfigurationError(f"{TABLE} expects {name!r} in every row, got an empty cell in row {empty[0] + 1}.")
    before, after = ([path.parent / Path(cells[name][i]).expanduser() for i in kept] for name in COLUMNS[:2])
    control = [path.parent / Path(cells["control"][i]).expanduser() if cells["control"][i] else None for i in kept]
    labels = None
    if any(cells["class"]):
        labels = np.array([class_index(cells["class"][i], classes, f"the column 'class' of {path}") for i in kept])
    return PairFiles(before, after, control, labels, [name for name in columns if name and name not in COLUMNS])


def _of_folders(folders: Mapping[str, str | None]) -> PairFiles:
    found = {name: _named(name, Path(folder).expanduser()) for name, folder in folders.items() if folder is not None}
    names = found["before"]
    for other, files in found.items():
        missing = sorted(set(names) - set(files)) if other == "after" else []
        for lone, where, lacking in ((missing, "before", other), (sorted(set(files) - set(names)), other, "before")):
            if lone:
                raise ConfigurationError(
                    f"analysis.{where} and analysis.{lacking} expect pictures of the same names, got {len(lone)} in "
                    f"{where} alone, such as {lone[0]}."
                )
    order, controls = sorted(names), found.get("control", {})
    return PairFiles(
        [names[k] for k in order], [found["after"][k] for k in order], [controls.get(k) for k in order], None
    )


def _named(option: str, folder: Path) -> dict[str, Path]:
    """The pictures in a folder and below, by their path in it without the ending."""
    if not folder.is_dir():
        raise FileNotFoundError(f"analysis.{option} expects a folder of pictures, got no folder at {folder}")
    files = image_files(folder)
    names = [str(path.relative_to(folder).with_suffix("")) for path in files]
    if not files:
        raise ConfigurationError(f"analysis.{option} expects a folder of pictures, got none in {folder}.")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ConfigurationError(f"analysis.{option} expects each name once, got {count} pictures {name} in {folder}.")
    return dict(zip(names, files, strict=True))


def _check(pairs: PairFiles) -> None:
    """Raise for a file that is missing or no picture, sizes that differ, and pairs that stand twice."""
    rows = list(zip(pairs.before, pairs.after, pairs.control, strict=True))
    missing = list(dict.fromkeys(path for row in rows for path in row if path is not None and not path.is_file()))
    if missing:
        more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
        raise FileNotFoundError(f"analysis=pairs expects pictures, got no file at {missing[0]}{more}")
    seen: set[tuple[Path, Path, int]] = set()
    labels = np.full(len(rows), -1) if pairs.labels is None else pairs.labels
    for (before, after, control), label in zip(rows, labels.tolist(), strict=True):
        files = [path.resolve() for path in (before, after, control) if path is not None]
        if len(set(files)) < len(files):
            raise ConfigurationError(f"a pair expects different pictures, got one file twice beside {before}.")
        key = (files[0], files[1], label)
        if key in seen:
            raise ConfigurationError(f"analysis=pairs expects each pair once, got {before} and {after} twice.")
        seen.add(key)
        sizes = [size_of(path) for path in files]
        if len(set(sizes)) > 1:
            said = " and ".join(f"{width} × {height}" for height, width in sizes)
            raise ConfigurationError(f"the pictures of a pair expect one size, got {said} pixels beside {before}.")
