"""All classes in order of suspicion, heatmaps beside raw images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unhans.report.figures.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, page
from unhans.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.spray import Suspicion


SHOWN = 40  # rows; more do not read at a glance
ROW = 0.24  # inches
MARGIN = 1.5  # inches above and below the rows


def ranking_figure(ranking: Sequence[Suspicion], subtitle: str = "") -> Figure:
    """Draw score, λ₂ and τ of every class, most suspicious first, as bars; λ₂ and τ beside those of its raw images.

    Suspicious classes are red. Of more than 40 classes the first 40 are drawn and the others summed up in a line.

    Raises:
        ValueError: the ranking is empty.
    """
    if not ranking:
        raise ValueError("A ranking must hold at least one class; got none.")
    shown, rest = ranking[:SHOWN], ranking[SHOWN:]
    height = MARGIN + ROW * max(len(shown), 2)
    figure = page(10, height)
    inch = 1 / height
    count = sum(entry.suspicious for entry in ranking)
    title = f"{count or 'None'} of {len(ranking)} classes {'stands' if count < 2 else 'stand'} out"
    figure.text(0.02, 1 - 0.15 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.02, 1 - 0.42 * inch, shorten(subtitle, 150), va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    figure.text(0.02, 0.12 * inch, _summary(rest), va="bottom", **(TEXT | {"color": QUIET}))
    bottom, tall = 0.5 * inch, ROW * max(len(shown), 2) * inch
    first, second, third = (figure.add_axes((x, bottom, 0.23, tall)) for x in (0.22, 0.48, 0.74))
    names = [shorten(entry.name, 28) for entry in shown]
    _bars(first, shown, [e.score for e in shown], [None] * len(shown))
    _bars(second, shown, [e.lambda_2 for e in shown], [e.control_lambda_2 for e in shown])
    _bars(third, shown, [e.tau for e in shown], [e.control_tau for e in shown])
    first.set_yticks(range(len(shown)), names, fontsize=8, parse_math=False)
    for label, entry in zip(first.get_yticklabels(), shown, strict=True):
        label.set(color=ALARM if entry.suspicious else INK, weight="bold" if entry.suspicious else "normal")
    titles = (
        "score   large: a group stands apart →",
        "λ₂   ← small: a cluster stands apart",
        "τ   large: separable clusters →",
    )
    for axes, text in zip((first, second, third), titles, strict=True):
        axes.set_title(text, loc="left", **(TEXT | {"fontsize": 9}))
    _key(figure, 1 - 0.3 * inch, any(entry.control_lambda_2 is not None for entry in ranking))
    return figure


def _bars(axes: Axes, shown: Sequence[Suspicion], values: Sequence[float], controls: Sequence[float | None]) -> None:
    rows = np.arange(len(shown))
    colours = [ALARM if entry.suspicious else BLUE for entry in shown]
    least = 0.004 * max(values, default=0)  # a value of zero shall be seen to be there
    axes.barh(rows - 0.12, [value if value < 0 else max(value, least) for value in values], 0.46, color=colours)
    axes.barh(rows + 0.24, [np.nan if value is None else value for value in controls], 0.2, color=REST)
    axes.set_ylim(max(len(shown), 2) - 0.4, -0.6)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=7, color=REST, labelcolor=QUIET)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.vlines(0, *axes.get_ylim(), color=REST, lw=0.8)
    axes.grid(axis="x", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _key(figure: Figure, y: float, control: bool) -> None:
    entries = [(0.66, ALARM, "stands out"), (0.76, BLUE, "heatmaps"), (0.85, REST, "raw images (control)")]
    for x, colour, text in entries[: 3 if control else 2]:
        figure.text(x, y, "■", va="center", **(TEXT | {"color": colour, "fontsize": 10}))
        figure.text(x + 0.016, y, text, va="center", **TEXT)


def _summary(rest: Sequence[Suspicion]) -> str:
    if not rest:
        return ""
    low, high = min(e.lambda_2 for e in rest), max(e.lambda_2 for e in rest)
    least, most = min(e.tau for e in rest), max(e.tau for e in rest)
    return f"and {len(rest)} further classes: λ₂ {low:.3f} to {high:.3f}, τ {least:.2f} to {most:.2f}"
