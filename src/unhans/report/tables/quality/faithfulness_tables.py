"""Faithfulness of heatmaps: tables of methods, curves, images, classes and randomised layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Column, Table

from unhans.faithfulness import MEASURES, MethodMeasures, MethodSummary, RandomizedStep, estimate_mean
from unhans.report.tables.terminal_table import Rows, terminal_table, two_lines
from unhans.report.text import percent, range_written
from unhans.report.text.quality import FAITHFULNESS_READING, MEASURE_HEADINGS, ORDER_NAMES, estimate_said
from unhans.stats import Estimate

DIGITS = {"png_bytes": 0, "entropy": 2}  # after the point; three where nothing is said
FIRST = {"morf": "most relevant", "lerf": "least relevant"}
SHORT = {"morf": "AOPC", "lerf": "AOPC, least first"}


def _ends(one: Estimate) -> tuple[float | None, ...]:
    return tuple(value if math.isfinite(value) else None for value in (one.mean, *one.interval))


def faithfulness_headings(first: MethodSummary) -> list[str]:
    """Return the headings of the numbers that `faithfulness_cells` gives."""
    per_order = [[SHORT[order], f"minus random{'' if order == 'morf' else ', least first'}"] for order in first.aopc]
    return [*(name for pair in per_order for name in pair), "ahead of it", "changed"]


def faithfulness_cells(one: MethodSummary, first: bool) -> list[tuple[str, str]]:
    """Return numbers and intervals of a method as text; the first is not held against itself."""
    per_order = [[estimate_said(one.aopc[order]), estimate_said(one.minus_random[order])] for order in one.aopc]
    share = _share(next(iter(one.changed.values())))
    return [*(cell for pair in per_order for cell in pair), ("–", "") if first else estimate_said(one.ahead), share]


def _share(one: Estimate) -> tuple[str, str]:
    return percent(one.mean, 0), range_written(one.interval, lambda end: percent(end, 0))


def measure_cells(one: MethodSummary) -> list[tuple[str, str]]:
    """Return the measures of a method's maps as text, in the order of `MEASURE_HEADINGS`."""
    return [_plain(one.measures[name], DIGITS.get(name, 3)) for name in MEASURE_HEADINGS]


def _plain(one: Estimate, digits: int) -> tuple[str, str]:
    if math.isnan(one.mean):
        return "–", ""
    return f"{one.mean:,.{digits}f}".replace("-", "−"), range_written(one.interval, lambda end: f"{end:,.{digits}f}")


def faithfulness_table(summaries: Sequence[MethodSummary]) -> Table:
    """Make a table of methods and orders for a terminal of 80 columns: number above interval."""
    title, numbers = "What the network loses with what heatmaps call relevant", ("AOPC", "minus random", "changed")
    several = len(summaries[0].aopc) > 1
    words = [Column("method", overflow="fold", max_width=30), *([Column("first", no_wrap=True)] if several else [])]
    table = terminal_table(title, words, numbers, FAITHFULNESS_READING)
    for one in summaries:
        for order, aopc in one.aopc.items():
            cells = estimate_said(aopc), estimate_said(one.minus_random[order]), _share(one.changed[order])
            said = [escape(one.name), *([FIRST[order]] if several else [])]
            table.add_row(*said, *(two_lines(*cell) for cell in cells))
    return table


def method_rows(summaries: Sequence[MethodSummary]) -> Rows:
    """Return a row for every method with all means and intervals."""
    names = [*(f"{what}_{order}" for order in summaries[0].aopc for what in ("aopc", "minus_random", "changed"))]
    columns = [*names, "ahead_of_it", *MEASURES]
    rows = []
    for one in summaries:
        found = [getattr(one, what)[order] for order in one.aopc for what in ("aopc", "minus_random", "changed")]
        found += [one.ahead, *(one.measures[name] for name in MEASURES)]
        rows.append((one.name, one.n, *(value for each in found for value in _ends(each))))
    return Rows(("method", "n", *(f"{name}{end}" for name in columns for end in ("", "_low", "_high"))), rows)


def curve_rows(summaries: Sequence[MethodSummary]) -> Rows:
    """Return a row for every method, order and number of steps."""
    rows = [
        (one.name, ORDER_NAMES[order], step, *(float(each[step]) for each in (curve.mean, curve.low, curve.high)),
         float(one.changed_by_step[order][step]), float(one.first_changed[order][step]))
        for one in summaries for order, curve in one.curves.items() for step in range(len(curve.mean))
    ]  # fmt: skip
    return Rows(("method", "order", "steps", "minus_random", "low", "high", "changed", "first_changed"), rows)


