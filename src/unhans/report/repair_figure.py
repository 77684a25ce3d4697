"""All methods of repair side by side: what accuracy they cost and what of the artifact's effect they leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from unhans.artifacts.numerals import signed
from unhans.report.canvas import INK, QUIET, REST, TEXT, page
from unhans.report.measures import UNKNOWN
from unhans.report.percent import percent
from unhans.report.repair_look import SMALL, dress, heading, pen_of
from unhans.report.repair_rows import Summary, summaries
from unhans.report.repair_sentences import basis
from unhans.report.repaired import BEFORE, OutcomeLike, short_name
from unhans.report.sheet import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.artifacts.estimate import Estimate

WIDTH = 12.0  # inches
ROW = 0.42  # inches of a method
LEFT, RIGHT, APART = 1.55, 0.2, 0.22  # inches
HEAD, FOOT = 1.25, 0.75  # inches
CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # no line runs through a number
LINE = 165  # characters of the note in a line


class Panel(NamedTuple):
    """One number of every method: field of a summary, what it is, which way is better, how it is written."""

    field: str
    title: str
    better: str
    write: Callable[[float], str]


PANELS = (
    Panel("clean", "unaltered images", "accuracy, right is better", percent),
    Panel("added", "artifact added to all", "accuracy, right is better", percent),
    Panel("removed", "artifact removed", "accuracy, right is better", percent),
    Panel("worst", "worst group", "accuracy, right is better", percent),
    Panel("effect", "effect of the artifact", "Δp, 0 is best", lambda value: signed(value, 3)),
    Panel("relevance", "relevance in the mask", "share, left is better", percent),
)
SHARED = ("clean", "added", "removed", "worst")  # accuracies, on one scale


def repair_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
    """Draw a row per method and a panel per number, dots with 95 % intervals; dashed: the network as it was.

    Raises ValueError where there is no outcome.
    """
    found = summaries(outcomes)
    panels = [panel for panel in PANELS if any(getattr(one, panel.field) for one in found)]
    dashed = "Dashed: before any repair. " if any(one.method == BEFORE for one in found) else ""
    note = wrapped(f"{dashed}{basis(found)}", LINE)
    foot = FOOT + 0.13 * note.count("\n")
    height = HEAD + ROW * len(found) + foot
    figure = page(WIDTH, height)
    heading(figure, "Repairs compared", subtitle)
    wide = (WIDTH - LEFT - RIGHT - APART * (len(panels) - 1)) / len(panels)
    limits = _limits(found)
    for number, panel in enumerate(panels):
        left = LEFT + (wide + APART) * number
        axes = figure.add_axes((left / WIDTH, foot / height, wide / WIDTH, ROW * len(found) / height))
        _panel(axes, panel, found, limits if panel.field in SHARED else None)
        if number == 0:
            _names(axes, found)
    figure.text(0.02, 0.12 / height, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def _panel(axes: Axes, panel: Panel, found: Sequence[Summary], limits: tuple[float, float] | None) -> None:
    for row, one in enumerate(found):
        value: Estimate | None = getattr(one, panel.field)
        if value is None:
            axes.text(0.5, row, UNKNOWN, **(TEXT | {"transform": axes.get_yaxis_transform(), "ha": "center"}))
            continue
        if one.method == BEFORE:
            axes.axvline(value.mean, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
        pen = pen_of(one.method)
        axes.plot(value.interval, [row, row], color=pen.colour, lw=2.2, solid_capstyle="butt")
        axes.plot(value.mean, row, pen.mark, ms=5.5, color=pen.colour)
    if panel.field not in SHARED:
        axes.axvline(0, color=REST, lw=0.9, zorder=0)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(*(limits or _own(panel.field, found)))
    _values(axes, panel, found)
    dress(axes)
    axes.set_yticks([])
    _ticks(axes, panel)
    axes.axhline(-0.6, color=REST, lw=0.8)
    axes.annotate(panel.title, (0, 1), (0, 17), "axes fraction", "offset points", **(TEXT | {"weight": "bold"}))
    axes.annotate(panel.better, (0, 1), (0, 6), "axes fraction", "offset points", **(TEXT | {"color": QUIET}))


def _values(axes: Axes, panel: Panel, found: Sequence[Summary]) -> None:
    """Write every number above its dot, and never beyond the panel."""
    low, high = axes.get_xlim()
    for row, one in enumerate(found):
        value = getattr(one, panel.field)
        if value is not None:
            part = (value.mean - low) / (high - low)
            side = "left" if part < 0.2 else "right" if part > 0.8 else "center"
            text = panel.write(value.mean)
            style = TEXT | {"fontsize": SMALL, "ha": side, "va": "bottom", "bbox": CLEAR}
            axes.annotate(text, (value.mean, row), (0, 5), "data", "offset points", **style)


def _limits(found: Sequence[Summary]) -> tuple[float, float]:
    """One scale for all accuracies, from the tenth below the smallest to 1."""
    values = [value for one in found for field in SHARED if (value := getattr(one, field)) is not None]
    low = math.floor(10 * min(value.interval[0] for value in values)) / 10
    return low - 0.05 * (1 - low), 1 + 0.05 * (1 - low)


def _own(field: str, found: Sequence[Summary]) -> tuple[float, float]:
    """A scale that holds 0 and is never so fine that nothing looks like something."""
    ends = [end for one in found if (value := getattr(one, field)) for end in value.interval]
    low, high = min(0.0, *ends), max(0.1, *ends)
    room = 0.06 * (high - low)
    return low - room, high + room


def _ticks(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 4, 5, 10]))
    said = (lambda x, _: f"{x:.2g}".replace("-", "−")) if panel.field == "effect" else (lambda x, _: f"{100 * x:.0f} %")
    axes.xaxis.set_major_formatter(FuncFormatter(said))


def _names(axes: Axes, found: Sequence[Summary]) -> None:
    axes.set_yticks(range(len(found)), [short_name(one.method) for one in found], fontsize=8, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=8)
    for label, one in zip(axes.get_yticklabels(), found, strict=True):
        label.set_color(INK)
        label.set_weight("bold" if one.method == BEFORE else "normal")
