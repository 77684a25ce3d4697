"""The effect of an artifact beside its controls: one look tells why it is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unhans.report.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, page, shorten
from unhans.report.effect_lines import CONTROLS, Group, Line, axis_of, effect_groups
from unhans.report.measures import PROBABILITY, SHARE
from unhans.report.sheet import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.artifacts.proof import Proof

WIDTH = 10.0  # inches
ROW = 0.3  # inches of a line
TITLE = 0.42  # inches of a group's heading and the space above it
SENTENCE = 138  # characters of a line under the title
LEFT, SPAN = 0.28, 0.39  # share of the width: where the axis begins, and its length
NUMBERS, FLIPPED = 0.695, 0.875  # share of the width: where the numbers stand
NAME = 36  # characters beside a line


def effect_figure(proof: Proof) -> Figure:
    """Draw dots with 95 % intervals: additions, the artifact minus its controls, removals.

    A dashed line is what the lower end of an interval must reach for the verdict "proven".
    """
    groups = effect_groups(proof)
    sentence = wrapped(proof.verdict.summary, SENTENCE)
    head = 0.7 + 0.15 * sentence.count("\n")
    rows = sum(len(group.lines) for group in groups)
    height = head + TITLE * len(groups) + ROW * rows + 0.95
    figure = page(WIDTH, height)
    inch = 1 / height
    title = f"class {shorten(proof.name, 70)}: {proof.verdict.name}"
    colour = ALARM if proof.verdict.name == "proven" else INK
    figure.text(0.02, 1 - 0.15 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold", "color": colour}))
    figure.text(0.02, 1 - 0.45 * inch, sentence, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    for x, words in ((NUMBERS, "Δp"), (FLIPPED, "flipped")):
        figure.text(x, 1 - (head + TITLE - 0.1) * inch, words, **(TEXT | {"color": QUIET}))
    low, high, ticks = axis_of(groups)
    top = head
    for number, group in enumerate(groups):
        tall = ROW * len(group.lines)
        bottom = height - top - TITLE - tall
        axes = figure.add_axes((LEFT, bottom * inch, SPAN, tall * inch))
        axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
        _group(figure, axes, group, number == len(groups) - 1, ticks)
        top += TITLE + tall
    note = f"Δp: mean change of the probability of '{shorten(proof.name, 40)}', with its 95 % interval. {CONTROLS}"
    figure.text(0.02, 0.12 * inch, wrapped(note, SENTENCE), va="bottom", **(TEXT | {"color": QUIET}))
    return figure


def _group(figure: Figure, axes: Axes, group: Group, last: bool, ticks: list[float]) -> None:
    count = len(group.lines)
    axes.set_ylim(count - 0.5, -0.5)
    axes.axvline(0, color=REST, lw=0.8)
    if group.least is not None:
        axes.axvline(group.least, color=INK, lw=0.9, ls=(0, (4, 3)))
    for row, line in enumerate(group.lines):
        colour = ALARM if line.marked else BLUE
        axes.plot([line.low, line.high], [row, row], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot(line.value, row, "o", ms=5.5, color=colour)
        _texts(axes, line, row)
    axes.set_yticks([])
    axes.set_xticks(ticks, [f"{tick:.2g}".replace("-", "−") for tick in ticks] if last else [])
    axes.tick_params(axis="x", labelsize=7, length=2, color=REST, labelcolor=QUIET)
    axes.spines[:].set_visible(False)
    axes.grid(axis="x", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    box, inch = axes.get_position(), 1 / figure.get_figheight()
    above = box.y1 + 0.1 * inch
    title = figure.text(0.02, above, group.title, **(TEXT | {"fontsize": 9, "weight": "bold"}))
    if group.least is not None:
        end = title.get_window_extent(figure.canvas.get_renderer()).x1 / figure.bbox.width
        least = f"the red interval must lie above {group.least:.2g}, dashed"
        figure.text(end + 0.015, above, least, **(TEXT | {"color": QUIET}))


def _texts(axes: Axes, line: Line, row: int) -> None:
    style = TEXT | {"va": "center", "transform": axes.get_yaxis_transform(), "color": ALARM if line.marked else INK}
    number, flipped = ((x - LEFT) / SPAN for x in (NUMBERS, FLIPPED))
    name = f"{shorten(line.name, NAME)}, n = {line.n}"
    axes.text(-0.02, row, name, ha="right", **style)
    numbers = [PROBABILITY.written(value) for value in (line.value, line.low, line.high)]
    axes.text(number, row, "{} [{}, {}]".format(*numbers), **style)
    if line.effect is not None:
        axes.text(flipped, row, f"{SHARE.said(line.effect)} {SHARE.range_said(line.effect)}", **style)
