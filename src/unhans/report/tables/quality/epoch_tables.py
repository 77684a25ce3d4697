"""What was measured of heatmaps after every epoch, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unhans.faithfulness.training import MeasuredEpoch
from unhans.report.tables.terminal_table import Rows
from unhans.report.text import plain

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
