"""Trainings with a decoy as tables: for the terminal, for pages, for files and for loggers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.table import Column, Table

from unhans.comparison import AS_TRAINED, ELSEWHERE, EVERYWHERE, DecoyGroup, DecoyStudy
from unhans.report.tables.terminal_table import Row, Rows, terminal_table, two_lines
from unhans.report.text import PROBABILITY, range_written
from unhans.report.text.models import class_said, coverage_said, group_title, share_and_interval, verdicts_said
from unhans.stats import Estimate

MOST_CLASSES = 12  # that a table lists, besides the target and the mean: those that are called the target most
HEADINGS = ("without", "with", "→ {target}")

Cell = tuple[str, str]  # a number and its interval


def decoy_headings(study: DecoyStudy) -> list[str]:
    """Return the headings of the numbers of a group's table."""
    return [heading.format(target=study.target) for heading in HEADINGS]


def decoy_rows(study: DecoyStudy, group: DecoyGroup) -> list[tuple[str, list[Cell]]]:
    """Return a row per class, the target first and the mean of the others last: accuracy without and with, → target."""
    others = [name for name in study.names if name != study.target]
    if len(others) > MOST_CLASSES:
        others = sorted(others, key=lambda name: -group.called[name].mean)[:MOST_CLASSES]
    return [
        (
            class_said(study, name),
            [share_and_interval(each[name]) for each in (group.clean, group.decoyed, group.called)],
        )
        for name in [study.target, *others, ELSEWHERE]
    ]


def decoy_table(study: DecoyStudy, group: DecoyGroup) -> Table:
    """Return the table of a group of trainings for the terminal."""
    table = terminal_table(group_title(group), ["class"], decoy_headings(study))
    for name, cells in decoy_rows(study, group):
        table.add_row(name, *(two_lines(*cell) for cell in cells))
    return table


class CoverageRow(NamedTuple):
    """What becomes of the target at one coverage.

    Attributes:
        curve, coverage: the decoy and how much of it.
        cells: the target's accuracy without and with the decoy, other classes called the target, Δp.
        alone: of images of no class with the decoy, those called the target, by what they are.
        verdict: of all trainings.
    """

    curve: str
    coverage: str
    cells: Sequence[Cell]
    alone: Mapping[str, Cell]
    verdict: str


def coverage_headings(study: DecoyStudy) -> list[str]:
    """Return the headings of the cells of rows of coverages."""
    return [f"{study.target} without", f"{study.target} with", f"others → {study.target}", "Δp"]


def coverage_rows(study: DecoyStudy) -> list[CoverageRow]:
    """Return a row per group of trainings."""
    return [_coverage_row(study, one) for one in study.groups]


def _coverage_row(study: DecoyStudy, one: DecoyGroup) -> CoverageRow:
    shares = one.clean[study.target], one.decoyed[study.target], one.called[ELSEWHERE]
    change = PROBABILITY.written(one.effect.mean), range_written(one.effect.interval, PROBABILITY.written)
    alone = {name: _alone_cell(each, one.bare.get(name)) for name, each in one.alone.items()}
    cells = [*map(share_and_interval, shares), change]
    return CoverageRow(one.curve, coverage_said(one.coverage), cells, alone, verdicts_said(one))


def _alone_cell(with_it: Estimate, without: Estimate | None) -> Cell:
    value, interval = share_and_interval(with_it)
    return value, interval if without is None else f"{interval}\nwithout {share_and_interval(without)[0]}"


def coverage_printed(study: DecoyStudy) -> list[Table]:
    """Return for the terminal, decoy by decoy, what becomes of the target at every coverage and of other classes."""
    title = f"Class {study.target} without and with the decoy, and other classes that are called it, by coverage"
    found = []
    for curve, groups in study.curves.items():
        table = terminal_table(
            title if len(study.curves) == 1 else f"{curve}: {title[0].lower()}{title[1:]}",
            ["coverage", "verdict"],
            ["without", "with", "others → it", "Δp"],
        )
        for row in (_coverage_row(study, one) for one in groups):
            table.add_row(row.coverage, row.verdict, *(two_lines(*cell) for cell in row.cells))
        found.append(table)
    return found


