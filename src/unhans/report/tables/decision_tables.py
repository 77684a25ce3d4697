"""What a training run decided about its own artifacts, and on what evidence: lines, rows, JSON, a section of HTML."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from rich.text import Text

from unhans.repair import Decision
from unhans.report.text import PROBABILITY, plain
from unhans.store import replacing

DECISION_COLUMNS = (
    "epoch", "class", "decision", "because", "verdict", "reason", "score", "n", "delta_p", "delta_p_low",
    "delta_p_high", "q_value", "rate", "controls",
)  # fmt: skip
STYLES: dict[str, str] = {"acted": "bold red", "would act": "bold yellow", "measured again": "cyan"}


def decision_line(decision: Decision) -> str:
    """Say a decision in one line for the terminal."""
    return f"epoch {decision.epoch}: class {decision.name!r}: {decision.because}{_evidence(decision)}"


def decision_rows(decisions: Sequence[Decision]) -> list[list[Any]]:
    """Return every decision as a row of `DECISION_COLUMNS` in plain values."""
    return [
        [
            *(each.epoch, each.name, each.done, each.because, each.verdict, each.reason or None),
            *map(plain, (*_numbers(each), each.q_value, each.rate)),
            _controls(each),
        ]
        for each in decisions
    ]


def write_decisions(path: str | os.PathLike[str], settings: dict[str, Any], decisions: Sequence[Decision]) -> None:
    """Write the settings and all decisions as strict JSON, whole or not at all; what is not finite is null."""
    record = settings | {"decisions": [_strict(asdict(each)) for each in decisions]}
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def decisions_text(sentences: Sequence[str], decisions: Sequence[Decision]) -> Text:
    """Tell a whole run for a terminal: a sentence per artifact, then each time that something was done."""
    text = Text("What the training did about its artifacts\n", style="bold")
    for sentence in sentences:
        text.append(f"  {sentence}\n")
    for each in decisions:
        if each.done in ("acted", "would act"):
            text.append(f"  {decision_line(each)}\n", style=STYLES[each.done])
    return text


def decisions_part(decisions: Sequence[Decision], sentence: str = "") -> str:
    """Return all decisions about one class as HTML; sentence: what they come to. Every name is escaped."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("After epoch", "Decision", "n", "Δp", "Verdict", "Why"))
    return (
        f"<h3>What the training did about it</h3><p>{escape(sentence)}</p>"
        f'<table class="effects decisions"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(map(_html_row, decisions))}</tbody></table>"
    )


def with_decisions(section: str, part: str) -> str:
    """Return a case's section of the report with the decisions about its class at its end."""
    return f"{section.removesuffix('</section>')}{part}</section>"


def decisions_section(part: str, verdict: str, badge: str, sentence: str) -> str:
    """Return the section of a class that is acted on and has no case of its own any more.

    verdict: of the last measurement; badge: the same for people; sentence: what the decisions come to.
    """
    return (
        f'<section class="case" data-verdict="{escape(verdict)}" data-badge="{escape(badge)}" '
        f'data-headline="{escape(sentence)}" aria-label="What the training did">{part}</section>'
    )


def _evidence(decision: Decision) -> str:
    return f" ({_change(decision)}, n {decision.n})" if decision.n is not None else ""


def _change(decision: Decision) -> str:
    if decision.delta_p is None:
        return "–"
    low, high = (PROBABILITY.written(end) for end in (decision.delta_p_low, decision.delta_p_high))  # type: ignore[arg-type]
    return f"Δp {PROBABILITY.written(decision.delta_p)} [{low}, {high}]"


def _numbers(decision: Decision) -> tuple[float | None, ...]:
    return decision.score, decision.n, decision.delta_p, decision.delta_p_low, decision.delta_p_high


def _controls(decision: Decision) -> str:
    return "; ".join(
        f"{each.name} {PROBABILITY.written(each.delta_p)}, artifact more by {PROBABILITY.written(each.more)} "
        f"[{PROBABILITY.written(each.low)}, {PROBABILITY.written(each.high)}], n {each.n}"
        for each in decision.controls
    )


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(each) for key, each in value.items()}
    return [_strict(each) for each in value] if isinstance(value, list | tuple) else plain(value)


def _html_row(decision: Decision) -> str:
    verdict = f"{decision.verdict}: {decision.reason}" if decision.reason else decision.verdict
    cells = (decision.done, decision.n or "–", _change(decision), verdict, decision.because)
    marked = ' class="marked"' if decision.done in ("acted", "would act") else ""
    short = "".join(f'<td style="white-space:nowrap">{escape(str(cell))}</td>' for cell in cells[:-1])
    first = f'<th scope="row" style="width:auto;min-width:0">{decision.epoch}</th>'
    return f"<tr{marked}>{first}{short}<td>{escape(cells[-1])}</td></tr>"
