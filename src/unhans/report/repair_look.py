"""How each method of repair is drawn: one colour and one mark in all figures and on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from unhans.report.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 7  # points
TITLE, SUBTITLE = 8.2, 13.5  # characters in an inch


class Pen(NamedTuple):
    """Colour, mark and dashes of a method's dots and curves."""

    colour: str
    mark: str
    dashes: str | tuple[int, tuple[float, ...]] = "-"


PENS = {
    "uncorrected": Pen(INK, "o"),
    "unaltered": Pen(ALARM, "s", (0, (5, 2))),
    "augmented": Pen(BLUE, "D"),
    "a_clarc": Pen("#d99a2b", "^"),
    "p_clarc": Pen("#2e8b6f", "v"),
    "reactive": Pen("#58b4c4", "P"),
    "right_reasons": Pen("#7a4fa3", "X"),
}
OTHER = Pen(QUIET, "*")


def pen_of(method: str) -> Pen:
    """Return how a method is drawn; one that nobody knows is grey."""
    return PENS.get(method, OTHER)


def heading(figure: Figure, title: str, subtitle: str) -> None:
    """Write a figure's title and the line under it, each cut to the width of the page."""
    width, height = figure.get_size_inches()
    title, subtitle = shorten(title, int(TITLE * width)), shorten(subtitle, int(SUBTITLE * width))
    figure.text(0.02, 1 - 0.15 / height, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.02, 1 - 0.45 / height, subtitle, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))


def dress(axes: Axes, *, bottom: bool = True, grid: str = "x") -> None:
    """Take away what is not data: the frame, long ticks, dark grid lines."""
    axes.tick_params(labelsize=SMALL, length=2, color=REST, labelcolor=QUIET, labelbottom=bottom)
    axes.spines[:].set_visible(False)
    axes.grid(axis=grid, color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)
