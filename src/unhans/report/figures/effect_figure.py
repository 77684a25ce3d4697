"""The effect of an artifact beside its controls, and the effects of artifacts over the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from unhans.effects import Effect, Proof
from unhans.report.figures import canvas
from unhans.report.tables import CONTROLS, axis_of, effect_groups
from unhans.report.text import PROBABILITY, SHARE, shorten, verdict_summary

COLOURS = (canvas.ALARM, canvas.BLUE, canvas.AMBER, canvas.GREEN, canvas.VIOLET, canvas.QUIET)
LINES = ("-", (0, (5, 2)), (0, (1, 1.5)))  # another one after each round of colours
KEY_NAME = 100  # characters in the key
PANELS = {PROBABILITY: "Δp: mean change of the class's probability", SHARE: "share of flipped predictions"}


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
    n = sorted({effect.n for each in effects.values() for effect in each})
    said = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    subtitle = f"pasted on n = {said} samples of other classes; bands: 95 % intervals"
    figure, surface = canvas.chart(10, 3.1 + 0.19 * len(effects), "Effect of artifacts during training", subtitle)
    marks = {}
    panels = surface.subplots(1, len(PANELS))
    for axes, (measure, heading) in zip(panels, PANELS.items(), strict=True):
        for number, (name, each) in enumerate(effects.items()):
            colour, dashes = COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)]
            low, high = np.array([measure.interval(effect) for effect in each]).T
            if len(epochs) == 1:
                axes.vlines(epochs, low, high, lw=2, alpha=0.5, color=colour)
            else:
                axes.fill_between(epochs, low, high, alpha=0.18, lw=0, color=colour)
            axes.plot(epochs, [measure.value(effect) for effect in each], "o", ms=4, ls=dashes, lw=1.6, color=colour)
            marks[shorten(name, KEY_NAME)] = Line2D([], [], color=colour, ls=dashes, lw=2)
        canvas.tidy(axes, heading, grid="y", frame=("left", "bottom"), xlabel="epoch")
        canvas.name_epochs(axes, epochs)
        bottom, top = axes.get_ylim()
        axes.set_ylim(min(bottom, -0.02), max(top, 0.1))
        axes.axhline(0, color=canvas.REST, lw=0.8)
    panels[0].axhline(minimum, **canvas.DASHED)
    style = canvas.QUIET_TEXT | {"fontsize": 7, "ha": "right", "va": "bottom"}
    across = panels[0].get_yaxis_transform()
    panels[0].annotate(f"counts from {minimum:g} on", (1, minimum), (0, 2), across, textcoords="offset points", **style)
    canvas.add_key(surface, marks)
    return figure


WIDTH = 10.0  # inches
ROW = 0.3  # inches of a line
ABOVE = 1.4  # rows: a group's heading and the space above it
LEFT, SPAN = 0.29, 0.38  # share of the width: where the axis begins, and its length
NUMBERS, FLIPPED = ((x - LEFT) / SPAN for x in (0.695, 0.875))  # share of the axis: where the numbers stand
NAME = 38  # characters beside a line


def effect_figure(proof: Proof) -> Figure:
    """Draw dots with 95 % intervals: additions, the artifact minus its controls, removals.

    A dashed line is what the lower end of an interval must reach for the verdict "proven".
    """
    groups = effect_groups(proof)
    note = f"Δp: mean change of the probability of '{shorten(proof.name, 40)}', with its 95 % interval. {CONTROLS}"
    notes = canvas.wrapped(note, (WIDTH - 2 * canvas.MARGIN) * canvas.TEXT_INCH)
    rows, foot = sum(len(group.lines) + ABOVE for group in groups), 0.55 + 0.14 * notes.count("\n")
    title = f"class {shorten(proof.name, 70)}: {proof.verdict.name}"
    colour = canvas.ALARM if proof.verdict.name == "proven" else canvas.INK
    figure, share = canvas.headed(WIDTH, ROW * rows + foot, title, verdict_summary(proof), colour)
    inch = share / (ROW * rows + foot)
    figure.text(canvas.MARGIN / WIDTH, 0.1 * inch, notes, va="bottom", **canvas.QUIET_TEXT)
    axes = figure.add_axes((LEFT, foot * inch, SPAN, ROW * rows * inch))
    across, (low, high, ticks) = axes.get_yaxis_transform(), axis_of(groups)
    canvas.tidy(axes)
    axes.set(xlim=(low - 0.03 * (high - low), high + 0.03 * (high - low)), ylim=(rows, 0), xticks=ticks, yticks=[])
    for x, words in ((NUMBERS, "Δp"), (FLIPPED, "flipped")):
        axes.text(x, ABOVE - 0.6, words, va="center", transform=across, **canvas.QUIET_TEXT)
    top = 0.0
    for group in groups:
        start = (canvas.MARGIN / WIDTH - LEFT) / SPAN
        heading = axes.text(start, top + ABOVE - 0.6, group.title, va="center", transform=across, **canvas.HEADING)
        top += ABOVE
        bottom = top + len(group.lines)
        widths = [1 if abs(tick) < 1e-9 else 0.3 for tick in ticks]
        axes.vlines(ticks, top, bottom, color=canvas.REST, lw=widths, zorder=0)
        if group.least is not None:
            words = f"the red interval must lie above {group.least:.2g}, dashed"
            style = canvas.QUIET_TEXT | {"xycoords": heading, "textcoords": "offset points", "va": "center"}
            axes.annotate(words, (1, 0.5), (8, 0), **style)
            axes.vlines(group.least, top, bottom, **canvas.DASHED)
        for row, line in enumerate(group.lines):
            y, (of_dot, of_text) = top + row + 0.5, [canvas.ALARM] * 2 if line.marked else [canvas.BLUE, canvas.INK]
            canvas.dot(axes, line.value, (line.low, line.high), y, of_dot)
            style = canvas.TEXT | {"va": "center", "transform": across, "color": of_text}
            axes.text(-0.02, y, f"{shorten(line.name, NAME)}, n = {line.n}", ha="right", **style)
            axes.text(NUMBERS, y, PROBABILITY.with_interval(line.value, (line.low, line.high)), **style)
            if line.effect is not None:
                axes.text(FLIPPED, y, SHARE.in_full(line.effect), **style)
        top = bottom
    return figure
