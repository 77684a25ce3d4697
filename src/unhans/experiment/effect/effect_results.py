"""What is said about all tested artifacts together: tables, files, numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.effects import Effect, decide
from unhans.experiment.cases import Tested, save_verdict
from unhans.experiment.run import CONSOLE
from unhans.experiment.survey import Finding
from unhans.report.files import FIGURES, case_record
from unhans.report.loggers import log_once
from unhans.report.tables import (
    CASE_COLUMNS,
    EFFECT_COLUMNS,
    STATE_COLUMNS,
    ClassState,
    case_rows,
    class_states,
    effect_rows,
    effect_tables,
    state_rows,
    states_table,
    write_effects,
    write_states,
)
from unhans.report.text import plain, truth_sentence
from unhans.spray import Suspicion
from unhans.store import replacing

MOST_SHOWN = 10  # cases whose trials and grounds go to the terminal; of more only the proven ones


def settled(done: Sequence[Tested], suspicions: Mapping[int, Suspicion]) -> list[Tested]:
    """Return all cases with the verdicts that hold among all of them, which their files say from now on.

    suspicions: by label, of the classes scored against each other.
    """
    cases = [replace(one.case, suspicion=suspicions.get(one.case.label, one.case.suspicion)) for one in done]
    return [save_verdict(one, case) for one, case in zip(done, decide(cases), strict=True)]


def states_of(ranking: Sequence[Suspicion], done: Sequence[Tested], findings: Sequence[Finding]) -> list[ClassState]:
    """Return what became of every class; without a ranking, of those that were tested."""
    cases = [one.case for one in done]
    return class_states(
        list(dict.fromkeys((entry.label, entry.name) for entry in (ranking or cases))),
        cases,
        {one.label: one.seconds for one in findings},
        {one.case.label: one.seconds for one in done},
        {one.label: (one.name, one.refused) for one in findings if one.refused},
    )


def conclude(
    out: Path, done: Sequence[Tested], states: Sequence[ClassState], samples: int, logger: Logger | None = None
) -> None:
    """Print the tables and write effects.csv, effects.json and classes.csv; log them with the figures.

    samples: of other classes, as many as were asked for.
    """
    cases = [one.case for one in done]
    shown = [one for one in done if len(done) <= MOST_SHOWN or one.case.proven]
    said = [truth_sentence(one.truth) if one.truth else "" for one in shown]
    for table in effect_tables([one.case for one in shown], said):
        CONSOLE.print(table)
    CONSOLE.print(states_table(states))
    if sentence := _fewer(done, samples):
        CONSOLE.print(escape(sentence))
    write_states(out / "classes.csv", states)
    write_effects(out / "effects.csv", cases)
    text = json.dumps([_record(one) for one in done], indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(out / "effects.json") as part:
        part.write_text(f"{text}\n", encoding="utf-8")
    if logger and states:
        _log(logger, done, states)


def sections(done: Sequence[Tested]) -> dict[int, str]:
    """Return what the report says about the artifacts of every class, by label."""
    found: dict[int, str] = {}
    for one in sorted(done, key=lambda each: not each.case.proven):  # the first of a class is what the page says of it
        found[one.case.label] = found.get(one.case.label, "") + one.section
    return found


def numbers_of(done: Sequence[Tested]) -> dict[str, float]:
    """Return what a sweep may optimise: how many cases there are, how many are proven, and each class's effect."""
    numbers = {"cases": float(len(done)), "proven": float(sum(one.case.proven for one in done))}
    first = sorted(done, key=lambda each: not each.case.proven)
    for one in reversed(first):  # of a class what is proven, or does most, stays
        if one.case.proof is not None:
            numbers |= _numbers(f"effect/{one.case.name}", one.case.proof.added[0].effect)
            numbers[f"effect/{one.case.name}/proven"] = float(one.case.proven)
    return numbers


def _fewer(done: Sequence[Tested], samples: int) -> str:
    """Say where an artifact was pasted on fewer samples than were asked for."""
    used = {one.case.proof.added[0].effect.n: one.case.name for one in done if one.case.proof is not None}
    if not used or min(used) >= samples:
        return ""
    return (
        f"There are {min(used)} samples of other classes for {used[min(used)]!r}, fewer than the {samples} "
        "asked for (analysis.samples): all were used."
    )


def _numbers(prefix: str, effect: Effect) -> dict[str, float]:
    low, high = effect.probability_interval
    numbers = {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high, "flipped": effect.share}
    numbers |= {"delta_rank": effect.rank, "delta_logit": effect.logit}
    return {f"{prefix}/{name}": value for name, value in numbers.items()}


def _record(one: Tested) -> dict[str, Any]:
    truth = None if one.truth is None else {name: _plain(value) for name, value in asdict(one.truth).items()}
    said = None if one.truth is None else truth_sentence(one.truth)
    return case_record(one.case) | {"planted": None if truth is None else truth | {"sentence": said}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else plain(value)


def _log(logger: Logger, done: Sequence[Tested], states: Sequence[ClassState]) -> None:
    """Send the numbers, the tables and the figures of every case."""
    cases = [one.case for one in done]
    pictures = [[one.pictures.get(name) for name in ("layer", "examples")] for one in done]
    figures: dict[str, list[Path]] = {}
    for one in done:
        paths = [one.pictures[name] for name in FIGURES if name in one.pictures]
        figures.setdefault(f"effect/{one.case.name}", []).extend(paths)
    tables = {
        "effect/cases": ((*CASE_COLUMNS, "layer picture", "examples"), case_rows(cases, pictures)),
        "effect/trials": (EFFECT_COLUMNS, effect_rows(cases)),
        "effect/classes": (STATE_COLUMNS, state_rows(states)),
    }
    log_once([logger], numbers_of(done), {key: paths for key, paths in figures.items() if paths}, tables)
