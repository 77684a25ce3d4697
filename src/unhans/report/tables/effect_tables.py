"""The effects of artifacts for the terminal and for scripts, in the layout of tables 3 and 4 of [000]."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from unhans.effects import MINIMUM, Case, Effect, Proof, Trial, reason_of, state_of
from unhans.report import text
from unhans.report.tables.terminal_table import Row, Rows, terminal_table, two_lines
from unhans.stats import wilson

TITLES = {
    "add": "Added to samples of other classes",
    "remove": "Removed from affected samples",
}
EFFECT_READING = (
    "Mean changes towards the class, each with its 95 % interval: Δrank of its rank (positive: towards the top), Δp of "
    "its probability, Δlogit of its logit; flipped: samples newly predicted as it or, after a removal, no longer."
)
CONTROLS = (
    "Controls, on the same samples: the artifact's area in one colour; averaging the pixels under it; a patch of the "
    "class in its area; the artifact's effect on the class that gains most besides. Of an artifact of whole images: "
    "the opposite change; the same with colour channels exchanged; noise as strong; that class."
)
TICKS = 6  # of an axis, about


class EffectLine(NamedTuple):
    """One dot with its interval.

    Attributes:
        name: what was done.
        n: samples.
        value, low, high: the mean change of the probability and its 95 % interval.
        marked: it is the artifact itself.
        effect: all its numbers, if it is a trial.
    """

    name: str
    n: int
    value: float
    low: float
    high: float
    marked: bool
    effect: Effect | None = None


class EffectGroup(NamedTuple):
    """Lines under one heading; least: the value that the lower end of a marked line's interval must reach."""

    title: str
    lines: list[EffectLine]
    least: float | None = None


def effect_groups(proof: Proof) -> list[EffectGroup]:
    """Return additions with the least effect that counts, artifact minus each control, and removals."""
    groups = [
        EffectGroup(TITLES["add"], [_line(trial, number == 0) for number, trial in enumerate(proof.added)], MINIMUM),
        EffectGroup("The artifact's effect minus the control's, on the same samples", _differences(proof), 0.0),
        EffectGroup(TITLES["remove"], [_line(trial, trial.name != "elsewhere") for trial in proof.removed]),
    ]
    for each in proof.removals:
        title = f"{TITLES['remove']}: {text.removal_where(each)}"
        groups.append(EffectGroup(title, [_line(trial, trial.name != "elsewhere") for trial in each.trials]))
    return [group for group in groups if group.lines]


