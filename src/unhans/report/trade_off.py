"""What a repair costs against what it achieves: clean accuracy over the effect that is left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from unhans.report.canvas import INK, QUIET, REST, TEXT, page
from unhans.report.repair_look import dress, heading, pen_of
from unhans.report.repair_rows import Summary, summaries
from unhans.report.repair_sentences import basis
from unhans.report.repaired import BEFORE, OutcomeLike, name_of
from unhans.report.sheet import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 9.0, 5.2  # inches
KEY = 0.3  # inches of a line of the key


def trade_off_figure(outcomes: Iterable[OutcomeLike], subtitle: str = "") -> Figure:
    """Draw every method as a mark with 95 % intervals: Δp across, accuracy on unaltered images upwards.

    A good repair lies at Δp = 0 and not below the dashed line, which is the accuracy before any repair. Raises
    ValueError where there is no outcome.
    """
    found = summaries(outcomes)
    figure = page(WIDTH, HEIGHT)
    heading(figure, "What a repair achieves and what it costs", subtitle)
    axes = figure.add_axes((0.09, 0.2, 0.53, 0.61))
    for one in found:
        _mark(axes, one)
    axes.axvline(0, color=REST, lw=1.2, zorder=0)
    dress(axes, grid="both")
    _scales(axes)
    axes.set_xlabel("effect of the artifact that is left, Δp (0 is best)", **TEXT)
    axes.set_ylabel("accuracy on unaltered images (high is best)", **TEXT)
    for number, one in enumerate(found):
        _key(figure, one, 0.79 - KEY / HEIGHT * number)
    dashed = "Dashed: before any repair. " if any(one.method == BEFORE for one in found) else ""
    note = wrapped(f"{dashed}{basis(found)}", 128)
    figure.text(0.02, 0.12 / HEIGHT, note, va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def _mark(axes: Axes, one: Summary) -> None:
    pen, x, y = pen_of(one.method), one.effect, one.clean
    line = {"color": pen.colour, "lw": 1.4, "alpha": 0.75, "solid_capstyle": "butt"}
    axes.plot(x.interval, [y.mean, y.mean], **line)
    axes.plot([x.mean, x.mean], y.interval, **line)
    axes.plot(x.mean, y.mean, pen.mark, ms=8, color=pen.colour, mec="white", mew=0.8, zorder=3)
    if one.method == BEFORE:
        axes.axhline(y.mean, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)


def _scales(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, max((high - low) / 2, 0.02)  # a point must not look like a fall
    axes.set_ylim(middle - half, min(middle + half, 1.005))
    left, right = axes.get_xlim()
    axes.set_xlim(min(left, -0.02), max(right, 0.1))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}".replace("-", "−")))


def _key(figure: Figure, one: Summary, y: float) -> None:
    from matplotlib.lines import Line2D

    pen = pen_of(one.method)
    mark = Line2D([0.655], [y], marker=pen.mark, ms=8, color=pen.colour, mec="white", mew=0.8)
    figure.add_artist(mark)
    figure.text(0.675, y, wrapped(name_of(one.method), 44), va="center", **TEXT)
