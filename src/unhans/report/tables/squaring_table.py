"""Ways to make images square, for the terminal, for scripts and for loggers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.artifacts import WAYS, Orientation, Way
from unhans.effects.interventions import Change, Group, SquaringEffect
from unhans.report.text import signed, squaring_sentence
from unhans.store import write_csv

SQUARING_COLUMNS = (
    "label", "class", "expected", "group", "orientation", "way", "n", "probability_copied", "delta_p", "delta_p_low",
    "delta_p_high", "delta_logit", "delta_logit_low", "delta_logit_high", "no_longer_predicted",
    "no_longer_predicted_low", "no_longer_predicted_high",
)  # fmt: skip

NAMES: dict[Way, str] = {
    "copy": "border copied",
    "mirror": "mirrored",
    "crop": "cropped",
    "noise": "random pixels",
    "random_color": "random colour",
    "color": "chosen colour",
}
SHORT: dict[tuple[Group, Orientation], str] = {
    ("class", "landscape"): "class ↕",
    ("class", "portrait"): "class ↔",
    ("others", "landscape"): "others ↕",
    ("others", "portrait"): "others ↔",
}


def squaring_table(effect: SquaringEffect) -> Table:
    """Make a table of one class for a terminal of 80 columns: the change of its probability against copied borders."""
    table = Table(title=escape(f"Class {effect.name}: change of its probability against copied borders"), box=SIMPLE)
    table.title_justify, table.pad_edge = "left", False
    table.caption = escape(f"↕ padded above and below, ↔ at the sides; 95 % intervals.\n{squaring_sentence(effect)}")
    table.caption_justify, table.caption_style = "left", ""
    table.add_column("", no_wrap=True)
    columns = [key for key in SHORT if effect.change(*key, WAYS[1])]
    for key in columns:
        first = effect.change(*key, WAYS[1])
        table.add_column(f"{SHORT[key]}\nn = {first.effect.n if first else 0}", justify="right", no_wrap=True)
    for way in WAYS[1:]:
        table.add_row(NAMES[way], *(_cell(effect.change(*key, way)) for key in columns))
    return table


def squaring_rows(effects: Iterable[SquaringEffect]) -> list[Sequence[Any]]:
    """Return every change as a row of `SQUARING_COLUMNS`, numbers in full."""
    return [
        (
            effect.label, effect.name, change.orientation in effect.expected, change.group, change.orientation,
            change.way, change.effect.n, change.base, change.effect.probability, *change.effect.probability_interval,
            change.effect.logit, *change.effect.logit_interval, change.effect.share, *change.effect.share_interval,
        )
        for effect in effects
        for change in effect.changes
    ]  # fmt: skip


def write_squarings(path: str | os.PathLike[str], effects: Iterable[SquaringEffect]) -> None:
    """Write every change as CSV, whole or not at all."""
    write_csv(path, SQUARING_COLUMNS, squaring_rows(effects))


def _cell(change: Change | None) -> str:
    if change is None:
        return "–"
    mean, low, high = (signed(number, 2) for number in (change.effect.probability, *change.effect.probability_interval))
    return f"{mean}\n{low} … {high}"
