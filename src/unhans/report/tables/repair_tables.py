"""Repairs for the terminal, scripts and loggers: by method, by seed, and table 2 of [000]."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unhans.repair import OutcomeLike, Summary, by_method, rate_of, short_name, summaries
from unhans.report.text import (
    UNKNOWN,
    UNNAMED,
    Named,
    basis,
    group_said,
    percent,
    percent_range,
    plain,
    points,
    reduced_said,
    repair_sentences,
    signed,
)
from unhans.stats import Estimate, difference
from unhans.store import write_csv

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unhans.stats import Area, Estimate, Interval, Rate


Row = tuple[Any, ...]

MEASURED = ("clean", "added", "removed", "worst", "effect", "relevance", "area", "kept")  # fields of a summary
HEADINGS = {
    "clean": "accuracy_clean",
    "added": "accuracy_added",
    "removed": "accuracy_removed",
    "worst": "accuracy_worst_group",
    "effect": "delta_p",
    "relevance": "relevance_in_mask",
    "area": "auc_clean",
    "kept": "change_of_accuracy_clean",
}
ENDS = ("", "_low", "_high")
REPAIR_COLUMNS = (
    "method", "seeds",
    *(f"{HEADINGS[field]}{end}" for field in MEASURED for end in (*ENDS, "_n", "_interval_of")),
    "worst_group", "worst_group_artifact_added", *(f"delta_p_reduced{end}" for end in ENDS), "seconds", "notes",
)  # fmt: skip
RUN_COLUMNS = (
    "method", "seed",
    *(f"{HEADINGS[field]}{end}" for field in MEASURED[:-1] for end in (*ENDS, "_n")),
    "worst_group", "worst_group_artifact_added", "seconds", "note", "folder",
)  # fmt: skip


def repair_rows(outcomes: Iterable[OutcomeLike]) -> list[Row]:
    """Return every method, over its seeds, as a row of `REPAIR_COLUMNS` in plain values; None where nothing is known.

    Shares are in [0, 1]. `_interval_of` says what an interval is over: seeds and samples or, of one seed, samples.
    """
    return [_summary_row(summary) for summary in summaries(outcomes)]


def run_rows(outcomes: Iterable[OutcomeLike]) -> list[Row]:
    """Return every method and seed as a row of `RUN_COLUMNS`; intervals are over samples."""
    return [_run_row(run) for runs in by_method(outcomes).values() for run in runs]


def write_repairs(path: str | os.PathLike[str], outcomes: Iterable[OutcomeLike]) -> None:
    """Write a row per method as CSV, whole or not at all."""
    write_csv(path, REPAIR_COLUMNS, repair_rows(outcomes))


def write_repair_runs(path: str | os.PathLike[str], outcomes: Iterable[OutcomeLike]) -> None:
    """Write a row per method and seed as CSV, whole or not at all."""
    write_csv(path, RUN_COLUMNS, run_rows(outcomes))


def repair_scalars(outcomes: Iterable[OutcomeLike]) -> dict[str, float]:
    """Return the means over seeds by key, such as `repair/p_clarc/delta_p`, as loggers take them."""
    found = {}
    for summary in summaries(outcomes):
        values = {HEADINGS[field]: getattr(summary, field) for field in MEASURED}
        numbers = {key: value.mean for key, value in values.items() if value is not None}
        reduced = {} if summary.reduced is None else {"delta_p_reduced": summary.reduced[0]}
        for key, value in {**numbers, **reduced, "seconds": summary.seconds}.items():
            found[f"repair/{summary.method}/{key}"] = value
    return found


def _summary_row(summary: Summary) -> Row:
    cells = [cell for field in MEASURED for cell in _estimate(getattr(summary, field))]
    reduced = (None,) * 3 if summary.reduced is None else (summary.reduced[0], *summary.reduced[1])
    tail = (*summary.group, *reduced, summary.seconds, "; ".join(summary.notes))
    return tuple(plain(cell) for cell in (summary.method, summary.seeds, *cells, *tail))


def _estimate(value: Estimate | None) -> Row:
    return (None,) * 5 if value is None else (value.mean, *value.interval, value.n, value.of)


def _run_row(run: OutcomeLike) -> Row:
    found = run.assessment
    group, worst = found.worst
    effect, share = found.effect, found.relevance
    cells = (
        *_rate(found.clean), *_rate(found.added), *_rate(found.removed), *_rate(worst),
        *_four(effect.probability, effect.probability_interval, effect.n),
        *((None,) * 4 if share is None else _four(share.mean, share.interval, share.n)), *_area(found.area),
    )  # fmt: skip
    return tuple(plain(cell) for cell in (run.method, run.seed, *cells, *group, run.seconds, run.note, str(run.folder)))


def _rate(rate: Rate | None) -> Row:
    return (None,) * 4 if rate is None else _four(rate.share, rate.interval, rate.n)


def _area(area: Area | None) -> Row:
    return (None,) * 4 if area is None else _four(area.value, area.interval, area.positives + area.negatives)


def _four(value: float, interval: Interval, n: int) -> Row:
    return (value, *interval, n)


NAME = 18  # characters of a method's name in a line
LEGEND = (
    "Accuracy is the share of validation images classified correctly; worst group: the class, with or without the "
    "artifact, where it is smallest. Δp: mean change of the probability of the artifact's class when the artifact is "
    "pasted on images of other classes; 0 is best. reduced: by how much Δp is smaller than as it was, which is taken "
    "as exact. in mask: share of the positive relevance for that class that lies on the artifact. AUC: of that class "
    "on unaltered images."
)


def repair_table(outcomes: Iterable[OutcomeLike], named: Named = UNNAMED) -> RenderableType:
    """Make the comparison for a terminal of 80 columns: two tables, how to read them, and a sentence per method."""
    found = summaries(outcomes)
    lines = (Padding(Text(sentence), (0, 0, 0, 2)) for sentence in repair_sentences(found, named))
    notes = Text(f"{LEGEND} {basis(found)}", "dim")
    return Group(_accuracies(found), _reliance(found), notes, Text(), *lines)


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", max_width=NAME)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=heading != "worst group")
    return table


def _accuracies(found: Sequence[Summary]) -> Table:
    table = _table("Accuracy after each repair", ("unaltered", "added", "removed", "worst group"))
    for one in found:
        worst = Text.assemble(_share(one.worst), (f"\n{group_said(one.group)}", "dim"))
        name = Text(short_name(one.method), "bold")
        table.add_row(name, _share(one.clean), _share(one.added), _share(one.removed), worst)
    return table


def _reliance(found: Sequence[Summary]) -> Table:
    table = _table("What the network still makes of the artifact", ("Δp", "reduced", "in mask", "AUC", "seconds"))
    for one in found:
        delta, area = _number(one.effect, lambda value: signed(value, 3)), _number(one.area, "{:.3f}".format)
        name = Text(short_name(one.method), "bold")
        table.add_row(name, delta, _reduced(one), _share(one.relevance, 0), area, f"{one.seconds:.0f}")
    return table


def _share(value: Estimate | None, digits: int = 1) -> Text:
    return Text(UNKNOWN) if value is None else _two(percent(value.mean, digits), percent_range(value.interval, digits))


def _number(value: Estimate | None, write: Callable[[float], str]) -> Text:
    if value is None:
        return Text(UNKNOWN)
    return _two(write(value.mean), "[{}, {}]".format(*map(write, value.interval)))


def _two(value: str, interval: str) -> Text:
    return Text.assemble(value, (f"\n{interval}", "dim"))


def _reduced(one: Summary) -> Text:
    if one.reduced is None:
        return Text(UNKNOWN)
    share, (low, high) = one.reduced
    return Text.assemble(reduced_said(share), (f"\n[{100 * low:.0f}, {100 * high:.0f}]".replace("-", "−"), "dim"))


TRAINED = {"A": "A (unaltered)", "B": "B (artifact on all)"}
METHODS = {"A": "unaltered", "B": "augmented"}
VALIDATED = {"A": "validation A, unaltered", "B": "validation B, artifact on all"}
PATTERN = "The pattern to look for: with the artifact B is right more often than A, and without it B loses nothing."
TABLE_TWO_COLUMNS = ("trained_on", "validated_on", "accuracy", "low", "high", "interval_of", "images", "seeds")

TableTwoRow = tuple[Any, ...]


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


def table_two_rows(outcomes: Iterable[OutcomeLike]) -> list[TableTwoRow]:
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
