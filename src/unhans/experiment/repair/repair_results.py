"""What is said about all repairs together: tables, files, figures, numbers, and what loggers get."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from pytorch_lightning.loggers import Logger

from unhans.experiment.run import CONSOLE, Subject
from unhans.experiment.sweep import summarise
from unhans.harness import Affected
from unhans.repair import Assessment, Outcome, OutcomeLike
from unhans.report.figures import Pair, evolution_pair_figure, relevance_figure, repair_figure, trade_off_figure
from unhans.report.files import evolution_pairs, load_evolution
from unhans.report.html import write_repair_report
from unhans.report.loggers import Pictures, log_once
from unhans.report.tables import (
    REPAIR_COLUMNS,
    RUN_COLUMNS,
    TABLE_TWO_COLUMNS,
    has_table_two,
    repair_rows,
    repair_scalars,
    repair_table,
    run_rows,
    table_two,
    table_two_rows,
    write_repair_runs,
    write_repairs,
    write_table_two,
)
from unhans.report.text import Named
from unhans.store import replacing, write_figure

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger


def log_repairs(
    loggers: Sequence[Logger], outcomes: Sequence[OutcomeLike], figures: Mapping[str, Pictures] | None = None
) -> None:
    """Send the comparison of repairs to every logger at once: means over seeds, tables, and figures by key.

    Scalars are `repair/<method>/<number>`; tables `repair/methods`, `repair/runs` and, where both its rows are there,
    `repair/table_two`. Raises ValueError where there is no outcome.
    """
    tables = {
        "repair/methods": (REPAIR_COLUMNS, repair_rows(outcomes)),
        "repair/runs": (RUN_COLUMNS, run_rows(outcomes)),
    }
    if has_table_two(outcomes):
        tables["repair/table_two"] = (TABLE_TWO_COLUMNS, table_two_rows(outcomes))
    log_once(loggers, repair_scalars(outcomes), figures, tables)


TITLE = "Un-Hans: repairs compared"
MEASURES: dict[str, Callable[[Assessment], float | None]] = {
    "clean": lambda one: one.clean.share,
    "added": lambda one: one.added.share,
    "removed": lambda one: None if one.removed is None else one.removed.share,
    "worst": lambda one: one.worst[1].share,
    "effect": lambda one: one.effect.probability,
    "relevance": lambda one: None if one.relevance is None else one.relevance.mean,
}


def numbers_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the means over seeds that a sweep may optimise, such as "augmented/added" and "p_clarc/effect"."""
    numbers = {}
    for method in dict.fromkeys(one.method for one in outcomes):
        runs = [one for one in outcomes if one.method == method]
        for name, measure in MEASURES.items():
            values = [measure(one.assessment) for one in runs]
            if None not in values:
                numbers[f"{method}/{name}"] = fmean(values)  # type: ignore[type-var]
        numbers[f"{method}/seconds"] = fmean(one.seconds for one in runs)
    return numbers


def conclude(subject: Subject, affected: Affected, outcomes: Sequence[Outcome], logger: Logger | None) -> None:
    """Print the tables; write them, the figures, results.json and report.html; log all of it once."""
    named = Named(affected.name, repr(affected.class_name))
    subtitle = _subtitle(subject, affected)
    _print(outcomes, named)
    _write_tables(subject.out, outcomes)
    pairs = _pairs(outcomes)
    figures = _write_figures(subject.out, outcomes, subtitle.split("; ")[0], pairs)  # a figure has room for no more
    tables = {path.name: path for path in sorted(subject.out.glob("repair*.csv"))}
    write_repair_report(
        subject.out / "report.html", outcomes, TITLE, subtitle, named=named, pairs=pairs, downloads=tables
    )
    if logger:
        log_repairs([logger], outcomes, figures)
        summarise(logger, numbers_of(outcomes))


def _subtitle(subject: Subject, affected: Affected) -> str:
    data = subject.data
    return (
        f"{affected.said}; {type(subject.network).__name__}, "
        f"{len(data.train_set):,} training and {len(data.val_set):,} validation images of {data.num_classes} classes; "
        f"heatmaps: {subject.attribution.description}"
    )


def _print(outcomes: Sequence[Outcome], named: Named) -> None:
    if has_table_two(outcomes):
        CONSOLE.print(table_two(outcomes), soft_wrap=False)
    CONSOLE.print(repair_table(outcomes, named), soft_wrap=False)


def _write_tables(out: Path, outcomes: Sequence[Outcome]) -> None:
    write_repairs(out / "repair.csv", outcomes)
    write_repair_runs(out / "repair_runs.csv", outcomes)
    if has_table_two(outcomes):
        write_table_two(out / "repair_table_two.csv", outcomes)
    with replacing(out / "results.json") as part:
        part.write_text(json.dumps(numbers_of(outcomes), indent=2))


def _write_figures(out: Path, outcomes: Sequence[Outcome], subtitle: str, pairs: Sequence[Pair]) -> dict[str, Path]:
    """Write the figures that there is something for; return them by the key under which they are logged."""
    drawn = {"methods": repair_figure(outcomes, subtitle), "trade_off": trade_off_figure(outcomes, subtitle)}
    if any(point.relevance is not None for one in outcomes for point in one.curve):
        drawn["relevance"] = relevance_figure(outcomes, subtitle)
    if pairs:
        drawn["evolution"] = evolution_pair_figure(pairs, "Heatmaps while both networks are fine-tuned")
    for name, figure in drawn.items():
        write_figure(out / "figures" / f"{name}.png", figure)
    return {f"repair/figures/{name}": out / "figures" / f"{name}.png" for name in drawn}


def _pairs(outcomes: Sequence[Outcome]) -> list[Pair]:
    """Fixed samples under networks A and B of the first seed that both have."""
    files = {(one.method, one.seed): one.folder / "evolution.npz" for one in outcomes}
    for (method, seed), path in files.items():
        other = files.get(("augmented", seed))
        if method == "unaltered" and other is not None and path.is_file() and other.is_file():
            return evolution_pairs(load_evolution(path), load_evolution(other))
    return []
