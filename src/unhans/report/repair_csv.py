"""Repairs for scripts and loggers: a row per method, a row per method and seed, and what is logged."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from unhans.report.measures import plain
from unhans.report.repair_rows import Summary, summaries
from unhans.report.repaired import OutcomeLike, by_method
from unhans.store.files import write_csv

if TYPE_CHECKING:
    from unhans.artifacts.area import Area
    from unhans.artifacts.assessment import Rate
    from unhans.artifacts.estimate import Estimate
    from unhans.artifacts.interval import Interval

Row = tuple[Any, ...]

MEASURED = ("clean", "added", "removed", "worst", "effect", "relevance", "area", "kept")  # fields of a summary
HEADINGS = {
    "clean": "accuracy_clean",
    "added": "accuracy_added",
    "removed": "accuracy_removed",
    "worst": "accuracy_worst_group",
    "effect": "delta_p",
    "relevance": "relevance_in_mask",
    "area": "auc_clean",
    "kept": "change_of_accuracy_clean",
}
ENDS = ("", "_low", "_high")
REPAIR_COLUMNS = (
    "method", "seeds",
    *(f"{HEADINGS[field]}{end}" for field in MEASURED for end in (*ENDS, "_n", "_interval_of")),
    "worst_group", "worst_group_artifact_added", *(f"delta_p_reduced{end}" for end in ENDS), "seconds", "notes",
)  # fmt: skip
RUN_COLUMNS = (
    "method", "seed",
    *(f"{HEADINGS[field]}{end}" for field in MEASURED[:-1] for end in (*ENDS, "_n")),
    "worst_group", "worst_group_artifact_added", "seconds", "note", "folder",
)  # fmt: skip


def repair_rows(outcomes: Iterable[OutcomeLike]) -> list[Row]:
    """Return every method, over its seeds, as a row of `REPAIR_COLUMNS` in plain values; None where nothing is known.

    Shares are in [0, 1]. `_interval_of` says what an interval is over: seeds and samples or, of one seed, samples.
    """
    return [_summary_row(summary) for summary in summaries(outcomes)]


def run_rows(outcomes: Iterable[OutcomeLike]) -> list[Row]:
    """Return every method and seed as a row of `RUN_COLUMNS`; intervals are over samples."""
    return [_run_row(run) for runs in by_method(outcomes).values() for run in runs]


def write_repairs(path: str | os.PathLike[str], outcomes: Iterable[OutcomeLike]) -> None:
    """Write a row per method as CSV, whole or not at all."""
    write_csv(path, REPAIR_COLUMNS, repair_rows(outcomes))


def write_repair_runs(path: str | os.PathLike[str], outcomes: Iterable[OutcomeLike]) -> None:
    """Write a row per method and seed as CSV, whole or not at all."""
    write_csv(path, RUN_COLUMNS, run_rows(outcomes))


def repair_scalars(outcomes: Iterable[OutcomeLike]) -> dict[str, float]:
    """Return the means over seeds by key, such as `repair/p_clarc/delta_p`, as loggers take them."""
    found = {}
    for summary in summaries(outcomes):
        values = {HEADINGS[field]: getattr(summary, field) for field in MEASURED}
        numbers = {key: value.mean for key, value in values.items() if value is not None}
        reduced = {} if summary.reduced is None else {"delta_p_reduced": summary.reduced[0]}
        for key, value in {**numbers, **reduced, "seconds": summary.seconds}.items():
            found[f"repair/{summary.method}/{key}"] = value
    return found


def _summary_row(summary: Summary) -> Row:
    cells = [cell for field in MEASURED for cell in _estimate(getattr(summary, field))]
    reduced = (None,) * 3 if summary.reduced is None else (summary.reduced[0], *summary.reduced[1])
    tail = (*summary.group, *reduced, summary.seconds, "; ".join(summary.notes))
    return tuple(plain(cell) for cell in (summary.method, summary.seeds, *cells, *tail))


def _estimate(value: Estimate | None) -> Row:
    return (None,) * 5 if value is None else (value.mean, *value.interval, value.n, value.of)


def _run_row(run: OutcomeLike) -> Row:
    found = run.assessment
    group, worst = found.worst
    effect, share = found.effect, found.relevance
    cells = (
        *_rate(found.clean), *_rate(found.added), *_rate(found.removed), *_rate(worst),
        *_four(effect.probability, effect.probability_interval, effect.n),
        *((None,) * 4 if share is None else _four(share.mean, share.interval, share.n)), *_area(found.area),
    )  # fmt: skip
    return tuple(plain(cell) for cell in (run.method, run.seed, *cells, *group, run.seconds, run.note, str(run.folder)))


def _rate(rate: Rate | None) -> Row:
    return (None,) * 4 if rate is None else _four(rate.share, rate.interval, rate.n)


def _area(area: Area | None) -> Row:
    return (None,) * 4 if area is None else _four(area.value, area.interval, area.positives + area.negatives)


def _four(value: float, interval: Interval, n: int) -> Row:
    return (value, *interval, n)
