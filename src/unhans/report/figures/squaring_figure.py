"""Ways to make images square: their effects as dots with intervals, and what they look like [003 figures 6.8–6.11]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from unhans.artifacts import ORIENTATIONS, WAYS, Orientation
from unhans.attribution import picture
from unhans.effects import MINIMUM
from unhans.effects.interventions import GROUPS, Group, SquaringEffect
from unhans.report.figures import canvas
from unhans.report.figures.canvas import Look
from unhans.report.tables import NAMES
from unhans.report.text import shorten, squaring_sentence

COLOURS: dict[Orientation, str] = {"landscape": canvas.BLUE, "portrait": canvas.AMBER}
MEANS: dict[Orientation, str] = {
    "landscape": "landscape: padded above and below, or cropped at the sides",
    "portrait": "portrait: padded at the sides, or cropped above and below",
}
MEASURES = {"probability": "change of the probability", "logit": "change of the logit"}
NOTE = (
    f"Dashed: −{MINIMUM:g}. Copied borders are expected where, on other classes’ images, the whole intervals of "
    "mirrored and of cropped lie left of it."
)
LINE = 0.12  # tiles: a line of text
ROW = 2 * LINE + 2.05 + 2 * LINE  # tiles: caption, images, heatmaps, outputs
ROOM = 0.04  # tiles between samples


class Squares(NamedTuple):
    """One sample made square in the six ways.

    Attributes:
        images: (6, 3, H, W) in [0, 1].
        maps: (6, h, w), for the class.
        probabilities, logits: (6,), of the class.
        caption: which sample.
    """

    images: NDArray[np.floating]
    maps: NDArray[np.floating]
    probabilities: Sequence[float]
    logits: Sequence[float]
    caption: str


def squaring_figure(effect: SquaringEffect, subtitle: str = "") -> Figure:
    """Draw the mean change of a class's output for each way and orientation, on its own images and on others'."""
    title = f"Made square in other ways than by copied borders: class {effect.name}"
    figure, surface = canvas.chart(10, 5.2, title, f"{squaring_sentence(effect)} {subtitle}", NOTE)
    grid = surface.subplots(len(MEASURES), len(GROUPS), sharex="row", sharey=True, squeeze=False)
    for panels, (measure, meaning) in zip(grid, MEASURES.items(), strict=True):
        for axes, group in zip(panels, GROUPS, strict=True):
            _draw_dots(axes, effect, group, measure)
            canvas.tidy(axes, f"{_whose(effect, group)}   {meaning}", grid="x")
        low, high = panels[0].get_xlim()
        low, high = min(low, -0.1), max(high, 0.1)  # never so fine that nothing looks like something
        panels[0].set(xlim=(low, high), xticks=[tick for tick in panels[0].get_xticks() if low <= tick <= high])
        canvas.name_rows(panels[0], [NAMES[way] for way in WAYS[1:]])
    style = {"marker": "o", "ls": "", "ms": 5}
    marks = {MEANS[each]: Line2D([], [], color=COLOURS[each], **style) for each in ORIENTATIONS}
    canvas.add_key(surface, marks, "outside lower left", columns=2)
    return figure


def squaring_sheet(samples: Sequence[Squares], name: str, subtitle: str = "", look: Look = canvas.INDIVIDUAL) -> Figure:
    """Draw samples made square in the six ways with their heatmaps, and under them probability and logit of the class.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("A sheet of squares needs at least one sample; got none.")
    down = LINE + ROW * len(samples) + ROOM * (len(samples) - 1)
    across = 1.05 * len(WAYS) - 0.05
    title = f"Six ways to make an image square: what speaks for class {name}"
    figure, axes = canvas.sheet(across, down, title, subtitle, look, canvas.summed(samples[0].maps))
    for number, way in enumerate(WAYS):
        canvas.write(axes, 1.05 * number, 0, NAMES[way], va="top", color=canvas.INK if number else canvas.BLUE)
    for number, sample in enumerate(samples):
        _sample(axes, sample, LINE + (ROW + ROOM) * number, look)
    return figure


def _sample(axes: Axes, sample: Squares, top: float, look: Look) -> None:
    """Draw the six images of a sample, below them the heatmaps, below these the outputs."""
    canvas.write(axes, 0, top + 1.6 * LINE, shorten(sample.caption, 130), color=canvas.QUIET)
    maps = canvas.coloured(np.asarray(sample.maps), look)
    for number, image in enumerate(sample.images):
        left, below = 1.05 * number, top + 2 * LINE
        canvas.place(axes, picture(image), left, below)
        canvas.place(axes, maps[number], left, below + 1.05)
        canvas.write(axes, left, below + 2.08, f"p = {sample.probabilities[number]:.3f}", va="top")
        canvas.write(
            axes, left, below + 2.08 + LINE, f"logit {sample.logits[number]:.3g}", va="top", color=canvas.QUIET
        )


def _draw_dots(axes: Axes, effect: SquaringEffect, group: Group, measure: str) -> None:
    for offset, orientation in zip((-0.14, 0.14), ORIENTATIONS, strict=True):
        for row, way in enumerate(WAYS[1:]):
            change = effect.change(group, orientation, way)
            if change is not None:
                interval = getattr(change.effect, f"{measure}_interval")
                canvas.dot(axes, getattr(change.effect, measure), interval, row + offset, COLOURS[orientation])
    if measure == "probability" and group == "others":
        axes.axvline(-MINIMUM, **canvas.DASHED | {"color": canvas.ALARM})
    axes.axvline(0, color=canvas.QUIET, lw=0.8)


def _whose(effect: SquaringEffect, group: Group) -> str:
    found = [effect.change(group, each, WAYS[1]) for each in ORIENTATIONS]
    numbers = " + ".join(str(change.effect.n) for change in found if change)
    return f"{'its own' if group == 'class' else 'other classes’'} images (n = {numbers})"
