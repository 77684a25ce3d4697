"""The effects of artifacts for the terminal and for scripts, in the layout of tables 3 and 4 of [000]."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unhans.report.account import case_grounds, case_sentences, reason_of, spread_sentences, state_of
from unhans.report.effect_lines import trial_name
from unhans.report.measures import MEASURES, plain
from unhans.store.files import write_csv

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unhans.artifacts.case import Case
    from unhans.artifacts.effect import Effect
    from unhans.artifacts.trial import Trial

EFFECT_COLUMNS = (
    "label", "class", "artifact", "direction", "trial", "n",
    *(f"{measure.column}{end}" for measure in MEASURES for end in ("", "_low", "_high")), "verdict",
    "reason", "p_value", "q_value",
)  # fmt: skip
TITLES = {
    "add": "Added to samples of other classes",
    "remove": "Removed from affected samples",
}
STYLES = {"proven": "bold red", "not used": "green"}

Row = tuple[Any, ...]


def effect_tables(cases: Sequence[Case], truths: Sequence[str] = ()) -> list[RenderableType]:
    """Make tables for a terminal of 80 columns: what adding does, what removing does, then the verdicts in words.

    A class and its artifact are a row, the controls rows under it; numbers are mean changes towards the class, with
    their 95 % intervals. truths: for every case, what is known because the artifact was planted; "" where nothing is.
    """
    tables = [_table(direction, cases) for direction in TITLES]
    verdicts = [verdict_lines(case, truth) for case, truth in zip(cases, truths or [""] * len(cases), strict=True)]
    return [*(table for table in tables if table.row_count), *verdicts]


def verdict_lines(case: Case, truth: str = "") -> RenderableType:
    """Say what became of a case, for a terminal: a line for the verdict and for each of its grounds.

    truth: what is known because the artifact was planted.
    """
    state, lines = state_of(case), Table.grid(padding=(0, 2, 0, 0))
    why = f" ({reason_of(case)})" if reason_of(case) else ""
    heading = Text.assemble((f"Class {case.name}", "bold"), ": ", (state, STYLES.get(state, "bold")), why)
    for label, text in {**case_grounds(case), "Truth": truth}.items():
        if text:
            lines.add_row(Text(label, "dim"), Text(_shortened(text) if label == "Reason" else text))
    return Group(heading, Padding(lines, (0, 0, 1, 2)))


def _shortened(reason: str) -> str:
    """The first of many reasons for which nothing was isolated, one for each kind of artifact and each group."""
    parts = reason.split("; ")
    more = f"; and {len(parts) - 1} further reasons, which the report lists." if len(parts) > 1 else ""
    return parts[0] + more


def effect_rows(cases: Sequence[Case]) -> list[Row]:
    """Return every trial as a row of `EFFECT_COLUMNS` in plain values; the verdict stands with the artifact alone.

    A case without a proof is one row with its class and what became of it.
    """
    return [row for case in cases for row in _case_rows(case)]


def write_effects(path: str | os.PathLike[str], cases: Sequence[Case]) -> None:
    """Write every trial of every case as CSV, whole or not at all."""
    write_csv(path, EFFECT_COLUMNS, effect_rows(cases))


CASE_COLUMNS = ("class", "verdict", "reason", "suspicion", "layer", "effect", "because", "spread", *(
    f"{measure.column}{end}" for measure in MEASURES for end in ("", "_low", "_high")
))  # fmt: skip


def case_rows(cases: Sequence[Case], pictures: Sequence[Sequence[Path | None]] = ()) -> list[Row]:
    """Return every case as a row of `CASE_COLUMNS`, and after them the paths of its pictures.

    pictures: for every case as many paths; a logger shows them in their cells.
    """
    found = [_summary(case) for case in cases]
    return [(*row, *more) for row, more in zip(found, pictures, strict=True)] if pictures else found


def _summary(case: Case) -> Row:
    added = case.proof.added if case.proof else ()
    numbers = _numbers(added[0].effect) if added else [None] * 3 * len(MEASURES)
    spread = " ".join(spread_sentences(case))
    return (case.name, state_of(case), reason_of(case), *case_sentences(case), spread, *numbers)


def _trials(case: Case) -> Iterator[tuple[str, int, Trial]]:
    tested, where = case.proof or case.features, "" if case.proof else " in features"
    if tested is not None:
        for direction, trials in (("add", tested.added), ("remove", tested.removed)):
            for number, trial in enumerate(trials):
                yield f"{direction}{where}", number, trial


def _case_rows(case: Case) -> Iterator[Row]:
    verdict = _verdict(case)
    if case.proof is None and case.features is None:
        yield (case.label, case.name, *[None] * (len(EFFECT_COLUMNS) - 2 - len(verdict)), *verdict)
    for direction, number, trial in _trials(case):
        first = direction.startswith("add") and number == 0
        artifact = case.proof.artifact if case.proof else None
        start = (case.label, case.name, artifact, direction, trial.name, int(trial.effect.n))
        yield (*start, *_numbers(trial.effect), *(verdict if first else [None] * len(verdict)))


def _verdict(case: Case) -> Row:
    """What stands in the last columns: verdict, reason, p and q."""
    found = case.proof.verdict if case.proof else None
    return state_of(case), reason_of(case), *([plain(found.p_value), plain(found.q_value)] if found else [None, None])


def _numbers(effect: Effect) -> list[float | None]:
    pairs = ((measure.value(effect), *measure.interval(effect)) for measure in MEASURES)
    return [plain(value) for three in pairs for value in three]


def _table(direction: str, cases: Sequence[Case]) -> Table:
    table = Table(title=TITLES[direction], title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("class", max_width=20)
    table.add_column("n", justify="right", no_wrap=True)
    for measure in MEASURES:
        table.add_column(measure.heading, justify="right", no_wrap=True)
    for case in cases:
        trials = [(number, trial) for way, number, trial in _trials(case) if way == direction]
        for number, trial in trials:
            name = _first(case, trial) if number == 0 else Padding(Text(trial_name(trial)), (0, 0, 0, 2))
            cells = (_cell(measure.said(trial.effect), measure.range_said(trial.effect)) for measure in MEASURES)
            last = number == len(trials) - 1
            table.add_row(name, str(trial.effect.n), *cells, end_section=last)
    return table


def _first(case: Case, trial: Trial) -> Text:
    return Text.assemble((case.name, "bold"), f"\n{trial_name(trial)}")


def _cell(value: str, interval: str) -> Text:
    return Text.assemble(value, (f"\n{interval}", "dim"))
