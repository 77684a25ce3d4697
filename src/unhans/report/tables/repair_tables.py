"""Repairs for the terminal, scripts and loggers: by method, by seed, and table 2 of [000]."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from unhans.repair import NUMBERS, Outcome, Summary, TableTwo, by_method, summaries, table_two_of
from unhans.report import text
from unhans.report.tables.terminal_table import Row, Rows, terminal_table, two_lines
from unhans.report.text import Named
from unhans.stats import Estimate

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
    *(f"{heading}{end}" for heading in HEADINGS.values() for end in (*ENDS, "_n", "_interval_of")),
    "worst_group", "worst_group_artifact_added", *(f"delta_p_reduced{end}" for end in ENDS), "seconds", "notes",
)  # fmt: skip
RUN_COLUMNS = (
    "method", "seed",
    *(f"{HEADINGS[field]}{end}" for field in NUMBERS for end in (*ENDS, "_n")),
    "worst_group", "worst_group_artifact_added", "seconds", "note", "folder",
)  # fmt: skip
TABLE_TWO_COLUMNS = ("trained_on", "validated_on", "accuracy", "low", "high", "interval_of", "images", "seeds")


def repair_tables(outcomes: Iterable[Outcome]) -> dict[str, Rows]:
    """Return columns and rows in plain values, for files and loggers; None where nothing is known.

    "methods" has a row for every method over its seeds, "runs" one for every seed of it; "table_two" is there where
    networks of both its rows are. Shares are in [0, 1]. `interval_of` says what an interval is over: seeds and samples
    or, of one seed, samples.
    """
    methods = by_method(outcomes)
    runs = [run for each in methods.values() for run in each]
    tables = {
        "methods": Rows(REPAIR_COLUMNS, [_summary_row(summary) for summary in summaries(runs)]),
        "runs": Rows(RUN_COLUMNS, [_run_row(run) for run in runs]),
    }
    found = table_two_of(runs)
    return tables if found is None else tables | {"table_two": Rows(TABLE_TWO_COLUMNS, _table_two_rows(found))}


def repair_scalars(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return the means over seeds by key, such as `repair/p_clarc/delta_p`, as loggers take them."""
    found = {}
    for summary in summaries(outcomes):
        values = {heading: getattr(summary, field) for field, heading in HEADINGS.items()}
        numbers = {key: value.mean for key, value in values.items() if value is not None}
        reduced = {} if summary.reduced is None else {"delta_p_reduced": summary.reduced[0]}
        for key, value in {**numbers, **reduced, "seconds": summary.seconds}.items():
            found[f"repair/{summary.method}/{key}"] = value
    return found


def _summary_row(summary: Summary) -> Row:
    found = [getattr(summary, field) for field in HEADINGS]
    cells = [cell for one in found for cell in ((one.mean, *one.interval, one.n, one.of) if one else (None,) * 5)]
    reduced = (None,) * 3 if summary.reduced is None else (summary.reduced[0], *summary.reduced[1])
    tail = (*summary.group, *reduced, summary.seconds, "; ".join(text.choices_said(summary)))
    return tuple(text.plain(cell) for cell in (summary.method, len(summary.runs), *cells, *tail))


def _run_row(run: Outcome) -> Row:
    found = [number(run.assessment) for number in NUMBERS.values()]
    cells = [cell for one in found for cell in ((one.value, *one.interval, one.n) if one else (None,) * 4)]
    tail = (*run.assessment.worst[0], run.seconds, text.choice_said(run), str(run.folder))
    return tuple(text.plain(cell) for cell in (run.method, run.seed, *cells, *tail))


def _table_two_rows(found: TableTwo) -> list[Row]:
    """Accuracies and differences, numbers in full."""
    rows = [*found.cells.items(), *((("B - A", images), gain) for images, gain in found.gains.items())]
    return [(*key, value.mean, *value.interval, value.of, value.n, value.seeds) for key, value in rows]


NAME = 18  # characters of a method's name in a line
LEGEND = (
    "Accuracy is the share of validation images classified correctly; worst group: the class, with or without the "
    "artifact, where it is smallest. Δp: mean change of the probability of the artifact's class when the artifact is "
    "pasted on images of other classes; 0 is best. reduced: by how much Δp is smaller than as it was, which is taken "
    "as exact. in mask: share of the positive relevance for that class that lies on the artifact. AUC: of that class "
    "on unaltered images."
)


def repair_table(outcomes: Iterable[Outcome], named: Named = text.UNNAMED) -> RenderableType:
    """Make the comparison for a terminal of 80 columns: two tables, how to read them, and a sentence per method."""
    found = summaries(outcomes)
    words = text.repair_words(found, named).items()
    lines = (Padding(Text(f"{name}: {said}"), (0, 0, 0, 2)) for name, said in words)
    notes = Text(f"{LEGEND} {text.basis(found)}", "dim")
    return Group(_accuracies(found), _reliance(found), notes, Text(), *lines)


def _accuracies(found: Sequence[Summary]) -> Table:
    numbers = ("unaltered", "added", "removed", "worst group")
    table = terminal_table("Accuracy after each repair", [Column("", max_width=NAME)], numbers)
    table.columns[-1].no_wrap = False
    for one in found:
        worst = Text.assemble(_cell(one.worst), (f"\n{text.group_said(one.group)}", "dim"))
        table.add_row(_name(one), _cell(one.clean), _cell(one.added), _cell(one.removed), worst)
    return table


def _reliance(found: Sequence[Summary]) -> Table:
    numbers = ("Δp", "reduced", "in mask", "AUC", "seconds")
    table = terminal_table("What the network still makes of the artifact", [Column("", max_width=NAME)], numbers)
    for one in found:
        reduced = Text(text.UNKNOWN) if one.reduced is None else two_lines(*text.reduced_words(one.reduced))
        effect, area = _cell(one.effect, text.PROBABILITY.written), _cell(one.area, "{:.3f}".format)
        relevance = _cell(one.relevance, partial(text.percent, digits=0))
        table.add_row(_name(one), effect, reduced, relevance, area, f"{one.seconds:.0f}")
    return table


def _name(one: Summary) -> Text:
    return Text(text.SHORT_NAMES[one.method], "bold")


def _cell(value: Estimate | None, write: Callable[[float], str] = text.percent) -> Text:
    if value is None:
        return Text(text.UNKNOWN)
    return two_lines(write(value.mean), text.range_written(value.interval, write))


def table_two(found: TableTwo) -> Table:
    """Make table 2 for a terminal of 80 columns: mean accuracies with 95 % intervals, and under it what they say."""
    title = "Accuracy of networks trained without and with the artifact (table 2)"
    caption = "\n".join([text.PATTERN, text.table_two_basis(found), *text.pattern_sentences(found)])
    table = terminal_table(title, ["trained on"], list(text.VALIDATED.values()), caption)
    for letter, name in text.TRAINED.items():
        table.add_row(Text(name, "bold"), *(_cell(found.cells[letter, images]) for images in text.VALIDATED))
    return table
