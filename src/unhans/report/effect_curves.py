"""The effect of artifacts over the epochs of a training: one sees a Clever Hans being learned or forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unhans.report.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, page, shorten
from unhans.report.measures import PROBABILITY, SHARE, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.artifacts.effect import Effect

COLOURS = (ALARM, BLUE, "#d99a2b", "#2e8b6f", "#7a4fa3", "#7b8794")
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # another one after each round of colours
TICKS = 12  # epochs that are named, at most
NAME = 100  # characters in the key
KEY = 0.22  # inches of a line of the key


def monitor_figure(epochs: Sequence[int], effects: Mapping[str, Sequence[Effect]], minimum: float) -> Figure:
    """Draw the mean change of p and the share of flipped predictions after every epoch, with bands of 95 % intervals.

    Args:
        epochs: ascending.
        effects: by the name of an artifact, its effect after each of the epochs.
        minimum: the change of p from which an effect counts; a dashed line.

    Raises:
        ValueError: there is no epoch or no artifact, or an artifact has not one effect per epoch.
    """
    lengths = [len(each) for each in effects.values()]
    if not epochs or set(lengths) != {len(epochs)}:
        raise ValueError(
            f"A figure needs an epoch, an artifact, and an effect for each epoch; got {len(epochs)} epochs and "
            f"{lengths} effects."
        )
    head = 0.8 + KEY * len(effects)
    height = head + 3.2
    figure = page(10, height)
    inch = 1 / height
    n = sorted({effect.n for each in effects.values() for effect in each})
    said = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    title = "Effect of artifacts during training"
    figure.text(0.02, 1 - 0.15 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    subtitle = f"pasted on n = {said} samples of other classes; bands: 95 % intervals"
    figure.text(0.02, 1 - 0.43 * inch, subtitle, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    for number, name in enumerate(effects):
        _key(figure, name, number, 1 - (0.75 + KEY * number) * inch)
    panels = (PROBABILITY, "Δp: mean change of the class's probability"), (SHARE, "share of flipped predictions")
    for left, (measure, heading) in zip((0.06, 0.56), panels, strict=True):
        axes = figure.add_axes((left, 0.5 * inch, 0.41, 2.5 * inch))
        for number, each in enumerate(effects.values()):
            _curve(axes, epochs, each, measure, number)
        _dress(axes, heading, epochs)
    _minimum(figure.axes[0], minimum)
    return figure


def _minimum(axes: Axes, minimum: float) -> None:
    axes.axhline(minimum, color=INK, lw=0.9, ls=(0, (4, 3)))
    style = TEXT | {"fontsize": 7, "color": QUIET, "ha": "right", "va": "bottom"}
    across = axes.get_yaxis_transform()
    axes.annotate(f"counts from {minimum:g} on", (1, minimum), (0, 2), across, textcoords="offset points", **style)


def _curve(axes: Axes, epochs: Sequence[int], effects: Sequence[Effect], measure: Measure, number: int) -> None:
    values = [measure.value(effect) for effect in effects]
    low, high = np.array([measure.interval(effect) for effect in effects]).T
    style = {"color": COLOURS[number % len(COLOURS)]}
    if len(epochs) == 1:
        axes.vlines(epochs, low, high, lw=2, alpha=0.5, **style)
    else:
        axes.fill_between(epochs, low, high, alpha=0.18, lw=0, **style)
    axes.plot(epochs, values, "o", ms=4, ls=_line(number), lw=1.6, **style)


def _dress(axes: Axes, heading: str, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axes.set_title(heading, loc="left", **(TEXT | {"fontsize": 9}))
    axes.set_xlabel("epoch", **(TEXT | {"color": QUIET}))
    few = FixedLocator(list(epochs)) if len(epochs) <= TICKS else MaxNLocator(integer=True, nbins=TICKS)
    axes.xaxis.set_major_locator(few)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, -0.02), max(top, 0.1))
    axes.axhline(0, color=REST, lw=0.8)
    axes.tick_params(labelsize=7, color=REST, labelcolor=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(REST)
    axes.grid(axis="y", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _key(figure: Figure, name: str, number: int, y: float) -> None:
    from matplotlib.lines import Line2D

    colour = COLOURS[number % len(COLOURS)]
    figure.add_artist(Line2D([0.02, 0.05], [y, y], color=colour, lw=2, ls=_line(number)))
    figure.text(0.06, y, shorten(name, NAME), va="center", **TEXT)


def _line(number: int) -> str | tuple[int, tuple[float, ...]]:
    return LINES[number // len(COLOURS) % len(LINES)]
