"""What became of every class, tested or not, in one table: for the terminal, the report, a logger and scripts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from unhans.effects import STATES, leading, reason_of, state_of
from unhans.report.tables.effect_tables import STYLES
from unhans.report.text import change_said, listed, missing_of, shorten, trouble_said
from unhans.store import write_csv

if TYPE_CHECKING:
    from unhans.effects import Case


LEFT_OUT = "Not among the classes that analysis.most allows."
OPENED = 20  # classes up to which the report's table is open
NAMED = 12  # classes that a row of the terminal's table names
NOTHING = (
    "Nothing was isolated: no group of its samples shares a mark, an object, a patch of one colour or a change of the "
    "whole image that its other samples lack. A mask or a picture of a suspected artifact would decide."
)


@dataclass(frozen=True)
class ClassState:
    """What became of one class.

    Attributes:
        label, name: of the class.
        state: "proven", "open", "not used" or "not tested".
        reason: why it is open, else "".
        effect: of its artifact on the class's probability, with the 95 % interval; "" where it was not measured.
        missing: what a decision would take, or why it was not tested; "" where there is a decision.
        tests: artifacts whose effect was measured.
        audit_seconds, test_seconds: that it took, None where it is not known.
    """

    label: int
    name: str
    state: str
    reason: str = ""
    effect: str = ""
    missing: str = ""
    tests: int = 0
    audit_seconds: float | None = None
    test_seconds: float | None = None

    @property
    def because(self) -> str:
        """Effect, reason and what is missing in one text."""
        return " ".join(filter(None, (self.reason and f"{self.reason}:", self.effect, self.missing)))


STATE_COLUMNS = tuple(field.name for field in fields(ClassState))


def class_states(
    classes: Sequence[tuple[int, str]],
    cases: Sequence[Case],
    audit_seconds: Mapping[int, float],
    test_seconds: Mapping[int, float],
    refused: Mapping[int, tuple[str, str]],
) -> list[ClassState]:
    """Return the state of every class: those that were audited in their order, then those that could not be.

    Args:
        classes: label and name of those that were audited.
        cases: with their final verdicts.
        audit_seconds, test_seconds: by label.
        refused: by label the name of a class that could not be audited, and why.
    """
    every = [(label, name, LEFT_OUT) for label, name in classes]
    every += [(label, name, why) for label, (name, why) in refused.items()]
    return [
        _state(label, name, why, [case for case in cases if case.label == label], audit_seconds.get(label),
               test_seconds.get(label))
        for label, name, why in every
    ]  # fmt: skip


def states_table(states: Sequence[ClassState]) -> Table:
    """Make a table of all classes for a terminal of 80 columns; seconds are those of the audit and of the test.

    Classes whose artifact was measured have a row each, most harmful verdict first; of the others those with the same
    verdict for the same reason share one. What each one lacks is in the CSV file and in the report.
    """
    table = Table(
        title="Every class", title_justify="left", box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0),
        caption=states_sentence(states), caption_justify="left", caption_style="",
    )  # fmt: skip
    table.add_column("class", max_width=24)
    table.add_column("verdict", no_wrap=True)
    table.add_column("because", ratio=1)
    for heading in ("audit", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for same in _alike(states):
        seconds = [_seconds(_total(getattr(one, name) for one in same)) for name in ("audit_seconds", "test_seconds")]
        verdict = Text(same[0].state, STYLES.get(same[0].state, ""))
        table.add_row(Text(_named(same), "bold"), verdict, Text(_brief(same[0])), *seconds)
    return table


def _alike(states: Sequence[ClassState]) -> list[list[ClassState]]:
    """Classes that a table says the same of, in the order of their verdicts."""
    rows: dict[tuple[str, ...], list[ClassState]] = {}
    for one in sorted(states, key=lambda state: (STATES.index(state.state), not state.effect)):
        rows.setdefault((one.state, _brief(one), one.name if one.effect else ""), []).append(one)
    return list(rows.values())


def _brief(state: ClassState) -> str:
    return NOTHING if state.reason == "not isolated" else state.because


def _named(states: Sequence[ClassState]) -> str:
    return listed([shorten(one.name, 28) for one in states], NAMED)


def _total(seconds: Iterable[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) if known else None


def states_sentence(states: Sequence[ClassState]) -> str:
    """Say how many classes came to which verdict, such as "Of 10 classes 1 is proven, 8 are open, 1 is not used."."""
    counts = {state: sum(one.state == state for one in states) for state in STATES}
    said = ", ".join(f"{n} {'is' if n == 1 else 'are'} {state}" for state, n in counts.items() if n)
    return f"Of {len(states)} {'class' if len(states) == 1 else 'classes'} {said}." if states else ""


def state_rows(states: Sequence[ClassState]) -> list[tuple[Any, ...]]:
    """Return every class as a row of `STATE_COLUMNS` in plain values."""
    return [astuple(one) for one in states]


def write_states(path: str | os.PathLike[str], states: Sequence[ClassState]) -> None:
    """Write all classes as CSV, whole or not at all."""
    write_csv(path, STATE_COLUMNS, state_rows(states))


def states_part(states: Sequence[ClassState]) -> str:
    """Return the table as HTML for the report's first page; "" without classes."""
    if not states:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Class", "Verdict", "Because", "Audit", "Test"))
    opened = " open" if len(states) <= OPENED else ""
    return (
        f'<details class="states"{opened}><summary>{escape(states_sentence(states))}</summary>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(_html_rows(states))}</tbody></table></details>"
    )


def _html_rows(states: Sequence[ClassState]) -> Iterator[str]:
    for one in states:
        badge = f'<span class="badge{" proven" if one.state == "proven" else ""}">{escape(one.state)}</span>'
        seconds = "".join(f"<td>{_seconds(value)}</td>" for value in (one.audit_seconds, one.test_seconds))
        name = f'<a href="#class-{one.label}">{escape(one.name)}</a>'
        yield f'<tr><th scope="row">{name}</th><td>{badge}</td><td>{escape(one.because)}</td>{seconds}</tr>'


def _state(
    label: int, name: str, why: str, cases: Sequence[Case], audited: float | None, tested: float | None
) -> ClassState:
    if not cases:
        return ClassState(label, name, "not tested", missing=why, audit_seconds=audited)
    case = leading(cases)
    missing = case.left if case.proof or reason_of(case) == "features only" else trouble_said(case)
    return ClassState(
        label=label,
        name=name,
        state=state_of(case),
        reason=reason_of(case) or "",
        effect=f"{change_said(case)}." if change_said(case) else "",
        missing=" ".join(filter(None, (missing, missing_of(case)))),
        tests=sum(one.proof is not None for one in cases),
        audit_seconds=audited,
        test_seconds=tested,
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
