"""Barycenters of four images under several metrics, side by side ([000] figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from unhans.report.canvas import BLUE, QUIET, REST, TEXT, blank, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 3.9  # inches of a panel
GAP = 0.35  # inches between panels, and round all of them
HEAD = 1.35  # inches above the panels
FOOT = 0.4  # inches below them
BRIGHTEST = 0.999  # share of the pixels below full ink: one bright pixel shall not make the others pale


class Panel(NamedTuple):
    """The barycenters (rows, columns, H, W) under one metric, what it is called and what it does."""

    name: str
    remark: str
    images: NDArray[np.floating]


def barycenter_figure(panels: Sequence[Panel], title: str, subtitle: str) -> Figure:
    """Draw a grid of barycenters for every metric, dark where there is mass; the given images are framed."""
    width, height = GAP + (SIDE + GAP) * len(panels), HEAD + SIDE + FOOT
    figure = page(width, height)
    figure.text(GAP / width, 1 - 0.2 / height, title, va="top", **(TEXT | {"fontsize": 14, "weight": "bold"}))
    figure.text(GAP / width, 1 - 0.5 / height, subtitle, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    for number, panel in enumerate(panels):
        left, top = (GAP + (SIDE + GAP) * number) / width, 1 - HEAD / height
        figure.text(left, top + 0.3 / height, panel.name, **(TEXT | {"fontsize": 11, "weight": "bold"}))
        figure.text(left, top + 0.1 / height, panel.remark, **(TEXT | {"color": QUIET}))
        axes = figure.add_axes((left, FOOT / height, SIDE / width, SIDE / height))
        _draw(blank(axes, *panel.images.shape[1::-1]), panel.images)
    note = "In the blue frames: the given images. Between them each weighs the less the larger the Chebyshev distance."
    figure.text(GAP / width, 0.15 / height, note, **(TEXT | {"color": QUIET}))
    return figure


def _draw(axes: Axes, images: NDArray[np.floating]) -> None:
    rows, columns, height, width = images.shape
    limits = np.maximum(np.quantile(images, BRIGHTEST, axis=(2, 3), keepdims=True), 1e-12)
    sheet = np.clip(images / limits, 0, 1).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    view = axes.axis()  # imshow changes it
    axes.imshow(sheet, cmap="Greys", vmin=0, vmax=1, extent=(0, columns, rows, 0), interpolation="bilinear")
    axes.axis(view)
    axes.add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor=REST, linewidth=0.6, clip_on=False))
    for x in (0, columns - 1):
        for y in (0, rows - 1):
            axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=BLUE, linewidth=1.2, clip_on=False))
