"""Queries beside the training images that influence them most, and clusters of gradients, as pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from unhans.attribution import RGB
from unhans.influence import GradientClusters, QueryInfluence, Training
from unhans.report.figures import (
    ALARM,
    AMBER,
    BLUE,
    INK,
    QUIET,
    add_key,
    blank,
    chart,
    headed,
    name_rows,
    place,
    tidy,
    write,
)
from unhans.report.text import shorten, signed
from unhans.report.text.models import group_name

HIGHEST, LOWEST = 5, 2  # training images beside a query
TILE = 1.15  # inches
LINE = 0.13  # tiles: a line of text
APART = 0.25  # tiles between the query, the highest and the lowest
STEP = 1.05  # tiles from one picture to the next
ROW = 1 + 3 * LINE
HEAD = 0.2  # tiles above the rows
NAME = 15  # characters under a picture
MARK = ALARM  # the colour of the frame round a carrier


def chosen_queries(queries: Sequence[QueryInfluence], count: int) -> list[QueryInfluence]:
    """Return so many queries of a class, in turn of each group, carriers first."""
    groups: dict[str, list[QueryInfluence]] = {}
    for one in sorted(queries, key=lambda each: not each.carries):
        groups.setdefault(group_name(one), []).append(one)
    ranks = [(rank, number, one) for number, group in enumerate(groups.values()) for rank, one in enumerate(group)]
    chosen = sorted(ranks, key=lambda each: each[:2])[:count]
    return [one for _, _, one in sorted(chosen, key=lambda each: (each[1], each[0]))]


def influence_gallery(
    queries: Sequence[QueryInfluence],
    training: Training,
    pictures: Callable[[int], RGB],
    classes: Sequence[str],
    subtitle: str,
) -> Figure:
    """Draw a row for each query: the query, the five training images that influence it most, and the two least.

    Args:
        queries: of one class.
        training: the training images that their rankings are of.
        pictures: gives the image of an index.
        classes: the name of every class.
        subtitle: what the scores are.
    """
    across = 1 + 2 * APART + STEP * (HIGHEST + LOWEST) - 0.05 * 2
    down = HEAD + ROW * len(queries)
    width = TILE * across + 0.4
    title = f"Class {classes[queries[0].label]}: what the network learned from for these images"
    figure, share = headed(width, TILE * down + 0.1, title, subtitle)
    axes = figure.add_axes((0.2 / width, 0, TILE * across / width, share))
    blank(axes, across, down + 0.1 / TILE)
    lefts = [1 + APART + STEP * i for i in range(HIGHEST)]
    lefts += [lefts[-1] + 1 + APART + STEP * i for i in range(LOWEST)]
    headings = ((0, "query"), (lefts[0], "most influential training images"), (lefts[HIGHEST], "least influential"))
    for left, heading in headings:
        write(axes, left, 0, heading, va="top", color=QUIET)
    for number, one in enumerate(queries):
        _row(axes, one, training, pictures, classes, HEAD + ROW * number, lefts)
    return figure


def _row(
    axes: Any, one: QueryInfluence, training: Training, pictures: Callable[[int], RGB], classes: Sequence[str],
    top: float, lefts: Sequence[float],
) -> None:  # fmt: skip
    place(axes, pictures(one.index), 0, top)
    _frame(axes, 0, top, bool(one.carries))
    wrong = one.predicted != one.label
    said = f"taken for {classes[one.predicted]}" if wrong else f"a {'training' if one.trained else 'validation'} image"
    write(axes, 0, top + 1 + 0.03, shorten(said, NAME + 4), va="top", fontsize=7, color=ALARM if wrong else QUIET)
    places = range(len(one.order))
    for left, at in zip(lefts, [*places[:HIGHEST], *places[HIGHEST:][-LOWEST:]], strict=False):
        row = int(one.order[at])
        place(axes, pictures(int(training.index[row])), left, top)
        _frame(axes, left, top, training.carriers is not None and bool(training.carriers[row]))
        label = int(training.labels[row])
        write(axes, left, top + 1.03, signed(float(one.scores[at]), 3), va="top", fontsize=7)
        name = shorten(classes[label], NAME)
        style = {"va": "top", "fontsize": 7, "color": QUIET if label == one.label else INK}
        write(axes, left, top + 1.03 + LINE, name, **style)


def _frame(axes: Any, left: float, top: float, carries: bool) -> None:
    if carries:
        axes.add_patch(Rectangle((left, top), 1, 1, fill=False, edgecolor=MARK, linewidth=2, clip_on=False))


MEASURES = {
    "adjusted_rand": ("adjusted Rand index", INK, "o"),
    "precision": ("precision", BLUE, "s"),
    "recall": ("recall", AMBER, "^"),
}
NOTE = (
    "Each row takes one more layer, from the output on. Precision and recall are those of the cluster with more of the "
    "artifact’s carriers; an adjusted Rand index of 0 is chance, 1 says that the clusters are the carriers."
)


def gradients_figure(found: Mapping[str, Sequence[GradientClusters]], subtitle: str) -> Figure:
    """Draw how well the clusters of gradients agree with the carriers, for every class and prefix of layers."""
    rows = sum(map(len, found.values()))
    title = "Do images with the artifact teach the network something else?"
    figure, surface = chart(8, 0.8 + 0.3 * rows + 0.35 * len(found), title, subtitle, NOTE)
    grid = surface.subplots(
        len(found), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [len(each) for each in found.values()]}
    )
    for axes, (name, prefixes) in zip(grid[:, 0], found.items(), strict=True):
        for offset, (measure, (_, colour, mark)) in zip((-0.2, 0, 0.2), MEASURES.items(), strict=True):
            values = [getattr(one, measure) for one in prefixes]
            axes.plot(values, np.arange(len(values)) + offset, mark, ms=5.5, color=colour, clip_on=False)
        axes.axvline(0, color=QUIET, lw=0.8)
        axes.set_xlim(-0.15, 1.02)
        tidy(axes, f"class {shorten(name, 60)}", grid="both")
        name_rows(axes, [one.layers[0] if len(one.layers) == 1 else f"+ {one.layers[-1]}" for one in prefixes])
    marks = {name: Line2D([], [], color=colour, marker=mark, ls="", ms=5) for name, colour, mark in MEASURES.values()}
    add_key(surface, marks, "outside lower left", columns=3)
    return figure
