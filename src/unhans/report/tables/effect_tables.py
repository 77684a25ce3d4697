"""The effects of artifacts for the terminal and for scripts, in the layout of tables 3 and 4 of [000]."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unhans.effects import MINIMUM, Trial, gap, reason_of, state_of
from unhans.report.text import MEASURES, case_grounds, case_sentences, plain, spread_sentences
from unhans.store import write_csv

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unhans.effects import Case, Effect, Proof, Trial


NAMES = {
    "artifact": "the artifact",
    "area averaged": "pixels under it averaged",
    "elsewhere": "the same area elsewhere",
    "telea": "inpainted, Telea",
    "navier_stokes": "inpainted, Navier-Stokes",
    "blur": "blurred",
    "mean": "mean colour",
    "neighbour": "filled from another class",
    "unblend": "layer unblended",
    "truth": "image as it was before",
    "undo": "changed back",
    "opposite change": "the opposite change",
    "as strong noise": "noise as strong",
}
CONTROLS = (
    "Controls, on the same samples: the artifact's area in one colour; the pixels under it averaged; a patch of the "
    "class in its area; the artifact's effect on the class that gains most besides. Of an artifact of whole images: "
    "the opposite change; the same with colour channels exchanged; noise as strong; that class."
)
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)  # between the ticks of an axis
TICKS = 6  # at most


class EffectLine(NamedTuple):
    """One dot with its interval; marked: it is the artifact itself; effect: all its numbers, if it is a trial."""

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
        EffectGroup("Added to samples of other classes", _added(proof), MINIMUM),
        EffectGroup("The artifact's effect minus the control's, on the same samples", _differences(proof.added), 0.0),
        EffectGroup("Removed from affected samples", _removed(proof)),
    ]
    return [group for group in groups if group.lines]


def axis_of(groups: Sequence[EffectGroup]) -> tuple[float, float, list[float]]:
    """Return the least and largest value of an axis for all lines, and its ticks, of which 0 is one."""
    ends = [end for group in groups for line in group.lines for end in (line.low, line.high, line.value)]
    ends = [0.0, *(end for end in ends if math.isfinite(end)), *(group.least or 0.0 for group in groups)]
    low, high = min(ends), max(ends)
    step = next((step for step in STEPS if (high - low) / step <= TICKS - 2), STEPS[-1])
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def trial_name(trial: Trial) -> str:
    """Say what was done in a trial."""
    name = NAMES.get(trial.name, trial.name)
    if trial.name == "elsewhere" and trial.detail == "undo":
        return "the opposite of changing back"
    if trial.name == "other classes":
        return f"class {trial.detail}, which gains most"
    return f"{name} ({trial.detail})" if trial.detail else name


def _added(proof: Proof) -> list[EffectLine]:
    return [_line(trial, control=number > 0) for number, trial in enumerate(proof.added)]


def _removed(proof: Proof) -> list[EffectLine]:
    return [_line(trial, control=trial.name == "elsewhere") for trial in proof.removed]


def _line(trial: Trial, control: bool = False) -> EffectLine:
    effect = trial.effect
    return EffectLine(
        trial_name(trial), effect.n, effect.probability, *effect.probability_interval, not control, effect
    )


def _differences(added: Sequence[Trial]) -> list[EffectLine]:
    """Compare the artifact with each control on the samples that both were measured on, as the verdict does."""
    lines = []
    for control in added[1:]:
        mean, (low, high) = gap(added[0], control)
        n = len(set(added[0].indices.tolist()) & set(control.indices.tolist()))
        lines.append(EffectLine(f"minus {control.name}", n, mean, low, high, marked=True))
    return lines


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
