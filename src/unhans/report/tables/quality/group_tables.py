"""Accuracy in groups, and what an artifact does in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.table import Table

from unhans.effects import FEWEST, Effect
from unhans.report import text
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.stats import GroupCount, widest_gap

ALL, NOBODY = "all", "(unknown)"
GROUP_COLUMNS = (
    "class",
    "group",
    "n",
    "correct",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "gap",
    "gap_low",
    "gap_high",
)
EFFECT_COLUMNS = ("class", "group", "n", *text.MEASURE_COLUMNS)
GROUP_HEADINGS = ("images", "accuracy", "against the best group")
EFFECT_HEADINGS = ("images", *(measure.heading for measure in text.MEASURES))
PageRow = tuple[str, list[tuple[str, str]]]  # name and cells (value, interval) of a page
SHOWN = 40  # lines of a terminal


def group_rows(counts: Sequence[GroupCount], classes: Sequence[str]) -> Rows:
    """Return a row for every group of all classes together and of each class; the gap stands with the worst group."""
    rows = []
    for label, own in _by_class(counts):
        gap = widest_gap([each for each in own if each.group], FEWEST)
        for each in own:
            ends = (gap.value, *gap.interval) if gap and each is gap.worst else (None,) * 3
            start = (_class(label, classes), each.group or None, each.n, each.correct, each.accuracy)
            rows.append((*start, *each.interval, *ends))
    return Rows(GROUP_COLUMNS, rows)


def group_table(counts: Sequence[GroupCount], classes: Sequence[str], column: str) -> Table:
    """Make a table for the terminal: all classes together, then each class, as far as it is not too long."""
    table = terminal_table("Accuracy in groups, validation images", ["class", column], ["n", "accuracy"])
    for label, own in _by_class(counts[:SHOWN]):
        for number, each in enumerate(own):
            name = _class(label, classes) if number == 0 else ""
            accuracy = two_lines(text.percent(each.accuracy), text.range_written(each.interval))
            table.add_row(name, each.group or NOBODY, str(each.n), accuracy, end_section=number == len(own) - 1)
    if len(counts) > SHOWN:
        table.caption = f"{len(counts) - SHOWN} more rows are in groups.csv."
    return table


def group_cells(counts: Sequence[GroupCount], classes: Sequence[str]) -> tuple[list[PageRow], list[PageRow]]:
    """Return rows (name, [(value, interval), …]) under `GROUP_HEADINGS`: of all classes together, and of each."""
    overall, of_classes = [], []
    for label, own in _by_class(counts):
        gap = widest_gap([each for each in own if each.group], FEWEST)
        for each in own:
            cells = [(str(each.n), ""), (text.percent(each.accuracy), text.range_written(each.interval)), ("", "")]
            if gap is not None and gap.value and each is gap.worst:
                cells[2] = text.points(-gap.value, (-gap.interval[1], -gap.interval[0])), ""
            name = each.group or NOBODY
            (overall if label is None else of_classes).append(
                (name if label is None else f"{classes[label]}: {name}", cells)
            )
    return overall, of_classes


def group_effect_cells(effects: Mapping[str, Effect]) -> list[PageRow]:
    """Return rows (group, [(value, interval), …]) under `EFFECT_HEADINGS`."""
    return [
        (
            group or NOBODY,
            [(str(effect.n), ""), *((measure.said(effect), measure.range_said(effect)) for measure in text.MEASURES)],
        )
        for group, effect in effects.items()
    ]


def group_effect_rows(effects: Mapping[str, Effect], name: str) -> Rows:
    """Return a row for every group: what the artifact of a class does to images of other classes."""
    rows = [
        (name, group or None, effect.n, *map(text.plain, text.effect_numbers(effect).values()))
        for group, effect in effects.items()
    ]
    return Rows(EFFECT_COLUMNS, rows)


def group_effect_table(effects: Mapping[str, Effect], name: str, column: str) -> Table:
    """Make the same for the terminal."""
    title = f"The artifact of {name!r} added to samples of other classes"
    table = terminal_table(title, [column], ["n", *(measure.heading for measure in text.MEASURES)])
    for group, effect in effects.items():
        cells = (two_lines(measure.said(effect), measure.range_said(effect)) for measure in text.MEASURES)
        table.add_row(group or NOBODY, str(effect.n), *cells)
    return table


def _by_class(counts: Sequence[GroupCount]) -> list[tuple[int | None, list[GroupCount]]]:
    return [(label, list(own)) for label, own in groupby(counts, key=lambda each: each.label)]


def _class(label: int | None, classes: Sequence[str]) -> str:
    return ALL if label is None else classes[label]
