"""Context ratios: tables of models, classes, images, and of classes that are shown together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Column, Table

from unhans.faithfulness import ContextRatios, ContextState, ContextSummary, CoOccurrence
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import percent, range_written, shorten
from unhans.report.text.quality import CONTEXT_READING, STATE_HEADINGS, mu_range, mu_said
from unhans.stats import Estimate

MOST_PRINTED = 20  # classes
MOST_TOGETHER, NAME_TOGETHER = 6, 9  # classes, and letters of a name, that 80 columns have room for
CONTEXT_HEADINGS = ("images", "μ", "inside", "by chance", "accuracy")


def context_cells(one: ContextSummary) -> list[tuple[str, str]]:
    """Return the numbers and intervals of `CONTEXT_HEADINGS` as text."""
    count, ends = one.counts[ContextState.MEASURED], one.inside.interval
    share = (percent(one.inside.mean, 0), range_written(ends, _whole) if one.inside.n else "")
    median = (mu_said(one.median.value), mu_range(one.median.interval) if one.median.n else "")
    accuracy = (percent(one.accuracy.share, 0), range_written(one.accuracy.interval, _whole))
    infinite = one.counts[ContextState.NONE_INSIDE]
    return [
        (f"{count} of {one.n}", f"{infinite} with μ ∞" if infinite else ""),
        median,
        share,
        (percent(one.area, 0), ""),
        accuracy,
    ]


def _whole(share: float) -> str:
    return percent(share, 0)


def by_context(classes: Mapping[Any, ContextSummary]) -> list[Any]:
    """Return the keys of classes, those with most context first and those without a μ last."""
    return sorted(classes, key=lambda key: (not classes[key].median.n, -_or_zero(classes[key].median.value)))


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def context_table(model: str, whole: ContextSummary, classes: Mapping[str, ContextSummary]) -> Table:
    """Make a table of the classes for a terminal of 80 columns, those with most context first."""
    title = f"Context of {model}" if model else "Context"
    words = [Column("class", overflow="fold", max_width=24)]
    table = terminal_table(title, words, CONTEXT_HEADINGS, CONTEXT_READING)
    order = by_context(classes)
    for name in order[:MOST_PRINTED]:
        table.add_row(escape(name), *(two_lines(*cell) for cell in context_cells(classes[name])))
    if len(order) > MOST_PRINTED:
        table.add_row(f"{len(order) - MOST_PRINTED} more in classes.csv", *([""] * len(CONTEXT_HEADINGS)))
    if len(order) > 1:
        table.add_row("all", *(two_lines(*cell) for cell in context_cells(whole)))
    return table


def _numbers(one: ContextSummary) -> list[float | int | None]:
    median = (one.median.value, *one.median.interval)
    plain = [*median, *_ends(one.mean), *_ends(one.inside), *_ends(one.weighted), one.area]
    accuracy = [one.accuracy.share, *one.accuracy.interval]
    return [one.n, *one.counts.values(), *(each if math.isfinite(each) else None for each in (*plain, *accuracy))]


def _ends(one: Estimate) -> tuple[float, float, float]:
    return (one.mean, *one.interval) if one.n else (math.nan,) * 3


IMAGE_COLUMNS = (
    "model", "path", "index", "class", "predicted", "state", "mu", "inside", "weighted_inside", "object_area"
)  # fmt: skip
NAMES = ("median_log_mu", "mean_log_mu", "inside", "weighted_inside")
NUMBERS = (
    "n",
    *(state.name.lower() for state in ContextState),
    *(f"{name}{end}" for name in NAMES for end in ("", "_low", "_high")),
    "object_area",
    *(f"accuracy{end}" for end in ("", "_low", "_high")),
)


def context_rows(models: Mapping[str, ContextSummary]) -> Rows:
    """Return a row for every model."""
    return Rows(("model", *NUMBERS), [(name, *_numbers(one)) for name, one in models.items()])


def context_class_rows(models: Mapping[str, Mapping[str, ContextSummary]]) -> Rows:
    """Return a row for every model and class, those with most context first."""
    rows = [(name, each, *_numbers(classes[each])) for name, classes in models.items() for each in by_context(classes)]
    return Rows(("model", "class", *NUMBERS), rows)


def context_image_rows(models: Mapping[str, ContextRatios], names: Sequence[str], paths: Sequence[str]) -> Rows:
    """Return a row for every model and image, the highest μ first, infinite ones before all others.

    Args:
        models: what was measured; labels are places among the names.
        names: of the classes.
        paths: of the data set's images.
    """
    rows = []
    for name, found in models.items():
        for i in highest_first(found):
            measured = [found.mu[i], found.inside[i], found.weighted[i], found.area[i]]
            rows.append(
                (name, paths[found.index[i]], int(found.index[i]), names[found.labels[i]],
                 names[found.predicted[i]] if found.predicted[i] >= 0 else None,
                 STATE_HEADINGS[ContextState(int(found.state[i]))],
                 *(None if math.isnan(each) else "inf" if math.isinf(each) else float(each) for each in measured))
            )  # fmt: skip
    return Rows(IMAGE_COLUMNS, rows)


def highest_first(found: ContextRatios) -> list[int]:
    """Return the rows of images, the highest μ first; of infinite ones the largest objects first."""
    unknown = np.isnan(found.mu)
    return np.lexsort((-found.area, np.where(unknown, 0, -found.mu), unknown)).tolist()


def difference_rows(first: str, differences: Mapping[str, Estimate]) -> Rows:
    """Return a row for every other model: mean of ln μ minus that of the first, on the same images."""
    rows = [(name, first, one.n, *_ends(one)) for name, one in differences.items()]
    return Rows(("model", "minus", "n", "log_mu", "low", "high"), rows)


def co_occurrence_rows(found: CoOccurrence) -> Rows:
    """Return a row for every class: images, those that show it alone, and the percent that show each other class."""
    percents = 100 * found.shares
    rows = [
        (name, int(found.counts[i, i]), int(found.alone[i]), *(round(float(each), 1) for each in percents[i]))
        for i, name in enumerate(found.names)
    ]
    return Rows(("class", "images", "alone", *found.names), rows)


def co_occurrence_table(found: CoOccurrence, without: int) -> Table:
    """Make a table of the most frequent classes for a terminal of 80 columns.

    Args:
        found: classes that images show together.
        without: images that show no class, which are in none of the percentages.
    """
    count = min(MOST_TOGETHER, len(found.names))
    names = [escape(shorten(name, NAME_TOGETHER)) for name in found.names[:count]]
    told = ["Percent of the images with the row’s class that show the column’s as well."]
    told += [f"{without} images show no class."] * bool(without)
    if count < len(found.names):
        told.append(f"The {count} most frequent of {len(found.names)} classes; all are in co_occurrence.csv.")
    table = terminal_table("Classes shown together, training images", ["class"], ["images", *names], " ".join(told))
    for i, name in enumerate(names):
        cells = ("" if i == j else f"{100 * found.shares[i, j]:.0f}" for j in range(count))
        table.add_row(name, str(found.counts[i, i]), *cells)
    return table
