"""Several models on the same images: matrices of disagreement, classes beside seed twins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D

from unhans.comparison import ModelComparison, PairDisagreement, Reasons
from unhans.report.figures import (
    ALARM,
    AMBER,
    BLUE,
    GREEN,
    INK,
    REST,
    TEXT,
    VIOLET,
    add_key,
    chart,
    dot,
    name_rows,
    tidy,
)
from unhans.report.text import shorten
from unhans.report.text.models import MEASURE_NAMES, comparison_headline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.62  # inches of a cell of a matrix
MOST_CLASSES = 40  # rows of a figure
PENS = (BLUE, ALARM, GREEN, AMBER, VIOLET, INK)  # of pairs and models, in turn


def matrix_figure(found: ModelComparison, subtitle: str = "") -> Figure:
    """Draw for every measure a matrix of models × models: the median disagreement over all images.

    Values within the range of seed twins are grey, those beyond it red; without twins none is red.
    """
    measures = list(dict.fromkeys(one.measure for one in found.pairs))
    side = max(1.6, CELL * len(found.models))
    columns = min(3, len(measures))
    rows = -(-len(measures) // columns)
    width = (side + 1.3) * columns + 0.4
    note = "0: no disagreement. Red: beyond what seed twins disagree about images; bold: twins."
    figure, surface = chart(max(width, 6.5), (side + 0.75) * rows, comparison_headline(found), subtitle, note)
    panels = np.atleast_1d(surface.subplots(rows, columns, squeeze=False)).ravel()
    for axes, measure in zip(panels, measures, strict=False):
        _draw_matrix(axes, found, [one for one in found.pairs if one.measure == measure and one.label is None], measure)
    for axes in panels[len(measures) :]:
        axes.axis("off")
    return figure


def _draw_matrix(axes: Axes, found: ModelComparison, own: Sequence[PairDisagreement], measure: str) -> None:
    names = [shorten(name, 14) for name in found.models]
    place = {name: number for number, name in enumerate(found.models)}
    values = np.full((len(names),) * 2, np.nan)
    for one in own:
        i, j = place[one.first], place[one.second]
        values[i, j] = values[j, i] = one.found.median
        style = TEXT | {
            "color": ALARM if one.found.reasons is Reasons.DIFFERENT else INK,
            "ha": "center",
            "va": "center",
        }
        weight = "bold" if (one.first, one.second) in found.twins else "normal"
        for x, y in ((i, j), (j, i)):
            axes.text(x, y, f"{one.found.median:.2f}", weight=weight, **style)
    axes.imshow(values, cmap="Greys", vmin=0, vmax=2.5 * max(0.2, np.nanmax(values, initial=0)))
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=7, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=7, parse_math=False)
    tidy(axes, MEASURE_NAMES[measure])
    axes.tick_params(labelcolor=INK, length=0)


def class_disagreement_figure(found: ModelComparison, measure: str = "cosine", subtitle: str = "") -> Figure:
    """Draw the median disagreement of every pair about every class, beside the limit of seed twins and chance.

    Raises:
        ValueError: no two models have such a disagreement.
    """
    own = [one for one in found.pairs if one.measure == measure and one.label is not None]
    if not own:
        raise ValueError(f"no disagreement {measure!r} between these models")
    order = sorted({one.label for one in own}, key=lambda label: -max(_medians(own, label)))
    labels = order[:MOST_CLASSES]
    pairs = list(dict.fromkeys((one.first, one.second) for one in own))
    note = (
        "Dots: median over the class's images, with 95 % intervals; filled where it lies beyond the range of seed "
        "twins (black lines: 97.5 % of the twins' images). Grey lines: two different images of the class (chance)."
    )
    height = 0.8 + max(0.3, 0.1 * len(pairs) + 0.12) * len(labels)
    figure, surface = chart(8, height, comparison_headline(found), subtitle, note)
    axes = surface.subplots()
    for row, label in enumerate(labels):
        for one in (each for each in own if each.label == label):
            number = pairs.index((one.first, one.second))
            at = row + (number - (len(pairs) - 1) / 2) * 0.8 / max(1, len(pairs))
            _draw_pair(axes, one, at, PENS[number % len(PENS)], 0.4 / max(1, len(pairs)))
    tidy(axes, MEASURE_NAMES[measure], grid="x")
    name_rows(axes, [shorten(found.names[label], 28) for label in labels])
    marks = {" – ".join(pair): Line2D([], [], color=PENS[i % len(PENS)], marker="o", lw=2)
             for i, pair in enumerate(pairs)}  # fmt: skip
    add_key(surface, marks, "outside upper left", columns=2)
    return figure


def _medians(own: Sequence[PairDisagreement], label: int | None) -> list[float]:
    return [one.found.median for one in own if one.label == label]


def _draw_pair(axes: Axes, one: PairDisagreement, row: float, colour: str, half: float) -> None:
    for value, pen in ((one.found.limit, INK), (one.chance, REST)):
        if not np.isnan(value):
            axes.plot([value] * 2, [row - half, row + half], color=pen, lw=1.2)
    dot(axes, one.found.median, one.found.interval, row, colour)
    if one.found.reasons is not Reasons.DIFFERENT:
        axes.plot(one.found.median, row, "o", ms=3, color="white")
