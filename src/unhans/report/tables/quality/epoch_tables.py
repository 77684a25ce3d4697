"""What was measured of heatmaps after every epoch, as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Column, Table

from unhans.faithfulness import COMPLEXITIES
from unhans.faithfulness.training import ACCURACY, FAITHFUL, MAIN, MeasuredEpoch, followed
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import UNKNOWN, percent, plain, range_written, shorten, signed
from unhans.report.text.quality import correlation_said, epoch_heading, estimate_said

REGIONS = 2  # that have a column in a terminal
COLUMNS = ("epochs", "class", "measure", "mean", "low", "high", "n")
Cell = tuple[str, str]  # a number and its interval


def epoch_rows(groups: Mapping[str, Sequence[MeasuredEpoch]]) -> Rows:
    """Return a row for every epoch, class and measure.

    Args:
        groups: the points by the name of a class; "" is all images together.
    """
    rows = [
        (point.epoch, group, name, *map(plain, (one.mean, *one.interval)), one.n)
        for group, points in groups.items()
        for point in points
        for name, one in point.values.items()
    ]
    return Rows(COLUMNS, rows)


def correlation_rows(points: Sequence[MeasuredEpoch]) -> Rows:
    """Return a row for every measure: its rank correlation with epochs, and with accuracy."""
    rows = [
        (name, other, *map(plain, (one.rho, *one.interval)), one.n)
        for name in points[-1].values
        if name != ACCURACY
        for other, one in followed(points, name).items()
    ]
    return Rows(("measure", "with", "rho", "low", "high", "epochs"), rows)


def correlation_cells(points: Sequence[MeasuredEpoch], regions: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    """Return the rank correlations of every measure with epochs, and with accuracy, as text under its heading."""
    known = points[-1].values
    names = [name for name in (*FAITHFUL, *COMPLEXITIES, *(f"share/{one}/net" for one in regions)) if name in known]
    return [
        (epoch_heading(name), [(correlation_said(one), "") for one in followed(points, name).values()])
        for name in names
    ]  # fmt: skip


def epoch_headings(points: Sequence[MeasuredEpoch], regions: Sequence[str]) -> dict[str, str]:
    """Return the headings of the measures that `epoch_cells` writes, by name: those that were measured."""
    names = (MAIN, ACCURACY, "better_than_random", "effective_area", *(f"share/{region}/net" for region in regions))
    return {name: epoch_heading(name) for name in names if any(name in point.values for point in points)}


def epoch_cells(point: MeasuredEpoch, names: Iterable[str]) -> list[Cell]:
    """Return what was measured after an epoch as text, number and interval."""
    return [_said(point, name) for name in names]


def epoch_table(points: Sequence[MeasuredEpoch], regions: Sequence[str]) -> Table:
    """Make a table of epochs for a terminal of 80 columns: number above interval.

    Args:
        points: ascending.
        regions: the first two of these named regions have a column, of their net share.
    """
    there = epoch_headings(points, regions[:REGIONS]) | {MAIN: "minus random", "better_than_random": "above random"}
    there |= {f"share/{region}/net": f"net, {shorten(region, 8)}" for region in regions[:REGIONS]}
    del there["effective_area"]
    title = "Quality of heatmaps during training"
    table = terminal_table(title, [Column("epochs", min_width=6, no_wrap=True)], list(there.values()), "")
    for point in points:
        table.add_row(str(point.epoch), *(two_lines(*cell) for cell in epoch_cells(point, there)))
    return table


def _said(point: MeasuredEpoch, name: str) -> Cell:
    one = point.values.get(name)
    if one is None or math.isnan(one.mean):
        return UNKNOWN, ""
    if name == MAIN:
        return estimate_said(one, 2)
    if name.endswith("/net"):
        return f"{signed(100 * one.mean, 0)} %", range_written(one.interval, lambda end: signed(100 * end, 0))
    return percent(one.mean, 0), range_written(one.interval, lambda end: percent(end, 0))
