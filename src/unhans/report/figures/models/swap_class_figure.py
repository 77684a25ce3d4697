"""Accuracy as grouped bars, which classes are taken for which under every preparation, and how many images each has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Patch, Rectangle

from unhans.report.figures import BLUE, INK, MODEL_PENS, QUIET, TEXT, add_key, chart, percent_tick, tidy
from unhans.report.text import shorten
from unhans.report.text.models import CONFUSION_READING, LABELS_READING, SWAP_READING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from unhans.comparison import SwapStudy

MOST_ROWS, MOST_CLASSES, MOST_NUMBERS = 6, 40, 12  # rows of matrices; classes of a matrix, and with numbers in it
SIDE = 2.3  # inches of a matrix


def swap_bars(study: SwapStudy, subtitle: str) -> Figure:
    """Draw a group of bars for every row, a bar with its interval for every variant; that of the training is framed."""
    rows, variants = study.rows, list(study.images)
    width = 0.8 / len(variants)
    figure, surface = chart(max(7.0, 1 + 0.5 * len(rows) * len(variants)), 3.6, "Accuracy by preparation of the images",
                            subtitle, f"Framed: the variant of the training. {SWAP_READING}")  # fmt: skip
    axes = surface.subplots()
    for number, name in enumerate(variants):
        cells = [study.cell(row.name, name) for row in rows]
        at = np.arange(len(rows)) + (number - (len(variants) - 1) / 2) * width
        means = np.array([cell.accuracy.mean for cell in cells])
        ends = np.array([cell.accuracy.interval for cell in cells]).T
        frames = [INK if row.trained == name else "none" for row in rows]
        pen = MODEL_PENS[number % len(MODEL_PENS)]
        axes.bar(at, means, width * 0.9, color=pen, edgecolor=frames, linewidth=1.4)
        axes.errorbar(at, means, np.abs(ends - means), fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    tidy(axes, "Accuracy", grid="y")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(percent_tick)
    names = [f"{shorten(row.name, 22)}\n({shorten(row.trained or 'unknown', 22)})" for row in rows]
    axes.set_xticks(range(len(rows)), names, fontsize=8, parse_math=False)
    marks = {shorten(name, 30): Patch(color=MODEL_PENS[i % len(MODEL_PENS)]) for i, name in enumerate(variants)}
    add_key(surface, marks, columns=min(4, len(variants)))
    return figure


def swap_confusions(study: SwapStudy, subtitle: str) -> Figure | None:
    """Draw a matrix of shares for every row and variant, labels down, predictions across; None of above 40 classes."""
    rows, variants, classes = study.rows[:MOST_ROWS], list(study.images), list(study.classes)
    if len(classes) > MOST_CLASSES:
        return None
    more = len(study.rows) - len(rows)
    left = f" {more} more networks are in confusion.csv." if more else ""
    side = max(SIDE, 0.24 * len(classes))
    figure, surface = chart(max(7.0, 0.9 + (side + 0.7) * len(variants)), (side + 0.75) * len(rows),
                            "Which classes are taken for which?", subtitle, CONFUSION_READING + left)  # fmt: skip
    panels = surface.subplots(len(rows), len(variants), squeeze=False)
    for y, row in enumerate(rows):
        for x, name in enumerate(variants):
            counts = study.confusion(study.cell(row.name, name))
            _matrix(panels[y, x], counts, classes)
            tidy(panels[y, x], f"{shorten(row.name, 20)} on {shorten(name, 20)}")
            panels[y, x].tick_params(labelcolor=QUIET, length=0, labelsize=6.5)
            if row.trained == name:
                panels[y, x].add_patch(
                    Rectangle((0, 0), 1, 1, transform=panels[y, x].transAxes, fill=False, edgecolor=INK, lw=1.6)
                )
    return figure


def _matrix(axes: Axes, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Shares of each label's images; a last column where some are taken for a class that is not asked about."""
    others = bool(counts[:, -1].any())
    counts = counts if others else counts[:, :-1]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.6)
    if len(classes) <= MOST_NUMBERS:
        for label, predicted in np.argwhere(shares >= 0.005):
            said = f"{100 * shares[label, predicted]:.0f}"
            axes.text(predicted, label, said, **TEXT | {"ha": "center", "va": "center", "fontsize": 6})
    names = [shorten(name, 10) for name in classes]
    axes.set_yticks(range(len(classes)), names, parse_math=False)
    turned = any(len(name) > 2 for name in names)
    axes.set_xticks(
        range(len(classes) + others), [*names, *(["other"] * others)], rotation=90 * turned, parse_math=False
    )


def swap_labels(sets: Mapping[str, Sequence[int]], classes: Sequence[str], subtitle: str) -> Figure:
    """Draw for every set of images how many each class has.

    Args:
        sets: by name, counts of the classes.
        classes: their names.
    """
    width = max(7.0, 0.6 + 0.3 * len(classes))
    figure, surface = chart(width, 1.5 * len(sets) + 0.6, "Images of each class", subtitle, LABELS_READING)
    for axes, (name, counts) in zip(surface.subplots(len(sets), 1, squeeze=False)[:, 0], sets.items(), strict=True):
        axes.bar(range(len(classes)), counts, 0.7, color=BLUE)
        tidy(axes, f"{shorten(name, 80)}: {sum(counts):,} images", grid="y")
        names = [shorten(each, 12) for each in classes]
        turned = any(len(each) > 4 for each in names) and len(names) > 6
        axes.set_xticks(range(len(classes)), names, rotation=90 * turned, fontsize=7, parse_math=False)
        axes.set_xlim(-0.6, len(classes) - 0.4)
    return figure
