"""Heatmaps of a network and of the same with other inputs, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Column, Table

from unhans.faithfulness import ShiftedMaps
from unhans.report.tables import Rows, terminal_table
from unhans.report.text import UNKNOWN, plain
from unhans.report.text.quality import SHIFT_READING

COLUMNS = ("method", "difference", "largest_difference", "cosine", "total", "total_of_other", "images", "infinite")


def input_shift_rows(found: Sequence[ShiftedMaps]) -> Rows:
    """Return a row for every method: means over images, and sums of relevance as shares of Σ |logits|.

    A difference that is infinite is in none of them, but counted.
    """
    return Rows(COLUMNS, [(one.name, *_numbers(one), *one.totals, len(one.scores), one.infinite) for one in found])


def input_shift_table(found: Sequence[ShiftedMaps], title: str) -> Table:
    """Make a table of the methods for the terminal."""
    headings = ("difference", "cosine", "ΣR A", "ΣR B")
    table = terminal_table(title, [Column("method", max_width=32)], headings, SHIFT_READING)
    for one in found:
        difference, _, cosine = _numbers(one)
        said = "equal" if one.equal else UNKNOWN if difference is None else f"{difference:.2g}"
        said += f", {one.infinite} infinite" if one.infinite else ""
        totals = [f"{100 * total:.1f} %" if one.name.startswith("LRP") else UNKNOWN for total in one.totals]
        table.add_row(escape(one.name), said, f"{cosine:.2f}", *totals)
    return table


def _numbers(one: ShiftedMaps) -> tuple[float | None, float | None, float]:
    return plain(one.mean_difference), plain(one.difference.max()), float(one.cosine.mean())
