"""Networks trained without and with the artifact on all images, on both kinds of images: table 2 of [000]."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from unhans.artifacts.estimate import Estimate, difference
from unhans.report.percent import percent, percent_range, points
from unhans.report.repair_rows import rate_of
from unhans.report.repaired import OutcomeLike, by_method
from unhans.store.files import write_csv

TRAINED = {"A": "A (unaltered)", "B": "B (artifact on all)"}
METHODS = {"A": "unaltered", "B": "augmented"}
VALIDATED = {"A": "validation A, unaltered", "B": "validation B, artifact on all"}
PATTERN = "The pattern to look for: with the artifact B is right more often than A, and without it B loses nothing."
TABLE_TWO_COLUMNS = ("trained_on", "validated_on", "accuracy", "low", "high", "interval_of", "images", "seeds")

Row = tuple[Any, ...]


class TableTwo(NamedTuple):
    """Accuracies by (trained on, validated on), each "A" or "B", and differences of B minus A by validated on."""

    cells: dict[tuple[str, str], Estimate]
    gains: dict[str, Estimate]


def has_table_two(outcomes: Iterable[OutcomeLike]) -> bool:
    """Tell whether there are networks of both rows with a seed in common."""
    methods = by_method(outcomes)
    seeds = [{run.seed for run in methods.get(method, [])} for method in METHODS.values()]
    return bool(set.intersection(*seeds))


def accuracies(outcomes: Iterable[OutcomeLike]) -> TableTwo:
    """Return the four accuracies of table 2 and their differences, over the seeds that both rows have.

    Raises ValueError where a row is missing or both have no seed in common.
    """
    outcomes = list(outcomes)
    if not has_table_two(outcomes):
        got = {method: [run.seed for run in runs] for method, runs in by_method(outcomes).items()}
        raise ValueError(f"Table 2 needs outcomes of 'unaltered' and 'augmented' with a seed in common; got {got}.")
    methods = by_method(outcomes)
    rows = {letter: methods[method] for letter, method in METHODS.items()}
    common = set.intersection(*({run.seed for run in runs} for runs in rows.values()))
    rows = {letter: [run for run in runs if run.seed in common] for letter, runs in rows.items()}
    rate = {"A": lambda one: one.clean, "B": lambda one: one.added}
    cells = {(letter, images): rate_of(runs, rate[images]) for letter, runs in rows.items() for images in VALIDATED}
    gains = {
        images: difference(*([rate[images](run.assessment) for run in rows[letter]] for letter in ("B", "A")))
        for images in VALIDATED
    }
    return TableTwo(cells, gains)


def table_two(outcomes: Iterable[OutcomeLike]) -> Table:
    """Make table 2 for a terminal of 80 columns: mean accuracies with 95 % intervals, and under it what they say.

    Raises ValueError as `accuracies` does.
    """
    found = accuracies(outcomes)
    table = Table(title="Accuracy of networks trained without and with the artifact (table 2)", box=SIMPLE)
    table.title_justify, table.pad_edge = "left", False
    table.caption = Text("\n".join([PATTERN, table_two_basis(found), *pattern_sentences(found)]), "")
    table.caption_justify, table.caption_style = "left", ""
    table.add_column("trained on")
    for name in VALIDATED.values():
        table.add_column(name, justify="right", no_wrap=True)
    for letter, name in TRAINED.items():
        table.add_row(Text(name, "bold"), *(_cell(found.cells[letter, images]) for images in VALIDATED))
    return table


def pattern_sentences(found: TableTwo) -> list[str]:
    """Say whether the pattern of table 2 holds: B is right more often with the artifact, and not worse without it."""
    return [_with(found), _without(found)]


def table_two_basis(found: TableTwo) -> str:
    """Say how many images and seeds the numbers are of, and what the intervals are over."""
    cell = found.cells["A", "A"]
    seeds = f"{cell.seeds} seed{'s' * (cell.seeds != 1)}"
    images = f"n = {cell.n} validation images, {seeds}; 95 % intervals"
    if cell.seeds == 1:
        return f"{images} over the images (Wilson): one seed does not tell how much another training would differ."
    return f"{images} over seeds (Student's t) and images (Wilson)."


def table_two_rows(outcomes: Iterable[OutcomeLike]) -> list[Row]:
    """Return accuracies and differences as rows of `TABLE_TWO_COLUMNS`, numbers in full, shares in [0, 1]."""
    found = accuracies(outcomes)
    rows = [*found.cells.items(), *((("B - A", images), gain) for images, gain in found.gains.items())]
    return [(*key, value.mean, *value.interval, value.of, value.n, value.seeds) for key, value in rows]


def write_table_two(path: str | os.PathLike[str], outcomes: Iterable[OutcomeLike]) -> None:
    """Write table 2 as CSV, whole or not at all."""
    write_csv(path, TABLE_TWO_COLUMNS, table_two_rows(outcomes))


def _cell(value: Estimate) -> Text:
    return Text.assemble(percent(value.mean), (f"\n{percent_range(value.interval)}", "dim"))


def _with(found: TableTwo) -> str:
    gain, pair = found.gains["B"], _pair(found, "B")
    if gain.interval[0] > 0:
        return f"With the artifact on all images B is right more often than A, {pair}: the pattern holds."
    if gain.interval[1] < 0:
        return f"With the artifact on all images B is right less often than A, {pair}: the pattern does not hold."
    return f"With the artifact on all images no difference is measurable between B and A, {pair}."


def _without(found: TableTwo) -> str:
    gain, pair = found.gains["A"], _pair(found, "A")
    if gain.interval[1] < 0:
        return f"On unaltered images B is worse than A, {pair}: the pattern does not hold."
    if gain.interval[0] > 0:
        return f"On unaltered images B is better than A, {pair}: the pattern holds."
    return f"On unaltered images B is not measurably worse than A, {pair}: nothing here speaks against the pattern."


def _pair(found: TableTwo, images: str) -> str:
    first, second = (percent(found.cells[letter, images].mean) for letter in ("B", "A"))
    gain = found.gains[images]
    over = "two shares of the same images" if gain.seeds == 1 else f"paired over {gain.seeds} seeds and by image"
    return f"{first} against {second}, a difference of {points(gain.mean, gain.interval)} ({over}, Newcombe)"
