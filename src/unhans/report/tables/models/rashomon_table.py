"""The rounds of a Rashomon set as tables: for the terminal and for files."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from unhans.comparison import ProvenReason, RashomonRound
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import PROBABILITY, UNKNOWN, percent, points, range_written

STOPPED = {
    "nothing proven": "Nothing is proven to be used any more.",
    "outside the tolerance": "The last model is less accurate than the first by more than the tolerance: it is kept, "
    "but is no member of the set.",
    "cannot be taken away": "None of what is proven could be taken away in this way.",
    "rounds done": "As many reasons were taken away as was asked for; the last model may have others.",
}


def rashomon_table(rounds: Sequence[RashomonRound]) -> Table:
    """Return a row per model: its accuracy, what it is proven to use, and what is taken away before the next."""
    table = terminal_table(
        "Models", ["model", "proven to be used", "then taken away"], ["accuracy", "beside the first"]
    )
    for one in rounds:
        proven = "\n".join(f"{reason.name}: Δp {_said(reason)}" for reason in one.proven) or "nothing"
        accuracy = two_lines(percent(one.accuracy.share), range_written(one.accuracy.interval))
        difference = points(one.difference, one.interval) if one.number else UNKNOWN
        table.add_row(str(one.number), proven, one.taken or UNKNOWN, accuracy, difference)
    return table


def rashomon_rows(rounds: Sequence[RashomonRound]) -> Rows:
    """Return a row per model and reason that it is proven to use; without one, a row with empty fields."""
    columns = (
        "model", "accuracy", "accuracy_low", "accuracy_high", "n", "difference", "difference_low", "difference_high",
        "within_tolerance", "proven", "delta_p", "delta_p_low", "delta_p_high", "taken_away", "stop",
    )  # fmt: skip
    rows = []
    for one in rounds:
        for reason in one.proven or [None]:
            effect = (None,) * 4 if reason is None else (reason.name, reason.probability, *reason.interval)
            rows.append((
                one.number, one.accuracy.share, *one.accuracy.interval, one.accuracy.n, one.difference, *one.interval,
                one.within, *effect, reason is not None and reason.name == one.taken, one.stop,
            ))  # fmt: skip
    return Rows(columns, rows)


def _said(reason: ProvenReason) -> str:
    return f"{PROBABILITY.written(reason.probability)} {range_written(reason.interval, PROBABILITY.written)}"
