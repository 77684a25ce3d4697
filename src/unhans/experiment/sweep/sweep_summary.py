"""The end of a sweep: its table in the terminal, and its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.experiment.run import CONSOLE
from unhans.experiment.sweep.sweep_notes import TABLE, Note, plain, read_notes, varying, write_table

SHOWN = 4  # numbers in the terminal and in the picture; all are in the table on disk
ACCURACY = "val/accuracy"
BOUNDS = ("_low", "_high")  # of intervals
PICTURE = "parallel.png"
LESS_IS_BETTER = ("/effect", "/relevance", "/seconds", "loss")


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

    rows: list[dict[str, Any]] = [
        {name: plain(value) for name, value in note.values.items()} | dict(note.numbers) for note in finished
    ]
    minimize = finished[0].minimize if finished[0].objective else goal.endswith(LESS_IS_BETTER)
    title, better = f"Sweep {path.parent.name}", "lower" if minimize else "higher"
    subtitle = f"{len(finished)} jobs; the darker, the {better} {goal}"
    write_figure(path, parallel_figure(rows, columns, goal, minimize=minimize, title=title, subtitle=subtitle))


def _finite(note: Note, name: str) -> bool:
    return math.isfinite(note.numbers.get(name, math.nan))


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
