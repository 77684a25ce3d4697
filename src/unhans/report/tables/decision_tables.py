"""What a training run decided about its own artifacts, and on what evidence: lines, rows, JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from unhans.repair import Decision
from unhans.report.tables.terminal_table import Rows
from unhans.report.text import PROBABILITY, UNKNOWN, decision_change, decision_line, decision_reason, plain
from unhans.store import export_json

DECISION_COLUMNS = (
    "epoch", "class", "decision", "because", "verdict", "reason", "score", "n", "delta_p", "delta_p_low",
    "delta_p_high", "q_value", "rate", "controls",
)  # fmt: skip
STYLES: dict[str, str] = {"acted": "bold red", "would act": "bold yellow", "measured again": "cyan"}


def decision_rows(decisions: Sequence[Decision]) -> Rows:
    """Return a row for every decision."""
    return Rows(DECISION_COLUMNS, [tuple(map(plain, _cells(each))) for each in decisions])


def write_decisions(path: str | os.PathLike[str], settings: dict[str, Any], decisions: Sequence[Decision]) -> None:
    """Write the settings and all decisions as strict JSON, whole or not at all; what is not finite is null."""
    export_json(path, settings | {"decisions": decisions})


def decisions_text(sentences: Sequence[str], decisions: Sequence[Decision]) -> Text:
    """Tell a whole run for a terminal: a sentence per artifact, then each time that something was done."""
    text = Text("What the training did about its artifacts\n", style="bold")
    for sentence in sentences:
        text.append(f"  {sentence}\n")
    for each in decisions:
        if each.done in ("acted", "would act"):
            text.append(f"  {decision_line(each)}\n", style=STYLES[each.done])
    return text


def decision_cells(decision: Decision) -> tuple[str, ...]:
    """Return what a table says of a decision: what was decided, samples, Δp with its interval, the verdict, and why."""
    verdict = f"{decision.verdict}: {decision.reason}" if decision.reason else decision.verdict
    change, reason = decision_change(decision), decision_reason(decision)
    return decision.done, str(decision.n or UNKNOWN), change, verdict, reason


def _cells(one: Decision) -> tuple[Any, ...]:
    """The cells of a row, in the order of `DECISION_COLUMNS`."""
    numbers = one.score, one.n, one.delta_p, one.delta_p_low, one.delta_p_high, one.q_value, one.rate
    reason = decision_reason(one), one.verdict, one.reason or None
    return one.epoch, one.name, one.done, *reason, *numbers, _controls(one)


def _controls(decision: Decision) -> str:
    return "; ".join(
        f"{each.name} {PROBABILITY.written(each.delta_p)}, artifact more by "
        f"{PROBABILITY.with_interval(each.more, (each.low, each.high))}, n {each.n}"
        for each in decision.controls
    )
