"""Where relevance is kept and lost, for the terminal, for scripts and as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.markup import escape
from rich.table import Column, Table

from unhans.lrp import Balance, Conservation
from unhans.report.figures import canvas
from unhans.report.tables import Rows, terminal_table
from unhans.report.text import shorten

SHOWN = 12  # rows of the terminal's table
DRAWN = 60  # rows of the figure; what absorbs least is left out
COLUMNS = ("layer", "operation", "rule", "arrived", "passed", "bias", "epsilon", "other")
COLOURS = {"bias": canvas.QUIET, "epsilon": canvas.AMBER, "other": canvas.ALARM}


def conservation_table(report: Conservation, title: str) -> Table:
    """Make a table of the steps that absorb most, in % of Σ |logits|, in the order from input to output."""
    words = [Column("layer", no_wrap=True, max_width=28), Column("operation", no_wrap=True, max_width=14)]
    caption = f"Relevance flows from the last row to the first. {_summary(report)}"
    table = terminal_table(title, words, ("arrives", "bias", "ε", "other"), caption)
    for step in _most(report, SHOWN):
        numbers = (step.arrived, step.bias, step.epsilon, step.other)
        table.add_row(escape(step.layer), step.operation, *[_share(report, n) for n in numbers])
    return table


def _summary(report: Conservation) -> str:
    """Say what reached the input and what absorbed the rest."""
    bias, epsilon, other = (_share(report, amount) for amount in (report.bias, report.epsilon, report.other))
    reached, logits = (_share(report, float(sums.double().sum())) for sums in (report.relevance, report.logits))
    return (
        f"In % of Σ |logits| (signs cancel in sums):\n"
        f"{len(report.logits)} logits sum to {logits}; {reached} reach the input, where Σ|R| is {report.magnitude:.3g} "
        f"times Σ |logits|.\n"
        f"Biases absorb {bias}, ε {epsilon}, other {other}: constants in sums and\n"
        "concatenations, and what rules drop, such as z⁺ where nothing contributes positively."
    )


def _share(report: Conservation, amount: float) -> str:
    """An amount of relevance in % of Σ |logits|."""
    return f"{round(report.percent(amount), 2) + 0.0:.2f} %"  # + 0.0: no minus before zero


def conservation_rows(report: Conservation) -> Rows:
    """Return a row for every step, the input's first, numbers in units of the logit."""
    return Rows(COLUMNS, [tuple(getattr(step, name) for name in COLUMNS) for step in report.steps])


def conservation_figure(report: Conservation, subtitle: str) -> Figure:
    """Draw what arrives at each step and what it absorbs, in % of Σ |logits|, the input at the bottom."""
    steps = _most(report, DRAWN)
    title = (
        f"The input's relevance differs from the logits by {100 * report.deviation:.2f} % of Σ |logits|; "
        f"Σ|R| is {report.magnitude:.3g} times as large"
    )
    figure, surface = canvas.chart(10, 0.9 + 0.2 * max(len(steps), 3), title, subtitle)
    left, right = surface.subplots(1, 2, sharey=True)
    rows = np.arange(len(steps))
    left.barh(rows, [report.percent(step.arrived) for step in steps], 0.6, color=canvas.BLUE)
    for offset, (name, colour) in zip((-0.25, 0, 0.25), COLOURS.items(), strict=True):
        right.barh(rows + offset, [report.percent(getattr(step, name)) for step in steps], 0.25, color=colour)
    for axes, heading in ((left, "relevance that arrives"), (right, "absorbed there")):
        axes.axvline(0, color=canvas.REST, lw=0.8)
        canvas.tidy(axes, f"{heading}   % of Σ |logits|", grid="x")
    canvas.name_rows(left, [shorten(f"{step.layer or 'model'} · {step.operation}", 38) for step in steps])
    left.invert_yaxis()  # the input lies at the bottom
    marks = zip(("biases", "ε", "other"), COLOURS.values(), strict=True)
    canvas.add_key(surface, {name: Patch(color=colour) for name, colour in marks}, "outside lower right", columns=3)
    return figure


def _most(report: Conservation, count: int) -> Sequence[Balance]:
    """The layers with a rule and whatever absorbs something; of many those that absorb most; in their order."""
    told = [step for step in report.steps if step.rule or abs(report.percent(step.arrived - step.passed)) > 0.01]
    order = sorted(range(len(told)), key=lambda i: -abs(told[i].arrived - told[i].passed))
    return [told[i] for i in sorted(order[:count])]
