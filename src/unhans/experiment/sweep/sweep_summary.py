"""The notes of a sweep's jobs, and what is made of them: a table on disk and in the terminal, and a picture.

Matplotlib is imported when it is needed: Hydra loads this package before every command.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.store import record_from, write_csv, write_json
from unhans.terminal import CONSOLE

TABLE = "summary.csv"
_FOLDER = "jobs"
_FIXED = ("job", "status", "seconds", "reason", "folder")
SHOWN = 4  # numbers in the terminal and in the picture; all are in the table on disk
ACCURACY = "val/accuracy"
BOUNDS = ("_low", "_high")  # of intervals
PICTURE = "parallel.png"
LESS_IS_BETTER = ("/effect", "/relevance", "/seconds", "loss")


@dataclass(frozen=True)
class Note:
    """One job of a sweep.

    Attributes:
        job: its number.
        overrides: as on a command line, such as "artifact.coverage=0.5".
        status: finished, failed or unfinished.
        folder: where its files lie.
        objective: names of the numbers that the sweep optimises.
        numbers: what it returned, by name.
        reason: of a failure.
        seconds: what it took.
        minimize: whether the first number of the objective is to be small; None where the sweeper does not say.
    """

    job: int
    overrides: tuple[str, ...]
    status: str
    folder: str
    objective: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float | None = None
    minimize: bool | None = None

    @property
    def values(self) -> dict[str, str]:
        """The overrides by key: "+a.b=1" is {"a.b": "1"}."""
        pairs = (word.lstrip("+").partition("=") for word in self.overrides)
        return {key: value for key, _, value in pairs}


def typed_values(words: Iterable[str]) -> dict[str, Any]:
    """Return the values on a job's command line by key, as Hydra reads them: "+a.b=1" is {"a.b": 1}."""
    return {one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(list(words))}


def together_said(words: Iterable[str]) -> str:
    """Say of a sweep over the checkpoints of one training that one job follows them; nothing of other sweeps.

    Args:
        words: the sweep's command line, such as "ckpt=a,b".
    """
    values = dict(word.lstrip("+").partition("=")[::2] for word in words)
    if values.get("analysis") != "faithfulness" or "," not in values.get("ckpt", ""):
        return ""
    return (
        "Each checkpoint is a job of its own here. Those of one training are followed on the same images, with curves "
        "over epochs beside accuracy and their rank correlations, by ckpts=… without -m: a folder or a list."
    )


def forget_notes(folder: Path) -> None:
    """Remove the notes of an earlier sweep."""
    for path in (folder / _FOLDER).glob("*.json"):
        path.unlink()


def add_note(folder: Path, note: Note) -> None:
    """Write a job's note into a sweep's folder, and the table of all jobs.

    Jobs may end at the same time, in several processes: each writes the table again until it holds every note.
    """
    write_json(folder / _FOLDER / f"{note.job:04d}.json", note)
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
    return sorted((record_from(Note, json.loads(text)) for text in texts), key=lambda note: note.job)


def conclude(folder: Path) -> None:
    """Write a sweep's table and, where two jobs finished, its picture; print the table and every failure."""
    notes = read_notes(folder)
    if not notes:
        return
    write_table(folder, notes)
    finished = [note for note in notes if note.status == "finished"]
    swept, numbers = varying([note.values for note in notes]), shown_numbers(finished)
    CONSOLE.print(sweep_table(notes, swept, numbers))
    for note in notes:
        if note.reason:
            CONSOLE.print(f"[red]job {note.job} failed:[/] {escape(note.reason)}")
    goal = goal_of(finished)
    drawn = len(finished) > 1 and bool(swept) and goal is not None
    if goal is not None and drawn:
        _draw(folder / PICTURE, finished, [*swept, *reversed([name for name in numbers if name != goal])], goal)
    CONSOLE.print(
        f"{len(finished)} of {len(notes)} jobs finished. All numbers are in [bold]{folder / TABLE}[/]"
        + (f", drawn in {folder / PICTURE}" if drawn else "")
        + ("; objective=… names the number to draw them by." if len(finished) > 1 and goal is None else "")
    )


def shown_numbers(finished: Sequence[Note]) -> list[str]:
    """Return the names of at most four numbers that differ between jobs: the objective first, then accuracies."""
    if not finished:
        return []
    order = sorted(varying([note.numbers for note in finished]), key=_rank)
    goal = goal_of(finished)
    names = dict.fromkeys([*([] if goal is None else [goal]), *finished[0].objective, *order])
    return [name for name in names if any(_finite(note, name) for note in finished)][:SHOWN]


def goal_of(finished: Sequence[Note]) -> str | None:
    """Return the number by which jobs are called better: the objective, else accuracy or a repair's effect, or None.

    Of other numbers nobody has said whether more is better.
    """
    effects = (name for name in finished[0].numbers if name.endswith("/effect")) if finished else ()
    repaired = sorted(effects, key=lambda name: name.startswith("un"))  # those of networks that were not repaired last
    names = finished[0].objective[:1] or (ACCURACY, *repaired) if finished else ()
    return next((name for name in names if any(_finite(note, name) for note in finished)), None)


def _rank(name: str) -> int:
    """Of a number among those to be shown; the smaller the earlier."""
    if name == ACCURACY:
        return 0
    return 3 if name.startswith("train/") or name.endswith(BOUNDS) else 1 + ("loss" in name)


def sweep_table(notes: Sequence[Note], swept: Sequence[str], numbers: Sequence[str]) -> Table:
    """Make a table for the terminal: a row per job with what was swept and some of its numbers."""
    table = Table(title="Jobs of the sweep", title_justify="left", box=SIMPLE, pad_edge=False)
    table.add_column("job", justify="right")
    for name in short(swept):
        table.add_column(escape(name), overflow="fold")
    for name in numbers:
        table.add_column(escape(name.replace("/", " ")), justify="right", overflow="fold")
    table.add_column("status", no_wrap=True)
    for note in notes:
        cells = [escape(note.values.get(name, "–")) for name in swept] + [_said(note.numbers.get(n)) for n in numbers]
        table.add_row(str(note.job), *cells, note.status, style=None if note.status == "finished" else "red")
    return table


def short(names: Sequence[str]) -> list[str]:
    """Return the last parts of dotted names, in full where two would be the same."""
    last = [name.rpartition(".")[2] for name in names]
    return [end if last.count(end) == 1 else name for name, end in zip(names, last, strict=True)]


def _draw(path: Path, finished: Sequence[Note], columns: Sequence[str], goal: str) -> None:
    """Draw the jobs as lines through what was swept and some results to the number by which they are better."""
    from unhans.report.figures import parallel_figure
    from unhans.store import write_figure

    rows = [typed_values(note.overrides) | dict(note.numbers) for note in finished]
    said = finished[0].minimize if finished[0].objective else None
    minimize = goal.endswith(LESS_IS_BETTER) if said is None else said
    title, better = f"Sweep {path.parent.name}", "lower" if minimize else "higher"
    subtitle = f"{len(finished)} jobs; the darker, the {better} {goal}"
    write_figure(path, parallel_figure(rows, columns, goal, minimize=minimize, title=title, subtitle=subtitle))


def _finite(note: Note, name: str) -> bool:
    return math.isfinite(note.numbers.get(name, math.nan))


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
