"""The page that figures are drawn on, without pyplot and without global settings: safe in any thread."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, MaxNLocator
from numpy.typing import NDArray

from unhans.attribution import COLOUR_MAPS, RGB, colorize, enlarge, scale
from unhans.spray import sum_pool

ALARM = "#c8102e"
INK = "#1f2933"
QUIET = "#7b8794"
REST = "#c3cad2"
BLUE = "#2a5b8c"
AMBER = "#d99a2b"
GREEN = "#2e8b6f"
VIOLET = "#7a4fa3"
MODEL_PENS = (BLUE, ALARM, GREEN, AMBER, VIOLET, INK)  # of models, in turn

TEXT = {"fontsize": 8, "color": INK, "parse_math": False}  # a class name may hold a dollar sign
QUIET_TEXT = TEXT | {"color": QUIET}
HEADING = TEXT | {"fontsize": 9, "weight": "bold"}
DASHED = {"color": INK, "lw": 0.9, "ls": (0, (4, 3))}

TILE = 1.4  # inches
MARGIN = 0.2  # inches round a page
NARROWEST = 6.0  # inches; the legend needs them
FOOT = 0.75  # inches for the legend
BAR = 2.4  # inches: the colour bar
TITLE_INCH, SUBTITLE_INCH, TEXT_INCH = 8.2, 14.5, 16.5  # characters of 13, 9 and 8 points in an inch
TICKS = 12  # epochs that are named, at most


def page(width: float, height: float) -> Figure:
    """Make an empty white figure of so many inches with a canvas of its own."""
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def headed(width: float, height: float, title: str, subtitle: str = "", colour: str = INK) -> tuple[Figure, float]:
    """Make a page with `height` inches under its title and subtitle, each in as many lines as it needs.

    Returns the figure, and the share of its height that lies under the two.
    """
    titles = wrapped(title, (width - 2 * MARGIN) * TITLE_INCH)
    lines = wrapped(subtitle, (width - 2 * MARGIN) * SUBTITLE_INCH)
    above = 0.4 + 0.25 * titles.count("\n")
    head = above + (0.14 + 0.15 * (1 + lines.count("\n"))) * bool(lines)
    figure = page(width, head + height)
    left, inch = MARGIN / width, 1 / (head + height)
    figure.text(left, 1 - 0.13 * inch, titles, va="top", **TEXT | {"fontsize": 13, "weight": "bold", "color": colour})
    figure.text(left, 1 - above * inch, lines, va="top", **QUIET_TEXT | {"fontsize": 9})
    return figure, height * inch


def chart(
    width: float, height: float, title: str, subtitle: str = "", note: str = "", colour: str = INK
) -> tuple[Figure, SubFigure]:
    """Make a page with a title, a subtitle and a note at its foot; return it and the surface between, so many inches.

    Panels and legends that are put on this surface make room for each other (matplotlib's constrained layout).
    """
    notes = wrapped(note, (width - 2 * MARGIN) * TEXT_INCH)
    foot = (0.2 + 0.14 * (1 + notes.count("\n"))) * bool(notes) + 0.05
    figure, share = headed(width, height + foot, title, subtitle, colour)
    inch = share / (height + foot)
    figure.text(MARGIN / width, 0.1 * inch, notes, va="bottom", **QUIET_TEXT)
    rect = (MARGIN / width, foot * inch, 1 - 2 * MARGIN / width, height * inch)
    figure.set_layout_engine("constrained", rect=rect, w_pad=0.02, h_pad=0.05, wspace=0.03)
    return figure, figure.subfigures()


def tidy(axes: Axes, title: str = "", *, grid: str = "", frame: Sequence[str] = (), xlabel: str = "") -> None:
    """Take away what is not data: the frame but for the named sides, long ticks, dark grid lines.

    Args:
        axes: what is drawn on.
        title: stands at its left, above.
        grid: "x", "y", "both" or "" for none.
        frame: sides that stay, such as "left".
        xlabel: what is counted from left to right.
    """
    axes.tick_params(labelsize=7, length=2, color=REST, labelcolor=QUIET)
    axes.tick_params(axis="y", length=2 if "left" in frame else 0)
    for side, spine in axes.spines.items():
        spine.set(visible=side in frame, color=REST)
    if grid:
        axes.grid(axis=grid, color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", **TEXT | {"fontsize": 9})
    axes.set_xlabel(xlabel, **QUIET_TEXT)


def percent_tick(value: float, _: int) -> str:
    """Write a share beside a tick."""
    return f"{100 * value:.4g} %"


def add_key(surface: SubFigure, marks: Mapping[str, Artist], loc: str = "outside upper left", columns: int = 1) -> None:
    """Say what marks mean, beside all panels of a surface; the names may hold any character."""
    style = {"ncols": columns, "frameon": False, "fontsize": 8, "labelcolor": INK, "borderpad": 0, "borderaxespad": 0.2}
    legend = surface.legend(list(marks.values()), ["…"] * len(marks), loc=loc, **style)
    for text, name in zip(legend.get_texts(), marks, strict=True):
        text.set(text=name, parse_math=False)


def name_epochs(axes: Axes, epochs: Sequence[int]) -> None:
    """Let the horizontal axis count epochs, ascending; of few each is named."""
    few = FixedLocator(list(epochs)) if len(epochs) <= TICKS else MaxNLocator(integer=True, nbins=TICKS)
    axes.xaxis.set_major_locator(few)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)


def name_rows(axes: Axes, names: Sequence[str], marked: Sequence[bool] = (), colour: str = INK) -> None:
    """Write the names of rows beside an axis, the first row on top; those that are marked bold and in a colour."""
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names, fontsize=8, color=INK, parse_math=False)
    for label, one in zip(axes.get_yticklabels(), marked, strict=False):
        label.set(color=colour if one else INK, weight="bold" if one else "normal")


def dot(axes: Axes, value: float, interval: Sequence[float], row: float, colour: str, mark: str = "o") -> None:
    """Draw a mean with its interval in a row; an interval may be infinite, or not hold the mean."""
    axes.plot(interval, [row, row], color=colour, lw=2, solid_capstyle="butt")
    axes.plot(value, row, mark, ms=5.5, color=colour)


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


def height_of(size: Sequence[int]) -> float:
    """Return how much of a tile's height an image of size (H, W) takes."""
    return size[0] / max(size)


def place(axes: Axes, image: RGB, left: float, top: float, side: float = 1, framed: bool = False) -> None:
    """Draw an RGB image into a square at (left, top), its proportions kept, under the middle of the upper side."""
    height, width = (side * length / max(image.shape[:2]) for length in image.shape[:2])
    left += 0 if framed else (side - width) / 2
    limits = axes.axis()  # imshow changes them
    axes.imshow(image, extent=(left, left + width, top + height, top))
    axes.axis(limits)
    if framed:
        style = {"fill": False, "edgecolor": QUIET, "linewidth": 0.5, "clip_on": False}  # it may lie on the axes' edge
        axes.add_patch(Rectangle((left, top), width, height, **style))


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Write plain text at (x, y); `style` as for matplotlib's Text."""
    return axes.text(x, y, text, **(TEXT | style))


def wrapped(text: str, length: float) -> str:
    """Break a text into lines of at most so many characters; a longer word is cut."""
    return "\n".join(textwrap.wrap(text, max(int(length), 1)))


def choose_evenly(numbers: Sequence[int] | NDArray[np.integer], count: int) -> list[int]:
    """Choose so many of the numbers, evenly from the first to the last."""
    at = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [int(numbers[i]) for i in at]


class Method(NamedTuple):
    """The heatmaps (n, H, W) of one method, not scaled, and what they mean."""

    name: str
    maps: NDArray[np.floating]


class Look(NamedTuple):
    """How heatmaps are coloured: scaled jointly or each by itself, the name of a colour map, and what lies beside."""

    joint: bool = False
    cmap: str = "hot-cold"
    signed: bool = True  # whether values below zero mean something
    alpha: bool = False  # beside them the image is seen where relevance supports, in place of relevance over the image

    @property
    def scaling(self) -> str:
        """Say how maps are scaled."""
        return "maps of a method scaled jointly" if self.joint else "each map scaled by itself"


INDIVIDUAL = Look()


def sheet(
    across: float, down: float, title: str, subtitle: str, look: Look, note: str = "", scaled: str = ""
) -> tuple[Figure, Axes]:
    """Make a sheet of tiles with a title, a subtitle and a legend of the colours.

    Args:
        across: tiles from left to right.
        down: tiles from top to bottom.
        subtitle: what is to be said about it.
        look: scaling and colour map.
        note: ends the legend.
        scaled: its first sentence, where maps are not scaled as `look` says.

    Returns:
        The figure, and axes whose unit is a tile, from the top left.
    """
    width = max(TILE * across, NARROWEST) + 2 * MARGIN
    figure, share = headed(width, TILE * down + FOOT, title, subtitle)
    inch = share / (TILE * down + FOOT)
    axes = figure.add_axes((MARGIN / width, FOOT * inch, TILE * across / width, TILE * down * inch))
    _legend(figure, look, f"{scaled or scaling(look.joint)} {note}")
    return figure, blank(axes, across, down)


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


def scaling(joint: bool) -> str:
    """Say what 1 means."""
    whose = "all maps of a method on this page" if joint else "each map"
    return f"1 is the largest absolute value of {whose}; a map that is zero everywhere has the colour of 0."


def _legend(figure: Figure, look: Look, text: str) -> None:
    """Draw the colour bar, what its ends mean, and a text beside it."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((MARGIN / width, (FOOT - 0.32) / height, BAR / width, 0.12 / height), label="legend")
    colours = ScalarMappable(Normalize(-1, 1), LinearSegmentedColormap.from_list(look.cmap, COLOUR_MAPS[look.cmap]))
    bar = figure.colorbar(colours, axes, orientation="horizontal")
    ends = {-1: ("−1 contradicts", "left"), 0: ("0 none", "center"), 1: ("+1 supports", "right")}
    if not look.signed:
        ends = {0: ("0 none", "left"), 1: ("1 strongest", "right")}
    bar.set_ticks(list(ends), labels=[words for words, _ in ends.values()])
    axes.set_xlim(min(ends), 1)
    axes.tick_params(length=2, width=0.6, labelsize=7, color=QUIET, labelcolor=QUIET)
    for label, (_, side) in zip(axes.get_xticklabels(), ends.values(), strict=True):
        label.set_horizontalalignment(side)
    bar.outline.set(color=QUIET, linewidth=0.4)
    start = MARGIN + BAR + 0.25
    lines = wrapped(text, (width - start - MARGIN) * TEXT_INCH * 8 / 7)
    figure.text(start / width, (FOOT - 0.2) / height, lines, va="top", **QUIET_TEXT | {"fontsize": 7})
