"""What was measured of heatmaps after every epoch, as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.table import Column, Table

from unhans.faithfulness.training import ACCURACY, MAIN, MeasuredEpoch
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import percent, plain, range_written, shorten, signed
from unhans.report.text.quality import estimate_said

REGIONS = 2  # that have a column in a terminal
COLUMNS = ("epochs", "class", "measure", "mean", "low", "high", "n")


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


def epoch_table(points: Sequence[MeasuredEpoch], regions: Sequence[str]) -> Table:
    """Make a table of epochs for a terminal of 80 columns: number above interval.

    Args:
        points: ascending.
        regions: the first two of these named regions have a column, of their net share.
    """
    shown = [f"share/{region}/net" for region in regions[:REGIONS]]
    names = {MAIN: "minus random", ACCURACY: "accuracy", "better_than_random": "above random"}
    names |= {name: f"net, {shorten(region, 8)}" for name, region in zip(shown, regions, strict=False)}
    there = {name: heading for name, heading in names.items() if any(name in point.values for point in points)}
    title = "Quality of heatmaps during training"
    table = terminal_table(title, [Column("epochs", min_width=6, no_wrap=True)], list(there.values()), "")
    for point in points:
        table.add_row(str(point.epoch), *(two_lines(*_said(point, name)) for name in there))
    return table


def _said(point: MeasuredEpoch, name: str) -> tuple[str, str]:
    one = point.values.get(name)
    if one is None or math.isnan(one.mean):
        return "–", ""
    if name == MAIN:
        return estimate_said(one, 2)
    if name.endswith("/net"):
        return f"{signed(100 * one.mean, 0)} %", range_written(one.interval, lambda end: signed(100 * end, 0))
    return percent(one.mean, 0), range_written(one.interval, lambda end: percent(end, 0))
