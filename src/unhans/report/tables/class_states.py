"""What became of every class, tested or not, in one table: for the terminal, the report, a logger and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

from rich.table import Column, Table
from rich.text import Text

from unhans.effects import STATES, Case, leading, reason_of, state_of
from unhans.report.tables.effect_tables import STYLES
from unhans.report.tables.terminal_table import Rows, terminal_table
from unhans.report.text import change_said, failures_sentence, listed, missing_of, shorten, untested_sentence

LEFT_OUT = "Not among the classes that analysis.most allows."
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
    of_class = {label: [case for case in cases if case.label == label] for label, *_ in every}
    return [_state(*one, of_class[one[0]], audit_seconds.get(one[0]), test_seconds.get(one[0])) for one in every]


def states_table(states: Sequence[ClassState]) -> Table:
    """Make a table of all classes for a terminal of 80 columns; seconds are those of the audit and of the test.

    Classes whose artifact was measured have a row each, most harmful verdict first; of the others those with the same
    verdict for the same reason share one. What each one lacks is in the CSV file and in the report.
    """
    words = (Column("class", max_width=24), Column("verdict", no_wrap=True), Column("because", ratio=1))
    table = terminal_table("Every class", words, ("audit", "test"), states_sentence(states))
    for same in _alike(states):
        names = listed([shorten(one.name, 28) for one in same], NAMED)
        seconds = [[one.audit_seconds for one in same], [one.test_seconds for one in same]]
        verdict = Text(same[0].state, STYLES.get(same[0].state, ""))
        table.add_row(Text(names, "bold"), verdict, Text(_brief(same[0])), *map(_total, seconds))
    return table


def _alike(states: Sequence[ClassState]) -> list[list[ClassState]]:
    """Classes that a table says the same of, in the order of their verdicts."""
    rows: dict[tuple[str, ...], list[ClassState]] = {}
    for one in sorted(states, key=lambda state: (STATES.index(state.state), not state.effect)):
        rows.setdefault((one.state, _brief(one), one.name if one.effect else ""), []).append(one)
    return list(rows.values())


def _brief(state: ClassState) -> str:
    return NOTHING if state.reason == "not isolated" else state.because


def _total(seconds: Sequence[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    return seconds_said(sum(known) if known else None)


def states_sentence(states: Sequence[ClassState]) -> str:
    """Say how many classes came to which verdict, such as "Of 10 classes 1 is proven, 8 are open, 1 is not used."."""
    counts = {state: sum(one.state == state for one in states) for state in STATES}
    said = ", ".join(f"{n} {'is' if n == 1 else 'are'} {state}" for state, n in counts.items() if n)
    return f"Of {len(states)} {'class' if len(states) == 1 else 'classes'} {said}." if states else ""


def state_rows(states: Sequence[ClassState]) -> Rows:
    """Return a row for every class."""
    return Rows([field.name for field in fields(ClassState)], [astuple(one) for one in states])


def _state(
    label: int, name: str, why: str, cases: Sequence[Case], audited: float | None, tested: float | None
) -> ClassState:
    if not cases:
        return ClassState(label, name, "not tested", missing=why, audit_seconds=audited)
    case = leading(cases)
    known = case.proof or reason_of(case) == "features only"
    missing = untested_sentence(case.untested) if known else failures_sentence(case.failures)
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


def seconds_said(value: float | None) -> str:
    """Write seconds, such as "12.3 s"."""
    return "–" if value is None else f"{value:.1f} s"
