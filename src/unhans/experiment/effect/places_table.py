"""A table of places by hand: on which images a picture lies, and where."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from unhans.artifacts import HandPlace
from unhans.data import read_table
from unhans.experiment.run import Subject
from unhans.store import plain_text
from unhans.terminal import ConfigurationError, near

OPTION = "analysis.places"
NEEDED, OPTIONAL = ("image", "x", "y"), {"scale": 1.0, "angle": 0.0}


def read_places(file: str, subject: Subject, label: int) -> tuple[dict[int, HandPlace], list[str]]:
    """Return the places of a table by the index of their image among training and validation images together.

    Args:
        file: with columns image, x, y and, if wanted, scale and angle; see `HandPlace`. An image is a whole number, its
            index in the chosen split, or its path, the end of its path, or its file name without ending, where no other
            image has the same.
        subject: the data and the split.
        label: the artifact's class, of which an image must not be.

    Returns:
        The places, and the columns that say nothing here.

    Raises:
        ValueError, OSError: the table is missing or empty, an image is unknown, named twice or of the class, a number
            is none, or a centre lies outside the image.
    """
    path = Path(file).expanduser()
    rows, columns = read_table(path, OPTION)
    for name in NEEDED:
        if name not in columns:
            hint = near(name, columns, f", got {', '.join(columns) or 'nothing'} in {path}.")
            raise ConfigurationError(f"{OPTION} expects columns 'image', 'x' and 'y'{hint}")
    cells = [{name: plain_text(row.get(name) or "").strip() for name in (*NEEDED, *OPTIONAL)} for row in rows]
    cells = [row for row in cells if any(row.values())]
    if not cells:
        raise ConfigurationError(f"{OPTION} expects at least one place, got none in {path}.")
    indices = _Images(subject, path).indices([row["image"] for row in cells])
    found: dict[int, HandPlace] = {}
    for index, row in zip(indices, cells, strict=True):
        if index in found:
            raise ConfigurationError(f"{OPTION} expects each image once, got {row['image']} twice in {path}.")
        if subject.both.labels[index] == label:
            name = subject.data.classes[label]
            raise ConfigurationError(
                f"{OPTION} expects images of other classes, as the picture is tested for {name!r}, got {row['image']}."
            )
        found[index] = _place(row, subject.data.image_size)
    return found, [name for name in columns if name and name not in (*NEEDED, *OPTIONAL)]


def _place(row: Mapping[str, str], side: int) -> HandPlace:
    numbers = {name: _number(row, name) for name in (*NEEDED[1:], *OPTIONAL)}
    if not (0 <= numbers["x"] <= side and 0 <= numbers["y"] <= side):
        raise ConfigurationError(
            f"{OPTION} expects the centre in pixels of the image, 0 to {side}, got x={row['x']}, y={row['y']} for "
            f"{row['image']}."
        )
    if numbers["scale"] <= 0:
        raise ConfigurationError(f"{OPTION} expects a scale above 0, got {row['scale']} for {row['image']}.")
    return HandPlace(**numbers)


def _number(row: Mapping[str, str], name: str) -> float:
    if not row[name] and name in OPTIONAL:
        return OPTIONAL[name]
    try:
        number = float(row[name])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigurationError(f"{OPTION} expects a number as {name} of {row['image']}, got {row[name]!r}.")
    return number


class _Images:
    """Finds images by index or name."""

    def __init__(self, subject: Subject, table: Path) -> None:
        self.table, self.split = table, subject.split
        self.paths: Sequence[str] = subject.both.paths
        self.rows = range(len(self.paths)) if subject.split == "union" else subject.rows[subject.split].tolist()
        self.whole = {path: index for index, path in enumerate(self.paths)}
        self.ends: dict[tuple[int, bool], tuple[dict[str, int], Counter[str]]] = {}

    def indices(self, names: Sequence[str]) -> list[int]:
        return [self._index(name) for name in names]

    def _index(self, name: str) -> int:
        if name.isdecimal():
            if int(name) >= len(self.rows):
                raise ConfigurationError(
                    f"{OPTION} expects indices 0 … {len(self.rows) - 1} of split={self.split}, got {name}."
                )
            return self.rows[int(name)]
        for path in (name, str(Path(name).absolute()), str((self.table.parent / name).absolute())):
            if name and path in self.whole:
                return self.whole[path]
        several = 0
        for stem in (False, True):
            found, counts = self._ended(len(Path(name).parts), stem)
            if counts[name] == 1:
                return found[name]
            several = max(several, counts[name])
        said = f"{several} images are called {name!r}; give more of the path" if several else f"got {name!r}"
        raise ConfigurationError(
            f"{OPTION} expects images of the data, such as {self.paths[0]}; {said} in {self.table}."
        )

    def _ended(self, parts: int, stem: bool) -> tuple[dict[str, int], Counter[str]]:
        """The last parts of all paths, without ending or with it, and how many paths have each."""
        if (parts, stem) not in self.ends:
            paths = [Path(path).with_suffix("") if stem else Path(path) for path in self.paths]
            names = ["/".join(path.parts[-parts:]) for path in paths]
            self.ends[parts, stem] = dict(zip(names, range(len(names)), strict=True)), Counter(names)
        return self.ends[parts, stem]
