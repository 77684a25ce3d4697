"""Trainings with a decoy: what it does against how many training images carried it, and confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from unhans.comparison import AS_TRAINED, ELSEWHERE, EVERYWHERE, DecoyGroup, DecoyStudy
from unhans.effects import MINIMUM
from unhans.report.figures import ALARM, AMBER, BLUE, GREEN, INK, REST, TEXT, VIOLET, add_key, chart, percent_tick, tidy
from unhans.report.text import shorten
from unhans.report.text.models import coverage_said, decoy_headline
from unhans.stats import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PENS = (BLUE, ALARM, GREEN, AMBER, VIOLET, INK)  # of decoys, in turn
ASIDE = 0.03  # by which the points of several decoys stand apart
MOST_GROUPS = 16  # whose matrices are drawn
WRITTEN = 10  # classes up to which numbers are written into a matrix
MOST_NAMED = 30  # classes up to which rows and columns are named
SIDE = 2.1  # inches of a matrix


def dose_figure(study: DecoyStudy) -> Figure:
    """Draw against the coverage what the decoy does to other classes, and the target's accuracy without it."""
    note = (
        f"95 % intervals. Δp: mean change of the probability of {study.target} by the decoy; filled where it is proven "
        "in every run of the point. Dashed: 0.05, what has to be exceeded."
    )
    figure, surface = chart(9.5, 3.1, decoy_headline(study), "", note)
    panels = surface.subplots(1, 3)
    _draw_dose(panels[0], study, lambda one: one.effect, "Δp on other classes")
    panels[0].axhline(MINIMUM, color=REST, lw=0.9, ls=(0, (4, 3)))
    _draw_dose(panels[1], study, lambda one: one.called[ELSEWHERE], f"other classes with decoy → {study.target}")
    _draw_dose(panels[2], study, lambda one: one.clean[study.target], f"accuracy on {study.target} without decoy")
    for axes in panels[1:]:
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(percent_tick))
    marks = {curve: Line2D([], [], color=PENS[i % len(PENS)], marker="o") for i, curve in enumerate(study.curves)}
    add_key(surface, marks, "outside upper left", columns=min(3, len(marks)))
    return figure


def _draw_dose(axes: Axes, study: DecoyStudy, value: Callable[[DecoyGroup], Estimate], title: str) -> None:
    for number, groups in enumerate(study.curves.values()):
        pen = PENS[number % len(PENS)]
        aside = (number - (len(study.curves) - 1) / 2) * ASIDE
        at, found = [one.coverage + aside for one in groups], [value(one) for one in groups]
        axes.plot(at, [one.mean for one in found], color=pen, lw=1)
        axes.vlines(at, [one.interval[0] for one in found], [one.interval[1] for one in found], color=pen, lw=2)
        for x, one, group in zip(at, found, groups, strict=True):
            proven = group.proven == len(group.models)
            axes.plot(x, one.mean, "o", ms=5, color=pen, mfc=pen if proven else "white", zorder=4)
    tidy(axes, shorten(title, 46), grid="y", frame=["left", "bottom"], xlabel="coverage")
    coverages = sorted({one.coverage for one in study.groups})
    axes.set_xticks(coverages, [coverage_said(each) for each in coverages])


def confusion_figure(study: DecoyStudy) -> Figure:
    """Draw two confusion matrices of every group: images as it was trained, and with the decoy on all of them."""
    shown = study.groups[:MOST_GROUPS]
    note = (
        "Rows: true classes, columns: predictions, as shares of a row. Above: the decoy on so many images of "
        f"{study.target} as in training. Below: on every image."
    )
    if len(study.groups) > len(shown):
        note += f" {len(study.groups) - len(shown)} more are in confusion.csv."
    figure, surface = chart(max(6.5, SIDE * len(shown) + 1), 2 * SIDE + 1.0, decoy_headline(study), "", note)
    panels = surface.subplots(2, len(shown), squeeze=False)
    for column, group in enumerate(shown):
        for row, images in enumerate((AS_TRAINED, EVERYWHERE)):
            title = f"{shorten(group.curve, 24)}\ncoverage {coverage_said(group.coverage)}" if row == 0 else ""
            _draw_matrix(panels[row, column], study.names, group.confusion[images], title, named=column == 0)
    return figure


def _draw_matrix(axes: Axes, names: Sequence[str], counts: np.ndarray, title: str, named: bool) -> None:
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares[:, : len(names)], cmap="Greys", vmin=0, vmax=1)
    tidy(axes, title)
    few = len(names) <= MOST_NAMED
    said = [shorten(name, 12) for name in names] if few else []
    places = range(len(said))
    axes.set_xticks(places, said, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(places if named else [], said if named else [], fontsize=7, parse_math=False)
    axes.tick_params(labelcolor=INK, length=0)
    if len(names) <= WRITTEN:
        for (row, column), share in np.ndenumerate(shares[:, : len(names)]):
            if share >= 0.005:
                style = TEXT | {"fontsize": 6, "color": "white" if share > 0.6 else INK, "ha": "center", "va": "center"}
                axes.text(column, row, f"{100 * share:.0f}", **style)
