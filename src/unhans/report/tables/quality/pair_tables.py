"""What changes by hand do to predictions: all pairs together, class by class, and pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Column, Table
from rich.text import Text

from unhans.effects import PairEffect
from unhans.report import text
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import PROBABILITY, RANK, percent, range_written
from unhans.report.text.quality import PAIRS_READING

PAIR_HEADINGS = ("n", "Δrank", "Δp", "became", "lost")
EFFECT_COLUMNS = ("class", "step", "pairs", "n", *text.MEASURE_COLUMNS, "lost", "lost_low", "lost_high")
SHOWN = 10  # classes in a terminal


def pair_effect_rows(effects: Mapping[str, Sequence[PairEffect]]) -> Rows:
    """Return a row for every class, or all, and step."""
    rows = []
    for name, each in effects.items():
        for one in each:
            numbers = (*text.effect_numbers(one.effect).values(), one.lost, *one.lost_interval)
            rows.append((name, one.step, one.pairs, one.effect.n, *map(text.plain, numbers)))
    return Rows(EFFECT_COLUMNS, rows)


def pair_cells(one: PairEffect) -> list[tuple[str, str]]:
    """Return the numbers under `PAIR_HEADINGS`, each with its interval."""
    return [
        (str(one.effect.n), ""),
        *((measure.said(one.effect), measure.range_said(one.effect)) for measure in (RANK, PROBABILITY)),
        *(
            (percent(share, 0), range_written(interval, lambda end: percent(end, 0)))
            for share, interval in ((one.effect.share, one.effect.share_interval), (one.lost, one.lost_interval))
        ),
    ]


def pair_table(effects: Mapping[str, Sequence[PairEffect]]) -> Table:
    """Make the same for the terminal; classes are named above their rows where there are several."""
    change = Column("change", no_wrap=True)
    table = terminal_table("Changes of pictures by hand", [change], PAIR_HEADINGS, PAIRS_READING)
    for name, each in list(effects.items())[: SHOWN + 1]:
        if len(effects) > 1:
            table.add_row(Text(text.shorten(name, 16), "bold"))
        for number, one in enumerate(each):
            cells = [two_lines(*cell) if cell[1] else cell[0] for cell in pair_cells(one)]
            table.add_row(one.step, *cells, end_section=number == len(each) - 1)
    if len(effects) > SHOWN + 1:
        table.caption = f"{len(effects) - SHOWN - 1} more classes are in effects.csv. {PAIRS_READING}"
    return table
