"""What all tables share: columns and rows for files and loggers, and one form in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

Row = tuple[Any, ...]


class Rows(NamedTuple):
    """A table in plain values, as `write_csv` and loggers take it; None where nothing is known."""

    columns: Sequence[str]
    rows: Sequence[Row]


def terminal_table(title: str, words: Sequence[Column | str], numbers: Sequence[str], caption: str = "") -> Table:
    """Make an empty table whose title and caption may hold any character.

    Args:
        title: stands at the left, above.
        words: the columns of words, at the left.
        numbers: headings of the columns of numbers, which are never wrapped.
        caption: stands below.
    """
    right = (Column(heading, justify="right", no_wrap=True) for heading in numbers)
    return Table(
        *words, *right, title=escape(title), title_justify="left", caption=escape(caption) or None,
        caption_justify="left", caption_style="", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip


def two_lines(value: str, interval: str) -> Text:
    """Return a cell: a number above its interval."""
    return Text.assemble(value, (f"\n{interval}", "dim"))
