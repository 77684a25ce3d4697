"""How much of what SpRAy finds depends on its settings: agreement of settings, and places of classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from unhans.report.figures import ALARM, AMBER, BLUE, DASHED, GREEN, INK, REST, TEXT, add_key, chart, name_rows, tidy
from unhans.report.text import shorten
from unhans.report.text.quality import ORDERED_BY
from unhans.spray import REFERENCE, SAME, ClassFit, Measure, SettingAgreement, agreement, places

PENS = {"lambda_2": BLUE, "tau": AMBER, "cut": GREEN}
ROW = 0.27  # inches
MOST_CLASSES = 30  # rows of the figure of places


def stability_figure(found: Sequence[SettingAgreement], subtitle: str = "") -> Figure:
    """Draw for every setting how far orders, clusters and groups of classes agree with the reference's.

    Raises:
        ValueError: there is no setting beside the reference.
    """
    if not found:
        raise ValueError("A figure of stability expects at least one setting beside the reference; got none.")
    note = f"Grey: single classes; black: their median. Dashed: a group counts as the same from {SAME} on."
    title = "How far other settings of SpRAy agree with the reference"
    figure, surface = chart(10, 1.0 + ROW * max(len(found), 2), title, subtitle, note)
    orders, clusters, groups = surface.subplots(1, 3, sharey=True)
    for row, one in enumerate(found):
        for step, (measure, colour) in enumerate(PENS.items()):
            orders.plot(one.orders[measure], row + 0.18 * (step - 1), "o", ms=4.5, color=colour)
        _draw_classes(clusters, [each.ari for each in one.classes.values()], row)
        _draw_classes(groups, [each.jaccard for each in one.classes.values()], row)
    groups.axvline(SAME, **DASHED)
    headings = ("order of the classes: Spearman’s ρ", "clusters: adjusted Rand index", "groups: Jaccard index")
    for axes, heading in zip((orders, clusters, groups), headings, strict=True):
        tidy(axes, heading, grid="both")
        axes.set_xlim(right=1.04)
    name_rows(orders, [shorten(one.name, 30) for one in found])
    marks = {f"by {ORDERED_BY[name]}": Line2D([], [], marker="o", ls="", ms=5, color=pen) for name, pen in PENS.items()}
    add_key(surface, marks, "outside upper left", columns=3)
    return figure


def _draw_classes(axes: Axes, values: Sequence[float], row: float) -> None:
    known = [value for value in values if not math.isnan(value)]
    axes.plot(known, np.full(len(known), row), "o", ms=4, color=REST)
    if known:
        axes.plot(np.median(known), row, "|", ms=9, mew=2, color=INK)


def places_figure(
    fits: Mapping[str, Mapping[int, ClassFit]], names: Mapping[int, str], by: Measure, subtitle: str = ""
) -> Figure:
    """Draw the place of every class with every setting; red where its group is another than with the reference.

    Of more than 30 classes those that are first with the reference are drawn, and how many others there are is said.

    Args:
        fits: by setting and label.
        names: of the classes.
        by: what orders them.
    """
    ranked = {setting: places(by_class, by) for setting, by_class in fits.items() if by_class}
    order = sorted(fits[REFERENCE], key=lambda label: ranked[REFERENCE][label])
    shown = order[:MOST_CLASSES]
    left = f" {len(order) - len(shown)} more classes are not drawn." if len(order) > len(shown) else ""
    note = f"Red: the group is another than the reference’s (Jaccard index below {SAME}). –: not clustered.{left}"
    title = f"Places of the classes by {ORDERED_BY[by]}, by setting"
    size = max(6.5, 2.2 + 0.42 * len(fits)), 1.7 + 0.25 * max(len(shown), 2)
    figure, surface = chart(*size, title, subtitle, note)
    axes = surface.subplots()
    values = np.array([[ranked.get(setting, {}).get(label, np.nan) for setting in fits] for label in shown], float)
    axes.imshow(values, cmap="Blues_r", vmin=-1.5 * len(order), vmax=1 + len(order), aspect="auto")
    for column, setting in enumerate(fits):
        for row, label in enumerate(shown):
            _write_place(axes, fits, setting, label, (column, row), values[row, column])
    tidy(axes)
    name_rows(axes, [shorten(names[label], 24) for label in shown])
    axes.set_xticks(range(len(fits)), [shorten(name, 24) for name in fits], rotation=50, ha="right", fontsize=7,
                    rotation_mode="anchor", parse_math=False)  # fmt: skip
    axes.tick_params(length=0, labelcolor=INK)
    return figure


def _write_place(
    axes: Axes,
    fits: Mapping[str, Mapping[int, ClassFit]],
    setting: str,
    label: int,
    at: tuple[int, int],
    place: float,
) -> None:
    fit = fits[setting].get(label)
    another = fit is not None and not agreement(fits[REFERENCE][label], fit).jaccard >= SAME
    style = TEXT | ({"color": ALARM, "weight": "bold"} if another else {})
    axes.text(*at, "–" if math.isnan(place) else f"{place:.0f}", **style, ha="center", va="center")