def axis_of(groups: Sequence[EffectGroup]) -> tuple[float, float, list[float]]:
    """Return the least and largest value of an axis for all lines, and its ticks, of which 0 is one."""
    from matplotlib.ticker import MaxNLocator

    ends = [end for group in groups for line in group.lines for end in (line.low, line.high, line.value)]
    ends = [0.0, *(end for end in ends if math.isfinite(end)), *(group.least or 0.0 for group in groups)]
    ticks = MaxNLocator(TICKS - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(min(ends), max(ends)).tolist()
    return ticks[0], ticks[-1], ticks


def _line(trial: Trial, marked: bool) -> EffectLine:
    name, effect = text.trial_name(trial), trial.effect
    return EffectLine(name, effect.n, effect.probability, *effect.probability_interval, marked, effect)


def _differences(proof: Proof) -> list[EffectLine]:
    """Compare the artifact with each control on the samples that both were measured on, as the verdict does."""
    own, lines = proof.added[0].indices, []
    for rival in proof.rivals:
        n = len(np.intersect1d(own, rival.control.indices))
        lines.append(EffectLine(f"minus {text.trial_name(rival.control)}", n, rival.more, *rival.interval, marked=True))
    return lines


EFFECT_COLUMNS = (
    "label", "class", "artifact", "direction", "trial", "split", "n",
    *text.MEASURE_COLUMNS, "verdict", "reason", "p_value", "q_value", "carriers",
)  # fmt: skip
STYLES = {"proven": "bold red", "not used": "green"}


def effect_tables(cases: Sequence[Case], truths: Sequence[str] = ()) -> list[RenderableType]:
    """Make tables for a terminal of 80 columns: what adding does, what removing does, then the verdicts in words.

    A class and its artifact are a row, the controls rows under it; numbers are mean changes towards the class, with
    their 95 % intervals.

    Args:
        truths: for every case, what is known because the artifact was planted; "" where nothing is.
    """
    tables = [table for direction in TITLES if (table := _table(direction, cases)).row_count]
    verdicts = [verdict_lines(case, truth) for case, truth in zip(cases, truths or [""] * len(cases), strict=True)]
    return [*tables, *[Padding(Text(EFFECT_READING, "dim"), (0, 0, 1, 0))] * bool(tables), *verdicts]


def verdict_lines(case: Case, truth: str = "") -> RenderableType:
    """Say what became of a case, for a terminal: a line for the verdict and for each of its grounds.

    truth: what is known because the artifact was planted.
    """
    state, lines = state_of(case), Table.grid(padding=(0, 2, 0, 0))
    why = f" ({reason_of(case)})" if reason_of(case) else ""
    heading = Text.assemble((f"Class {case.name}", "bold"), ": ", (state, STYLES.get(state, "bold")), why)
    for label, said in {**text.case_grounds(case), "Truth": truth}.items():
        if said:
            lines.add_row(Text(label, "dim"), Text(_shortened(said) if label == "Reason" else said))
    return Group(heading, Padding(lines, (0, 0, 1, 2)))


def _shortened(reason: str) -> str:
    """The first of many reasons for which nothing was isolated, one for each kind of artifact and each group."""
    parts = reason.split("; ")
    more = f"; and {len(parts) - 1} further reasons, which the report lists." if len(parts) > 1 else ""
    return parts[0] + more


def effect_rows(cases: Sequence[Case], splits: Mapping[str, NDArray[np.int64]] | None = None) -> Rows:
    """Return every trial of every case; the verdict stands with the artifact alone.

    A case without a proof is one row with its class and what became of it.

    Args:
        splits: by name the indices of every split, to tell of which the samples of a trial are; None: nobody knows.
    """
    return Rows(EFFECT_COLUMNS, [row for case in cases for row in _case_rows(case, splits or {})])


CARRIER_COLUMNS = (
    "label", "class", "artifact", "found_in", "split", "n", "found", "share", "share_low", "share_high",
    "predicted", "planted", "right",
)  # fmt: skip


def carrier_rows(cases: Sequence[Case]) -> Rows:
    """Return who carries each isolated artifact: its class by split, then every other class that was looked at.

    `predicted` counts those found that the network calls by the artifact's class, of other classes alone; `planted` and
    `right`, how many truly carry it and were found, are there where it was planted.
    """
    return Rows(CARRIER_COLUMNS, [row for case in cases for row in _carriers(case)])


def _carriers(case: Case) -> Iterator[Row]:
    start = (case.label, case.name, text.artifact_said(case))
    for share in case.spread:
        found = _counted(share.by_matching, share.n)
        yield (*start, case.name, share.split, *found, None, share.planted, share.right)
    for each in text.most_affected(case):
        yield (*start, each.name, None, *_counted(each.found, each.n), each.predicted, each.planted, each.right)


def _counted(found: int, n: int) -> Row:
    return (n, found, *((found / n, *wilson(found, n)) if n else [None] * 3))


CASE_COLUMNS = (
    "class", "verdict", "reason", "suspicion", "layer", "effect", "because", "spread", *text.MEASURE_COLUMNS,
)  # fmt: skip


def case_rows(cases: Sequence[Case], pictures: Mapping[str, Sequence[Path | None]] | None = None) -> Rows:
    """Return a row for every case; pictures: by column a path for every case, which a logger shows in the cell."""
    pictures = pictures or {}
    more = zip(*pictures.values(), strict=True) if pictures else [()] * len(cases)
    rows = [(*_summary(case), *paths) for case, paths in zip(cases, more, strict=True)]
    return Rows((*CASE_COLUMNS, *pictures), rows)


def _summary(case: Case) -> Row:
    added = case.proof.added if case.proof else ()
    numbers = _numbers(added[0].effect) if added else [None] * 3 * len(text.MEASURES)
    spread = " ".join(text.spread_sentences(case))
    return (case.name, state_of(case), reason_of(case), *text.case_sentences(case), spread, *numbers)


class _Row(NamedTuple):
    """A trial in a table; number: among those of its block; carriers: how they are known; where: of which split."""

    direction: str
    number: int
    trial: Trial
    carriers: str | None = None
    where: str = ""


def _trials(case: Case) -> Iterator[_Row]:
    tested, where = case.proof or case.features, "" if case.proof else " in features"
    if tested is None:
        return
    yield from (_Row(f"add{where}", number, trial) for number, trial in enumerate(tested.added))
    own = "members" if case.isolated is not None else None
    yield from (_Row(f"remove{where}", number, trial, own) for number, trial in enumerate(tested.removed))
    for each in case.proof.removals if case.proof else ():
        said = text.removal_where(each)
        yield from (_Row("remove", number, trial, each.by, said) for number, trial in enumerate(each.trials))


def _case_rows(case: Case, splits: Mapping[str, NDArray[np.int64]]) -> Iterator[Row]:
    verdict = _verdict(case)
    if case.proof is None and case.features is None:
        yield (case.label, case.name, *[None] * (len(EFFECT_COLUMNS) - 3 - len(verdict)), *verdict, None)
    for direction, number, trial, carriers, _ in _trials(case):
        first = direction.startswith("add") and number == 0
        artifact = text.artifact_said(case) if case.proof else None
        start = (case.label, case.name, artifact, direction, trial.name)
        names = [name for name, own in splits.items() if np.isin(trial.indices, own).any()]
        start += (" and ".join(names) or None, int(trial.effect.n))
        yield (*start, *_numbers(trial.effect), *(verdict if first else [None] * len(verdict)), carriers)


def _verdict(case: Case) -> Row:
    """What stands in the last columns: verdict, reason, p and q."""
    found = case.proof.verdict if case.proof else None
    sure = (text.plain(found.p_value), text.plain(found.q_value)) if found else (None, None)
    return (state_of(case), reason_of(case), *sure)


def _numbers(effect: Effect) -> list[float | None]:
    return [text.plain(value) for value in text.effect_numbers(effect).values()]


def _table(direction: str, cases: Sequence[Case]) -> Table:
    numbers = ("n", *(measure.heading for measure in text.MEASURES))
    table = terminal_table(TITLES[direction], [Column("class", max_width=20)], numbers)
    for case in cases:
        trials = [row for row in _trials(case) if row.direction == direction]
        for at, (_, number, trial, _, where) in enumerate(trials):
            name = Padding(Text(text.trial_name(trial)), (0, 0, 0, 2))
            if number == 0:
                of = f"\n({where})" if where else ""
                name = Text.assemble((case.name, "bold"), of, f"\n{text.trial_name(trial)}")
            effect = trial.effect
            cells = (two_lines(measure.said(effect), measure.range_said(effect)) for measure in text.MEASURES)
            table.add_row(name, str(effect.n), *cells, end_section=at == len(trials) - 1)
    return table