def image_rows(
    methods: Mapping[str, MethodMeasures], random: MethodMeasures, labels: NDArray[np.int64], classes: Sequence[str],
    paths: Sequence[str],
) -> Rows:  # fmt: skip
    """Return a row for every image and method: its AOPC, in random order as well, and what was measured of its map.

    Args:
        methods: by name, of the same images.
        random: random order, of these images.
        labels: of the images (n,).
        classes: the name of every class.
        paths: of the data set's images.
    """
    rows = []
    by_chance = random.curves["random"].aopc
    for name, one in methods.items():
        numbers = [curve.aopc for curve in one.curves.values()] + [by_chance]
        numbers += [curve.changed_of_each for curve in one.curves.values()] + [one.values[key] for key in MEASURES]
        start = next(iter(one.curves.values())).scores[:, 0, 0]
        for i, index in enumerate(one.index.tolist()):
            said = (paths[index], index, classes[labels[i]], classes[one.targets[i]], name, float(start[i]))
            rows.append((*said, *(None if np.isnan(each[i]) else float(each[i]) for each in numbers)))
    orders = list(next(iter(methods.values())).curves)
    columns = ["path", "index", "class", "target", "method", "score", *(f"aopc_{order}" for order in orders)]
    return Rows([*columns, "aopc_random", *(f"changed_{order}" for order in orders), *MEASURES], rows)


def class_summaries(
    methods: Mapping[str, MethodMeasures], random: MethodMeasures, labels: NDArray[np.int64], possible: float
) -> dict[tuple[int, str], Estimate]:
    """Return by label and method AOPC minus random of the first order, over the images of the class."""
    found = {}
    for label in np.unique(labels).tolist():
        for name, one in methods.items():
            curve = next(iter(one.curves.values()))
            own = (curve.aopc - random.curves["random"].aopc)[labels == label]
            found[label, name] = estimate_mean(own, 0, possible)
    return found


def class_rows(
    found: Mapping[tuple[int, str], Estimate],
    classes: Sequence[str],
    methods: Mapping[str, MethodMeasures],
    labels: NDArray[np.int64],
) -> Rows:
    """Return a row for every class and method: AOPC minus random, and the means of what was measured of its maps.

    Args:
        found: as `class_summaries` returns it.
        classes: the name of every class.
        methods: by name, of the same images.
        labels: of the images (n,).
    """
    rows = []
    for (label, name), one in found.items():
        own = [estimate_mean(methods[name].values[key][labels == label]) for key in MEASURES]
        rows.append((classes[label], name, one.n, *_ends(one), *(end for each in own for end in _ends(each))))
    measures = [f"{key}{end}" for key in MEASURES for end in ("", "_low", "_high")]
    return Rows(("class", "method", "n", "minus_random", "low", "high", *measures), rows)


def sanity_rows(checks: Mapping[str, Sequence[RandomizedStep]]) -> Rows:
    """Return a row for every method and randomised layer; n: images whose maps have a rank correlation."""
    rows = [
        (name, place + 1, step.layer, *_ends(estimate_mean(step.absolute)), *_ends(estimate_mean(step.signed)),
         estimate_mean(step.absolute).n, len(step.absolute))
        for name, steps in checks.items() for place, step in enumerate(steps)
    ]  # fmt: skip
    ends = [f"{kind}{end}" for kind in ("absolute", "signed") for end in ("", "_low", "_high")]
    return Rows(("method", "place", "random_down_to", *ends, "n", "images"), rows)


def label_rows(checks: Mapping[str, Sequence[RandomizedStep]]) -> Rows:
    """Return a row for every method and network that its heatmaps were held against; n as for `sanity_rows`."""
    rows = [
        (name, step.layer, *_ends(estimate_mean(step.absolute)), *_ends(estimate_mean(step.signed)),
         estimate_mean(step.absolute).n, len(step.absolute))
        for name, steps in checks.items() for step in steps
    ]  # fmt: skip
    ends = [f"{kind}{end}" for kind in ("absolute", "signed") for end in ("", "_low", "_high")]
    return Rows(("method", "network", *ends, "n", "images"), rows)
