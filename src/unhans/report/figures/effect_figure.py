"""The effect of an artifact beside its controls, and the effects of artifacts over the epochs of a training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unhans.effects import MINIMUM
from unhans.repair import FAR, Act, Followed
from unhans.report.figures.canvas import ALARM, BLUE, INK, QUIET, REST, TEXT, page, wrapped
from unhans.report.tables import CONTROLS, EffectGroup, EffectLine, axis_of, effect_groups
from unhans.report.text import PROBABILITY, SHARE, Measure, shorten, verdict_summary
from unhans.store import file_stem, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.effects import Effect, Proof


COLOURS = (ALARM, BLUE, "#d99a2b", "#2e8b6f", "#7a4fa3", "#7b8794")
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # another one after each round of colours
TICKS = 12  # epochs that are named, at most
KEY_NAME = 100  # characters in the key
KEY = 0.22  # inches of a line of the key


def monitor_figure(epochs: Sequence[int], effects: Mapping[str, Sequence[Effect]], minimum: float) -> Figure:
    """Draw the mean change of p and the share of flipped predictions after every epoch, with bands of 95 % intervals.

    Args:
        epochs: ascending.
        effects: by the name of an artifact, its effect after each of the epochs.
        minimum: the change of p from which an effect counts; a dashed line.

    Raises:
        ValueError: there is no epoch or no artifact, or an artifact has not one effect per epoch.
    """
    lengths = [len(each) for each in effects.values()]
    if not epochs or set(lengths) != {len(epochs)}:
        raise ValueError(
            f"A figure needs an epoch, an artifact, and an effect for each epoch; got {len(epochs)} epochs and "
            f"{lengths} effects."
        )
    head = 0.8 + KEY * len(effects)
    height = head + 3.2
    figure = page(10, height)
    inch = 1 / height
    n = sorted({effect.n for each in effects.values() for effect in each})
    said = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    title = "Effect of artifacts during training"
    figure.text(0.02, 1 - 0.15 * inch, title, va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    subtitle = f"pasted on n = {said} samples of other classes; bands: 95 % intervals"
    figure.text(0.02, 1 - 0.43 * inch, subtitle, va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    for number, name in enumerate(effects):
        _key(figure, name, number, 1 - (0.75 + KEY * number) * inch)
    panels = (PROBABILITY, "Δp: mean change of the class's probability"), (SHARE, "share of flipped predictions")
    for left, (measure, heading) in zip((0.06, 0.56), panels, strict=True):
        axes = figure.add_axes((left, 0.5 * inch, 0.41, 2.5 * inch))
        for number, each in enumerate(effects.values()):
            _curve(axes, epochs, each, measure, number)
        _dress(axes, heading, epochs)
    _minimum(figure.axes[0], minimum)
    return figure


def _minimum(axes: Axes, minimum: float) -> None:
    axes.axhline(minimum, color=INK, lw=0.9, ls=(0, (4, 3)))
    style = TEXT | {"fontsize": 7, "color": QUIET, "ha": "right", "va": "bottom"}
    across = axes.get_yaxis_transform()
    axes.annotate(f"counts from {minimum:g} on", (1, minimum), (0, 2), across, textcoords="offset points", **style)


def _curve(axes: Axes, epochs: Sequence[int], effects: Sequence[Effect], measure: Measure, number: int) -> None:
    values = [measure.value(effect) for effect in effects]
    low, high = np.array([measure.interval(effect) for effect in effects]).T
    style = {"color": COLOURS[number % len(COLOURS)]}
    if len(epochs) == 1:
        axes.vlines(epochs, low, high, lw=2, alpha=0.5, **style)
    else:
        axes.fill_between(epochs, low, high, alpha=0.18, lw=0, **style)
    axes.plot(epochs, values, "o", ms=4, ls=_line(number), lw=1.6, **style)


def _dress(axes: Axes, heading: str, epochs: Sequence[int]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    axes.set_title(heading, loc="left", **(TEXT | {"fontsize": 9}))
    axes.set_xlabel("epoch", **(TEXT | {"color": QUIET}))
    few = FixedLocator(list(epochs)) if len(epochs) <= TICKS else MaxNLocator(integer=True, nbins=TICKS)
    axes.xaxis.set_major_locator(few)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    bottom, top = axes.get_ylim()
    axes.set_ylim(min(bottom, -0.02), max(top, 0.1))
    axes.axhline(0, color=REST, lw=0.8)
    axes.tick_params(labelsize=7, color=REST, labelcolor=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(REST)
    axes.grid(axis="y", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _key(figure: Figure, name: str, number: int, y: float) -> None:
    from matplotlib.lines import Line2D

    colour = COLOURS[number % len(COLOURS)]
    figure.add_artist(Line2D([0.02, 0.05], [y, y], color=colour, lw=2, ls=_line(number)))
    figure.text(0.06, y, shorten(name, KEY_NAME), va="center", **TEXT)


def _line(number: int) -> str | tuple[int, tuple[float, ...]]:
    return LINES[number // len(COLOURS) % len(LINES)]


def charted(followed: Sequence[Followed]) -> dict[str, float]:
    """Return what a logger can plot: each artifact's last effect, how many were acted on and how many are still proven.

    The keys hold the class's name, and a number from the second artifact of a class on.
    """
    numbers = {
        "unhans/acted": float(sum(each.acted for each in followed)),
        "unhans/proven": float(sum(each.verdicts[-1] == "proven" for each in followed)),
    }
    for name, each in zip(_names(followed), followed, strict=True):
        effect = each.effects[-1]
        low, high = effect.probability_interval
        values = {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high}
        values["proven"] = float(each.verdicts[-1] == "proven")
        numbers |= {f"unhans/{name}/{key}": value for key, value in values.items()}
    return numbers


def write_course(folder: Path, followed: Sequence[Followed], act: Act) -> dict[str, Path]:
    """Draw the effect of every artifact since it was proven; return the pictures by their key in a logger."""
    written = {}
    for name, each in zip(_names(followed), followed, strict=True):
        key = f"class {each.name!r}, proven after epoch {each.since}: {FAR[act if each.acted else 'none']} since"
        path = folder / f"course-{file_stem(each.label, name)}.png"
        write_figure(path, monitor_figure(each.epochs, {key: each.effects}, MINIMUM))
        written[f"unhans/{name}"] = path
    return written


def _names(followed: Sequence[Followed]) -> list[str]:
    """The class of each artifact as in the keys of a logger, numbered from the second of a class on."""
    seen: Counter[str] = Counter()
    names = []
    for each in followed:
        name = each.name.replace("/", "_")
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names


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
    sentence = wrapped(verdict_summary(proof), SENTENCE)
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


def _group(figure: Figure, axes: Axes, group: EffectGroup, last: bool, ticks: list[float]) -> None:
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


def _texts(axes: Axes, line: EffectLine, row: int) -> None:
    style = TEXT | {"va": "center", "transform": axes.get_yaxis_transform(), "color": ALARM if line.marked else INK}
    number, flipped = ((x - LEFT) / SPAN for x in (NUMBERS, FLIPPED))
    name = f"{shorten(line.name, NAME)}, n = {line.n}"
    axes.text(-0.02, row, name, ha="right", **style)
    numbers = [PROBABILITY.written(value) for value in (line.value, line.low, line.high)]
    axes.text(number, row, "{} [{}, {}]".format(*numbers), **style)
    if line.effect is not None:
        axes.text(flipped, row, f"{SHARE.said(line.effect)} {SHARE.range_said(line.effect)}", **style)
