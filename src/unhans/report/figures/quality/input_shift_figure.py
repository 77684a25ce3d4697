"""How much the heatmaps of each method change with the normalisation of the inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from unhans.faithfulness import ShiftedMaps
from unhans.report.figures import BLUE, REST, TEXT, chart, name_rows, tidy
from unhans.report.text import shorten
from unhans.report.text.quality import SHIFT_NOTE


def input_shift_figure(found: Sequence[ShiftedMaps], subtitle: str) -> Figure:
    """Draw a bar for every method: the mean relative difference, with a dot for each image."""
    figure, surface = chart(8, 0.6 + 0.32 * len(found), "Heatmaps under other inputs", subtitle, SHIFT_NOTE)
    axes = surface.subplots()
    rows = range(len(found))
    axes.barh(rows, [one.mean_difference for one in found], 0.55, color=REST)
    for row, one in zip(rows, found, strict=True):
        finite = one.difference[np.isfinite(one.difference)]
        axes.plot(finite, [row] * len(finite), "o", ms=3, color=BLUE, alpha=0.6)
        if one.equal or one.infinite:
            said = " equal" if one.equal else f" infinite for {one.infinite} of {len(one.difference)} images"
            axes.text(0, row, said, va="center", **TEXT)
    tidy(axes, "Σ|A − B| / Σ|A|", grid="x")
    name_rows(axes, [shorten(one.name, 48) for one in found])
    axes.set_xlim(0, max(1.0, *axes.get_xlim()))
    return figure
