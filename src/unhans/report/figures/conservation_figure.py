"""Where relevance is kept and lost, for the terminal, for scripts and as a figure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from unhans.report.figures.canvas import ALARM, BLUE, QUIET, REST, TEXT, page
from unhans.report.text import shorten
from unhans.store import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from unhans.lrp import Balance, Conservation


SHOWN = 12  # rows of the terminal's table
DRAWN = 60  # rows of the figure; what absorbs least is left out
COLUMNS = ("layer", "operation", "rule", "arrived", "passed", "bias", "epsilon", "other")
AMBER = "#d99a2b"


def conservation_table(report: Conservation, title: str) -> Table:
    """Make a table of the steps that absorb most, in % of Σ |logits|, in the order from input to output."""
    table = Table(title=escape(title), title_justify="left", box=SIMPLE, pad_edge=False)
    table.caption = escape(f"Relevance flows from the last row to the first. {report}")
    table.caption_justify, table.caption_style = "left", ""
    table.add_column("layer", no_wrap=True, max_width=28)
    table.add_column("operation", no_wrap=True, max_width=14)
    for heading in ("arrives", "bias", "ε", "other"):
        table.add_column(heading, justify="right", no_wrap=True)
    for step in _most(report, SHOWN):
        numbers = (step.arrived, step.bias, step.epsilon, step.other)
        table.add_row(escape(step.layer), step.operation, *[report.said(n) for n in numbers])
    return table


def write_conservation(path: str | os.PathLike[str], report: Conservation) -> None:
    """Write every step as CSV, the input's first, numbers in units of the logit."""
    write_csv(path, COLUMNS, ([getattr(step, name) for name in COLUMNS] for step in report.steps))


def conservation_figure(report: Conservation, subtitle: str) -> Figure:
    """Draw what arrives at each step and what it absorbs, in % of Σ |logits|, the input at the bottom."""
    steps = _most(report, DRAWN)
    lines = wrap(subtitle, 150)
    height = 1.45 + 0.15 * len(lines) + 0.2 * max(len(steps), 3)
    figure = page(10, height)
    inch = 1 / height
    figure.text(0.02, 1 - 0.15 * inch, _title(report), va="top", **(TEXT | {"fontsize": 13, "weight": "bold"}))
    figure.text(0.02, 1 - 0.42 * inch, "\n".join(lines), va="top", **(TEXT | {"fontsize": 9, "color": QUIET}))
    bottom, tall = 0.55 * inch, 0.2 * max(len(steps), 3) * inch
    left = figure.add_axes((0.3, bottom, 0.3, tall))
    right = figure.add_axes((0.65, bottom, 0.32, tall))
    rows = np.arange(len(steps))
    left.barh(rows, [report.percent(step.arrived) for step in steps], 0.6, color=BLUE)
    left.set_yticks(rows, [shorten(f"{step.layer or 'model'} · {step.operation}", 38) for step in steps], fontsize=7,
                    parse_math=False)  # fmt: skip
    for offset, name, colour in ((-0.25, "bias", QUIET), (0, "epsilon", AMBER), (0.25, "other", ALARM)):
        right.barh(rows + offset, [report.percent(getattr(step, name)) for step in steps], 0.25, color=colour)
    right.set_yticks([])
    for axes, title in ((left, "relevance that arrives"), (right, "absorbed there")):
        _plain(axes, f"{title}   % of Σ |logits|")
    for x, colour, text in ((0.74, QUIET, "biases"), (0.81, AMBER, "ε"), (0.85, ALARM, "other")):
        figure.text(x, 0.12 * inch, "■", **(TEXT | {"color": colour, "fontsize": 10}))
        figure.text(x + 0.016, 0.12 * inch, text, **TEXT)
    return figure


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", **(TEXT | {"fontsize": 9}))
    axes.axvline(0, color=REST, lw=0.8)
    axes.margins(y=0.01)
    axes.tick_params(axis="x", labelsize=7, color=REST, labelcolor=QUIET)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    axes.grid(axis="x", color=REST, lw=0.4, alpha=0.6)
    axes.set_axisbelow(True)


def _most(report: Conservation, count: int) -> Sequence[Balance]:
    """The layers with a rule and whatever absorbs something; of many those that absorb most; in their order."""
    told = [step for step in report.steps if step.rule or abs(report.percent(step.arrived - step.passed)) > 0.01]
    order = sorted(range(len(told)), key=lambda i: -abs(told[i].arrived - told[i].passed))
    return [told[i] for i in sorted(order[:count])]


def _title(report: Conservation) -> str:
    return (
        f"The input's relevance differs from the logits by {100 * report.deviation:.2f} % of Σ |logits|; "
        f"Σ|R| is {report.magnitude:.3g} times as large"
    )