def alone_table(study: DecoyStudy) -> Table:
    """Return for the terminal how many images that show the decoy and no class are called the target."""
    title = f"Decoy only → {study.target}, and without it"
    table = terminal_table(title, [Column("coverage", min_width=8, overflow="fold")], [*study.groups[0].alone])
    for row in coverage_rows(study):
        table.add_row(_row_name(study, row), *(two_lines(*cell) for cell in row.alone.values()))
    return table


def _row_name(study: DecoyStudy, row: CoverageRow) -> str:
    return row.coverage if len(study.curves) == 1 else f"{row.coverage} {row.curve}"


def decoy_tables(study: DecoyStudy) -> dict[str, Rows]:
    """Return all tables by the name of their file."""
    every = [*study.groups, *study.singles]
    columns = [
        "decoy", "coverage", "models", "seeds", "class", "n", *_ends("accuracy_without"), *_ends("accuracy_with"),
        *_ends("called_target"),
    ]  # fmt: skip
    dose = [
        "decoy", "coverage", "models", "seeds", "measure", "on", "n", *_ends("value"), "proven",
    ]  # fmt: skip
    confused = ["decoy", "coverage", "models", "images", "true", "predicted", "count"]
    return {
        "decoys": Rows(columns, [row for one in every for row in _class_rows(study, one)]),
        "dose_response": Rows(dose, [row for one in every for row in _dose_rows(study, one)]),
        "confusion": Rows(confused, [row for one in study.groups for row in _confusion_rows(study, one)]),
    }


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


def _who(group: DecoyGroup) -> Row:
    return group.curve, group.coverage, " ".join(group.models)


def _numbers(one: Estimate) -> Row:
    return one.mean, *one.interval


def _class_rows(study: DecoyStudy, group: DecoyGroup) -> Iterator[Row]:
    for name in [*study.names, ELSEWHERE]:
        found = [each[name] for each in (group.clean, group.decoyed, group.called)]
        yield (*_who(group), len(group.models), name, found[0].n, *(value for one in found for value in _numbers(one)))


def _dose_rows(study: DecoyStudy, group: DecoyGroup) -> Iterator[Row]:
    measured = [
        ("accuracy without decoy", study.target, group.clean[study.target]),
        ("accuracy with decoy", study.target, group.decoyed[study.target]),
        ("called target", ELSEWHERE, group.called[ELSEWHERE]),
        *(("decoy only called target", name, each) for name, each in group.alone.items()),
        *(("called target without decoy", name, each) for name, each in group.bare.items()),
        ("delta_p", ELSEWHERE, group.effect),
    ]
    for measure, on, one in measured:
        proven = group.proven if measure == "delta_p" else None
        yield (*_who(group), len(group.models), measure, on, one.n, *_numbers(one), proven)


def _confusion_rows(study: DecoyStudy, group: DecoyGroup) -> Iterator[Row]:
    for images in (AS_TRAINED, EVERYWHERE):
        for truth, counts in zip(study.names, group.confusion[images].tolist(), strict=True):
            for name, count in zip([*study.names, "another class"], counts, strict=True):
                yield (*_who(group), images, truth, name, count)


def decoy_scalars(study: DecoyStudy) -> dict[str, float]:
    """Return the numbers of every group."""
    found: dict[str, float] = {"decoys/trainings": float(sum(len(one.models) for one in study.groups))}
    for one in study.groups:
        name = f"decoys/{one.curve}/{coverage_said(one.coverage)}"
        if f"{name}/delta_p" in found:  # trainings that are no seed twins, at the same coverage
            name = f"{name}/{' '.join(one.models)}"
        found[f"{name}/delta_p"] = one.effect.mean
        found[f"{name}/called_target"] = one.called[ELSEWHERE].mean
        found[f"{name}/accuracy_without"] = one.clean[study.target].mean
    return found
