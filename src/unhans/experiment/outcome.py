"""What is said about all tested artifacts together: tables, files, numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from rich.markup import escape

from unhans.artifacts import Effect
from unhans.experiment.case_files import Tested
from unhans.experiment.console import CONSOLE
from unhans.report import case_record, case_rows, effect_tables, log_once, write_effects
from unhans.report.case_figures import FIGURES
from unhans.report.effect_tables import CASE_COLUMNS, EFFECT_COLUMNS, effect_rows
from unhans.report.measures import plain
from unhans.store import replacing


def conclude(out: Path, done: Sequence[Tested], samples: int, logger: Logger | None = None) -> None:
    """Print the tables and write effects.csv and effects.json; log them with the figures.

    samples: of other classes, as many as were asked for.
    """
    cases = [one.case for one in done]
    for table in effect_tables(cases, [one.truth.sentence if one.truth else "" for one in done]):
        CONSOLE.print(table)
    if sentence := _fewer(done, samples):
        CONSOLE.print(escape(sentence))
    write_effects(out / "effects.csv", cases)
    text = json.dumps([_record(one) for one in done], indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(out / "effects.json") as part:
        part.write_text(f"{text}\n", encoding="utf-8")
    if logger and done:
        _log(logger, done)


def sections(done: Sequence[Tested]) -> dict[int, str]:
    """Return what the report says about the artifacts of every class, by label."""
    found: dict[int, str] = {}
    for one in done:
        found[one.case.label] = found.get(one.case.label, "") + one.section
    return found


def numbers_of(done: Sequence[Tested]) -> dict[str, float]:
    """Return what a sweep may optimise: how many cases there are, how many are proven, and each class's effect."""
    numbers = {"cases": float(len(done)), "proven": float(sum(one.case.proven for one in done))}
    for one in reversed(done):  # the most striking cluster of a class is the one that stays
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
        f"There are {min(used)} validation samples of other classes for {used[min(used)]!r}, fewer than the {samples} "
        "asked for (analysis.samples): all were used."
    )


def _numbers(prefix: str, effect: Effect) -> dict[str, float]:
    low, high = effect.probability_interval
    numbers = {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high, "flipped": effect.share}
    numbers |= {"delta_rank": effect.rank, "delta_logit": effect.logit}
    return {f"{prefix}/{name}": value for name, value in numbers.items()}


def _record(one: Tested) -> dict[str, Any]:
    truth = None if one.truth is None else {name: _plain(value) for name, value in asdict(one.truth).items()}
    said = None if one.truth is None else one.truth.sentence
    return case_record(one.case) | {"planted": None if truth is None else truth | {"sentence": said}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else plain(value)


def _log(logger: Logger, done: Sequence[Tested]) -> None:
    """Send the numbers, both tables and the figures of every case."""
    cases = [one.case for one in done]
    pictures = [[one.pictures.get(name) for name in ("layer", "examples")] for one in done]
    figures: dict[str, list[Path]] = {}
    for one in done:
        paths = [one.pictures[name] for name in FIGURES if name in one.pictures]
        figures.setdefault(f"effect/{one.case.name}", []).extend(paths)
    tables = {
        "effect/cases": ((*CASE_COLUMNS, "layer picture", "examples"), case_rows(cases, pictures)),
        "effect/trials": (EFFECT_COLUMNS, effect_rows(cases)),
    }
    log_once([logger], numbers_of(done), {key: paths for key, paths in figures.items() if paths}, tables)
