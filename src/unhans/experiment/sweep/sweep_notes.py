"""What the jobs of a sweep note in its folder, and the table made of that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from unhans.store import replacing, write_csv

TABLE = "summary.csv"
_FOLDER = "jobs"
_FIXED = ("job", "status", "seconds", "reason", "folder")


@dataclass(frozen=True)
class Note:
    """One job of a sweep.

    overrides: as on a command line, such as "artifact.coverage=0.5"; status: finished | failed | unfinished; numbers:
    what it returned, by name; reason: of a failure; seconds: what it took; objective: names of the numbers that the
    sweep optimises, the first of them downwards where minimize says so.
    """

    job: int
    overrides: tuple[str, ...]
    status: str
    folder: str
    objective: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float | None = None
    minimize: bool = False

    @property
    def values(self) -> dict[str, str]:
        """The overrides by key."""
        return overrides_of(self.overrides)


def overrides_of(words: Iterable[str]) -> dict[str, str]:
    """Return the values on a job's command line by key: "+a.b=1" is {"a.b": "1"}."""
    pairs = (word.lstrip("+").partition("=") for word in words)
    return {key: value for key, _, value in pairs}


def plain(value: str) -> Any:
    """Return an override's value as a number, a truth value or a text."""
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return _number(value) if isinstance(found, str) else found


def forget_notes(folder: Path) -> None:
    """Remove the notes of an earlier sweep."""
    for path in (folder / _FOLDER).glob("*.json"):
        path.unlink()


def add_note(folder: Path, note: Note) -> None:
    """Write a job's note into a sweep's folder, and the table of all jobs.

    Jobs may end at the same time, in several processes: each writes the table again until it holds every note.
    """
    with replacing(folder / _FOLDER / f"{note.job:04d}.json") as part:
        part.write_text(json.dumps(asdict(note)), encoding="utf-8")
    written: list[str] = []
    while written != (found := _texts(folder)):
        written = found
        write_table(folder, _notes(written))


def read_notes(folder: Path) -> list[Note]:
    """Return the notes in a sweep's folder, by job."""
    return _notes(_texts(folder))


def write_table(folder: Path, notes: Sequence[Note]) -> None:
    """Write `summary.csv`: a row per job with its overrides, all its numbers, its status and why it failed."""
    job, status, *rest = _FIXED
    overrides, numbers = columns(note.values for note in notes), columns(note.numbers for note in notes)
    rows = [
        [
            note.job, note.status, *map(note.values.get, overrides), *map(note.numbers.get, numbers),
            *(getattr(note, name) for name in rest),
        ]
        for note in notes
    ]  # fmt: skip
    write_csv(folder / TABLE, [job, status, *overrides, *numbers, *rest], rows)


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names that occur in some rows, in the order of their first occurrence."""
    return list(dict.fromkeys(name for row in rows for name in row))


def varying(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names whose values differ between rows, or that some rows lack; all of a single row."""
    names = columns(rows)
    return names if len(rows) == 1 else [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def _texts(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted((folder / _FOLDER).glob("*.json"))]


def _notes(texts: Sequence[str]) -> list[Note]:
    found = sorted((json.loads(text) for text in texts), key=lambda one: one["job"])
    lists = ("overrides", "objective")
    return [Note(**{**one, **{name: tuple(one[name]) for name in lists}}) for one in found]


def _number(value: str) -> float | str:
    """Numbers that YAML 1.1 takes for text, such as 1e-3."""
    try:
        return float(value)
    except ValueError:
        return value
