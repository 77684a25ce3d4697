"""Ways to make images square: their effects as dots with intervals, and what they look like [003 figures 6.8–6.11]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import ORIENTATIONS, WAYS, Orientation
from unhans.attribution import picture
from unhans.effects import MINIMUM
from unhans.effects.interventions import GROUPS, Group, SquaringEffect
from unhans.report.figures.canvas import (
    ALARM,
    BLUE,
    INDIVIDUAL,
    INK,
    QUIET,
    REST,
    TEXT,
    Look,
    coloured,
    page,
    place,
    sheet,
    summed,
    wrapped,
    write,
)
from unhans.report.tables import NAMES
from unhans.report.text import shorten, squaring_sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


AMBER = "#d99a2b"
COLOURS: dict[Orientation, str] = {"landscape": BLUE, "portrait": AMBER}
MEANS: dict[Orientation, str] = {
    "landscape": "landscape: padded above and below, or cropped at the sides",
    "portrait": "portrait: padded at the sides, or cropped above and below",
}
MEASURES = {"probability": "change of the probability", "logit": "change of the logit"}
WIDTH, HEAD, PANEL, APART, FOOT = 10.0, 1.0, 1.75, 0.75, 0.8  # inches
LINE = 0.12  # tiles: a line of text
ROW = 2 * LINE + 2.05 + 2 * LINE  # tiles: caption, images, heatmaps, outputs
ROOM = 0.04  # tiles between samples


class Squares(NamedTuple):
    """One sample made square in the six ways: images (6, 3, H, W) in [0, 1], heatmaps (6, h, w) with respect to the
    class, its probabilities and logits (6,), and a caption."""

    images: NDArray[np.floating]
    maps: NDArray[np.floating]
    probabilities: Sequence[float]
    logits: Sequence[float]
    caption: str


def squaring_figure(effect: SquaringEffect, subtitle: str = "") -> Figure:
    """Draw the mean change of a class's output for each way and orientation, on its own images and on others'."""
    said = wrapped(squaring_sentence(effect), 155) + (f"\n{wrapped(subtitle, 155)}" if subtitle else "")
    head = HEAD + 0.14 * said.count("\n")
    height = head + 2 * PANEL + APART + FOOT
    figure = page(WIDTH, height)
    title = f"Made square in other ways than by copied borders: class {shorten(effect.name, 28)}"
    figure.text(0.02, 1 - 0.12 / height, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.02, 1 - 0.42 / height, said, va="top", **(TEXT | {"color": QUIET}))
    for row, (measure, meaning) in enumerate(MEASURES.items()):
        bottom = 1 - (head + PANEL + row * (PANEL + APART)) / height
        panels = [figure.add_axes((0.13 + 0.44 * i, bottom, 0.41, PANEL / height)) for i in range(2)]
        for axes, group in zip(panels, GROUPS, strict=True):
            _dots(axes, effect, group, measure)
            axes.set_title(f"{_whose(effect, group)}   {meaning}", loc="left", **(TEXT | {"fontsize": 9}))
        panels[0].set_yticks(range(len(WAYS) - 1), [NAMES[way] for way in WAYS[1:]], fontsize=8)
        _same_limits(panels)
    _key(figure, 1 / height)
    return figure


def squaring_sheet(samples: Sequence[Squares], name: str, subtitle: str = "", look: Look = INDIVIDUAL) -> Figure:
    """Draw samples made square in the six ways with their heatmaps, and under them probability and logit of the class.

    Raises:
        ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("A sheet of squares needs at least one sample; got none.")
    down = LINE + ROW * len(samples) + ROOM * (len(samples) - 1)
    across = 1.05 * len(WAYS) - 0.05
    title = f"Six ways to make an image square: what speaks for class {shorten(name, 30)}"
    figure, axes = sheet(across, down, title, subtitle, look, summed(samples[0].maps))
    for number, way in enumerate(WAYS):
        write(axes, 1.05 * number, 0, NAMES[way], va="top", color=INK if number else BLUE)
    for number, sample in enumerate(samples):
        _sample(axes, sample, LINE + (ROW + ROOM) * number, look)
    return figure


def _sample(axes: Axes, sample: Squares, top: float, look: Look) -> None:
    """Draw the six images of a sample, below them the heatmaps, below these the outputs."""
    write(axes, 0, top + 1.6 * LINE, shorten(sample.caption, 130), color=QUIET)
    maps = coloured(np.asarray(sample.maps), look)
    for number, image in enumerate(sample.images):
        left, below = 1.05 * number, top + 2 * LINE
        place(axes, picture(image), left, below)
        place(axes, maps[number], left, below + 1.05)
        write(axes, left, below + 2.08, f"p = {sample.probabilities[number]:.3f}", va="top")
        write(axes, left, below + 2.08 + LINE, f"logit {sample.logits[number]:.3g}", va="top", color=QUIET)


def _dots(axes: Axes, effect: SquaringEffect, group: Group, measure: str) -> None:
    """Draw a dot with its interval for every way and orientation."""
    for offset, orientation in zip((-0.14, 0.14), ORIENTATIONS, strict=True):
        for row, way in enumerate(WAYS[1:]):
            change = effect.change(group, orientation, way)
            if change is not None:
                low, high = getattr(change.effect, f"{measure}_interval")
                colour = COLOURS[orientation]
                axes.plot([low, high], [row + offset] * 2, color=colour, lw=1.6, solid_capstyle="butt")
                axes.plot([getattr(change.effect, measure)], [row + offset], "o", color=colour, ms=4.5)
    if measure == "probability" and group == "others":
        axes.axvline(-MINIMUM, color=ALARM, lw=0.8, ls=(0, (4, 3)))
    axes.axvline(0, color=QUIET, lw=0.8)
    axes.set_ylim(len(WAYS) - 1.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=7, color=REST, labelcolor=QUIET)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _same_limits(panels: Sequence[Axes]) -> None:
    """Let panels side by side have one scale, which is never so fine that nothing looks like something."""
    ends = [end for axes in panels for end in axes.get_xlim()]
    low, high = min(*ends, -0.1), max(*ends, 0.1)
    for axes in panels:
        axes.set_xlim(low, high)
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])


def _whose(effect: SquaringEffect, group: Group) -> str:
    found = [effect.change(group, each, WAYS[1]) for each in ORIENTATIONS]
    numbers = " + ".join(str(change.effect.n) for change in found if change)
    return f"{'its own' if group == 'class' else 'other classes’'} images (n = {numbers})"


def _key(figure: Figure, inch: float) -> None:
    """Say what the colours mean and what the dashed line is."""
    for x, orientation in zip((0.13, 0.53), ORIENTATIONS, strict=True):
        figure.text(x, 0.36 * inch, "●", va="center", **(TEXT | {"color": COLOURS[orientation], "fontsize": 10}))
        figure.text(x + 0.016, 0.36 * inch, MEANS[orientation], va="center", **TEXT)
    line = (
        f"Dashed: −{MINIMUM:g}. Copied borders are expected where, on other classes’ images, the whole intervals of "
        "mirrored and of cropped lie left of it."
    )
    figure.text(0.13, 0.14 * inch, line, va="center", **(TEXT | {"color": QUIET}))
