"""Ways to make images square, for the terminal, for scripts and for loggers."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Column, Table

from unhans.artifacts import WAYS, Orientation, Way
from unhans.effects.interventions import Group, SquaringChange, SquaringEffect
from unhans.report.tables.terminal_table import Rows, terminal_table
from unhans.report.text import PROBABILITY, UNKNOWN, signed, squaring_sentence

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
    columns = [key for key in SHORT if effect.change(*key, WAYS[1])]
    headings = [f"{SHORT[key]}\nn = {effect.change(*key, WAYS[1]).effect.n}" for key in columns]
    title = f"Class {effect.name}: change of its probability against copied borders"
    caption = f"↕ padded above and below, ↔ at the sides; 95 % intervals.\n{squaring_sentence(effect)}"
    table = terminal_table(title, [Column("", no_wrap=True)], headings, caption)
    for way in WAYS[1:]:
        table.add_row(NAMES[way], *(_cell(effect.change(*key, way)) for key in columns))
    return table


def squaring_rows(effects: Iterable[SquaringEffect]) -> Rows:
    """Return a row for every change, numbers in full."""
    rows = [
        (
            effect.label, effect.name, change.orientation in effect.expected, change.group, change.orientation,
            change.way, change.effect.n, change.base, change.effect.probability, *change.effect.probability_interval,
            change.effect.logit, *change.effect.logit_interval, change.effect.share, *change.effect.share_interval,
        )
        for effect in effects
        for change in effect.changes
    ]  # fmt: skip
    return Rows(SQUARING_COLUMNS, rows)


def _cell(change: SquaringChange | None) -> str:
    if change is None:
        return UNKNOWN
    return "{}\n{} … {}".format(*(signed(number, 2) for number in PROBABILITY.numbers(change.effect).values()))
