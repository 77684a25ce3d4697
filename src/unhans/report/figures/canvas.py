"""The sheet that figures are drawn on, without pyplot: no global state, safe in any thread."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unhans.attribution import colorize, enlarge, scale
from unhans.spray import sum_pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text


ALARM = "#c8102e"
INK = "#1f2933"
QUIET = "#7b8794"
REST = "#c3cad2"
BLUE = "#2a5b8c"

TEXT = {"fontsize": 8, "color": INK, "parse_math": False}  # a class name may hold a dollar sign


def page(width: float, height: float) -> Figure:
    """Make an empty white figure of so many inches with a canvas of its own."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def legible(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum relevance (n, H, W) over equal squares until a map has at most 80 pixels a side, which a tile can show.

    Drawn pixel by pixel a photograph's heatmap is so fine that it looks black; sums keep its total. A size that does
    not divide into 40 to 80 equal parts is left as it is.
    """
    grid = [max((d for d in range(40, 81) if side % d == 0), default=side) for side in maps.shape[1:]]
    return sum_pool(maps, (grid[0], grid[1]))


def blank(axes: Axes, width: float, height: float) -> Axes:
    """Turn axes into a bare surface `width` × `height` with square units and its origin at the top left."""
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal", anchor="NW")
    axes.axis("off")
    return axes


def place(axes: Axes, image: NDArray[np.uint8], left: float, top: float) -> None:
    """Draw an RGB image into the unit square at (left, top), keeping its proportions."""
    height, width = (side / max(image.shape[:2]) for side in image.shape[:2])
    x, y = left + (1 - width) / 2, top + (1 - height) / 2
    limits = axes.axis()  # imshow changes them
    axes.imshow(image, extent=(x, x + width, y + height, y))
    axes.axis(limits)


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Write plain text at (x, y); `style` as for matplotlib's Text."""
    return axes.text(x, y, text, **(TEXT | style))


TILE = 1.4  # inches
MARGIN = 0.2  # inches round the sheet
NARROWEST = 6.0  # inches; the legend needs them
FOOT = 0.75  # inches for the legend
BAR = 2.4  # inches: the colour bar
TITLE_INCH, TEXT_INCH = 8.5, 16.5  # characters of the title and of a line of 8 points in an inch


class Method(NamedTuple):
    """The heatmaps (n, H, W) of one method, not scaled, and what they mean."""

    name: str
    maps: NDArray[np.floating]


class Look(NamedTuple):
    """How heatmaps are coloured: scaled jointly or each by itself, and the name of a colour map."""

    joint: bool = False
    cmap: str = "hot-cold"
    signed: bool = True  # whether values below zero mean something

    @property
    def scaling(self) -> str:
        """Say how maps are scaled."""
        return "maps of a method scaled jointly" if self.joint else "each map scaled by itself"


INDIVIDUAL = Look()


def sheet(
    across: float, down: float, title: str, subtitle: str, look: Look, note: str = "", scaled: str = ""
) -> tuple[Figure, Axes]:
    """Make a sheet for so many tiles across and down, with a title, a subtitle and the legend of the colours.

    `note` ends the legend, whose first sentence `scaled` is, where maps are not scaled as `look` says. Returns the
    figure and axes whose unit is a tile, from the top left.
    """
    width = max(TILE * across, NARROWEST)
    titles, lines = wrapped(title, width * TITLE_INCH), wrapped(subtitle, width * TEXT_INCH)
    head = 0.12 + 0.25 * titles.count("\n") + 0.28 + (0.14 * lines.count("\n") + 0.26) * bool(lines)
    height = TILE * down + head + FOOT
    figure = page(width + 2 * MARGIN, height)
    left, inch = MARGIN / (width + 2 * MARGIN), 1 / height
    figure.text(left, 1 - 0.12 * inch, titles, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    under = 1 - (0.12 + 0.25 * titles.count("\n") + 0.28) * inch
    figure.text(left, under, lines, va="top", **(TEXT | {"color": QUIET}))
    _legend(figure, look, f"{scaled or scaling(look.joint)} {note}")
    axes = figure.add_axes((left, FOOT * inch, TILE * across / (width + 2 * MARGIN), TILE * down * inch))
    return figure, blank(axes, across, down)


def wrapped(text: str, length: float) -> str:
    """Break a text into lines of at most so many characters; a longer word is cut."""
    return "\n".join(textwrap.wrap(text, max(int(length), 1)))


def shown(maps: NDArray[np.floating], size: tuple[int, int], look: Look) -> NDArray[np.floating]:
    """Return heatmaps (n, h, w) as a sheet shows them: summed until legible, scaled, of the image's size."""
    return enlarge(scale(legible(np.asarray(maps)), look.joint), size)


def coloured(maps: NDArray[np.floating], look: Look) -> NDArray[np.uint8]:
    """Colour heatmaps (n, h, w) that are not scaled as a sheet shows them, keeping their size."""
    return colorize(shown(maps, maps.shape[1:], look), look.cmap)


def summed(maps: NDArray[np.floating]) -> str:
    """Say how many pixels a shown one is the sum of; nothing where it is one."""
    cells = [full // small for full, small in zip(maps.shape[1:], legible(maps[:1]).shape[1:], strict=True)]
    return "" if cells == [1, 1] else f"Relevance is summed over blocks of {cells[0]}×{cells[1]} pixels."


def _legend(figure: Figure, look: Look, text: str) -> None:
    """Draw the colour bar, what its ends mean, and a text beside it."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((MARGIN / width, (FOOT - 0.32) / height, BAR / width, 0.12 / height), label="legend")
    low = -1 if look.signed else 0
    axes.imshow(colorize(np.linspace(low, 1, 241)[None], look.cmap), aspect="auto", extent=(low, 1, 0, 1))
    axes.set_yticks([])
    ends = ["−1 contradicts", "0 none", "+1 supports"] if look.signed else ["0 none", "1 strongest"]
    axes.set_xticks([-1, 0, 1] if look.signed else [0, 1], ends)
    axes.tick_params(length=2, width=0.6, labelsize=7, color=QUIET, labelcolor=QUIET)
    sides = ("left", "center", "right") if look.signed else ("left", "right")
    for label, side in zip(axes.get_xticklabels(), sides, strict=True):
        label.set_horizontalalignment(side)
    for spine in axes.spines.values():
        spine.set(color=QUIET, linewidth=0.4)
    start = MARGIN + BAR + 0.25
    lines = wrapped(text, (width - start - MARGIN) * TEXT_INCH * 8 / 7)
    figure.text(start / width, (FOOT - 0.2) / height, lines, va="top", **(TEXT | {"fontsize": 7, "color": QUIET}))


def scaling(joint: bool) -> str:
    """Say what 1 means."""
    whose = "all maps of a method on this page" if joint else "each map"
    return f"1 is the largest absolute value of {whose}; a map that is zero everywhere has the colour of 0."
