"""The sheet that figures are drawn on, without pyplot: no global state, safe in any thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unhans.spray.preprocessing import sum_pool

if TYPE_CHECKING:
    from matplotlib.axes import Axes
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


def shorten(name: str, length: int) -> str:
    """Cut a name to at most so many characters, the last of them an ellipsis."""
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"
