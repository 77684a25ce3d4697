"""All classes in order of suspicion, heatmaps beside raw images; and how separable their clusters are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from unhans.report.figures import canvas
from unhans.report.tables import separability_ends
from unhans.report.text import shorten, tau_sentence
from unhans.spray import Suspicion

SHOWN = 40  # rows; more do not read at a glance
ROW = 0.24  # inches
PANELS = {  # by heading, the fields of a class and of its raw images
    "score   large: a group stands apart →": ("score", None),
    "λ₂   ← small: a cluster stands apart": ("lambda_2", "control_lambda_2"),
    "τ   large: separable clusters →": ("tau", "control_tau"),
}


def ranking_figure(ranking: Sequence[Suspicion], subtitle: str = "") -> Figure:
    """Draw score, λ₂ and τ of every class, most suspicious first, as bars; λ₂ and τ beside those of its raw images.

    Suspicious classes are red. Of more than 40 classes the first 40 are drawn and the others summed up in a line.

    Raises:
        ValueError: the ranking is empty.
    """
    if not ranking:
        raise ValueError("A ranking must hold at least one class; got none.")
    shown, rest = ranking[:SHOWN], ranking[SHOWN:]
    count = sum(entry.suspicious for entry in ranking)
    title = f"{count or 'None'} of {len(ranking)} classes {'stands' if count < 2 else 'stand'} out"
    figure, surface = canvas.chart(10, 0.9 + ROW * max(len(shown), 2), title, subtitle, _summary(rest))
    panels = surface.subplots(1, len(PANELS), sharey=True)
    for axes, (heading, fields) in zip(panels, PANELS.items(), strict=True):
        _draw_bars(axes, shown, *fields)
        canvas.tidy(axes, heading, grid="x")
    names, marked = [shorten(entry.name, 28) for entry in shown], [entry.suspicious for entry in shown]
    canvas.name_rows(panels[0], names, marked, canvas.ALARM)
    colours = {"stands out": canvas.ALARM, "heatmaps": canvas.BLUE, "raw images (control)": canvas.REST}
    if all(entry.control_lambda_2 is None for entry in ranking):
        del colours["raw images (control)"]
    marks = {name: Patch(color=colour) for name, colour in colours.items()}
    canvas.add_key(surface, marks, "outside upper right", columns=3)
    return figure


def _draw_bars(axes: Axes, shown: Sequence[Suspicion], field: str, control: str | None) -> None:
    rows, values = np.arange(len(shown)), [getattr(entry, field) for entry in shown]
    least = 0.004 * max(values, default=0)  # a value of zero shall be seen to be there
    colours = [canvas.ALARM if entry.suspicious else canvas.BLUE for entry in shown]
    axes.barh(rows - 0.12, [value if value < 0 else max(value, least) for value in values], 0.46, color=colours)
    raw = [None if control is None else getattr(entry, control) for entry in shown]
    axes.barh(rows + 0.24, [np.nan if value is None else value for value in raw], 0.2, color=canvas.REST)
    axes.axvline(0, color=canvas.REST, lw=0.8)


def _summary(rest: Sequence[Suspicion]) -> str:
    if not rest:
        return ""
    low, high = min(e.lambda_2 for e in rest), max(e.lambda_2 for e in rest)
    least, most = min(e.tau for e in rest), max(e.tau for e in rest)
    return f"and {len(rest)} further classes: λ₂ {low:.3f} to {high:.3f}, τ {least:.2f} to {most:.2f}"


BINS = 40  # of the histogram, at most


def separability_figure(ranking: Sequence[Suspicion], subtitle: str = "") -> Figure:
    """Draw how τ is distributed over all classes, beside the most and the least separable ones ([000] table 1).

    Raises:
        ValueError: the ranking is empty.
    """
    if not ranking:
        raise ValueError("A ranking must hold at least one class; got none.")
    values = np.array([entry.tau for entry in ranking])
    high, low = separability_ends(ranking)
    title = f"Separability τ of {len(ranking)} classes: {values.min():.2f} to {values.max():.2f}"
    figure, surface = canvas.chart(10, 0.9 + ROW * max(len(high) + 1, 7), title, subtitle, tau_sentence(ranking))
    left, right = surface.subplots(1, 2, width_ratios=(1.25, 1))
    _draw_counts(left, values[np.isfinite(values)])
    for entry in ranking:
        if np.isfinite(entry.tau):
            left.axvline(entry.tau, ymax=0.04, lw=1, color=canvas.ALARM if entry.suspicious else canvas.BLUE)
    canvas.tidy(left, "classes by τ (dashed: median; red: stands out)", frame=("bottom",), xlabel="τ")
    left.yaxis.get_major_locator().set_params(integer=True)
    canvas.blank(right, 2, max(len(high), 7) + 1)
    right.set_aspect("auto")
    for column, (heading, side) in enumerate((("most separable", high), ("least separable", low))):
        canvas.write(right, column, 0.5, heading, weight="bold")
        for row, entry in enumerate(side, 1):
            colour = canvas.ALARM if entry.suspicious else canvas.INK
            canvas.write(right, column, row + 0.5, f"{entry.tau:.2f}  {shorten(entry.name, 22)}", color=colour)
    return figure


def _draw_counts(axes: Axes, values: np.ndarray) -> None:
    """Draw a histogram of finite values and their median; values that are as good as equal get a wider range."""
    if not len(values):
        return
    low, high = values.min(), values.max()
    pad = max(abs(low), abs(high), 1) / 100
    within = (low - pad, high + pad) if high - low < pad else (low, high)
    axes.hist(values, bins=min(BINS, max(5, len(values) // 3)), range=within, color=canvas.REST)
    axes.axvline(np.median(values), **canvas.DASHED)
