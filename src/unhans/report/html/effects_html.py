"""The effects of an artifact and its controls as a table whose rows are drawn as dots with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from unhans.report.tables import CONTROLS, EffectGroup, EffectLine, axis_of
from unhans.report.text import LOGIT, PROBABILITY, RANK, SHARE, Measure

COLUMNS = (RANK, LOGIT, SHARE)
READING = (
    "Mean changes towards the class, each with its 95 % interval: Δp of its probability (the dot and its line), Δrank "
    "of its rank (positive: towards the top), Δlogit of its logit; flipped: samples newly predicted as the class or, "
    f"after a removal, no longer. {CONTROLS}"
)


def effects_table(groups: Sequence[EffectGroup]) -> str:
    """Return the lines of all groups as an HTML table on one axis; a dashed line is the least that a group's
    intervals must reach."""
    low, high, ticks = axis_of(groups)
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("", "n", "", "Δp", *(m.heading for m in COLUMNS)))
    bodies = "".join(_group(group, low, high) for group in groups)
    foot = "".join(f'<i style="left:{_at(tick, low, high):.2f}%">{_tick(tick)}</i>' for tick in ticks)
    axis = f'<tfoot aria-hidden="true"><tr><td></td><td></td><td class="plot"><span>{foot}</span></td></tr></tfoot>'
    return (
        f'<table class="effects"><thead><tr>{head}</tr></thead>{bodies}{axis}</table>'
        f'<p class="quiet small">{READING}</p>'
    )


def _group(group: EffectGroup, low: float, high: float) -> str:
    marks = [f'<i class="zero" style="left:{_at(0, low, high):.2f}%"></i>']
    if group.least is not None:
        marks.append(f'<i class="least" style="left:{_at(group.least, low, high):.2f}%"></i>')
    least = "" if group.least is None else f' <span class="quiet">must lie above {group.least:.2g}, dashed</span>'
    heading = f'<tr class="group"><th colspan="7" scope="rowgroup">{escape(group.title)}{least}</th></tr>'
    return f"<tbody>{heading}{''.join(_row(line, low, high, ''.join(marks)) for line in group.lines)}</tbody>"


def _row(line: EffectLine, low: float, high: float, marks: str) -> str:
    first, last, at = (_at(value, low, high) for value in (line.low, line.high, line.value))
    dot = f'<b style="left:{first:.2f}%;width:{max(last - first, 0):.2f}%"></b><u style="left:{at:.2f}%"></u>'
    interval = f"[{PROBABILITY.written(line.low)}, {PROBABILITY.written(line.high)}]"
    said = f'{PROBABILITY.written(line.value)} <span class="quiet">{interval}</span>'
    numbers = "".join(_cell(line, measure) for measure in COLUMNS) if line.effect else ""
    kind = ' class="marked"' if line.marked else ""
    return (
        f'<tr{kind}><th scope="row">{escape(line.name)}</th><td class="n" data-title="n">{line.n}</td>'
        f'<td class="plot" aria-hidden="true"><span>{marks}{dot}</span></td>'
        f'<td data-title="Δp">{said}</td>{numbers}</tr>'
    )


def _cell(line: EffectLine, measure: Measure) -> str:
    value = f"{measure.said(line.effect)} <span class='quiet'>{measure.range_said(line.effect)}</span>"
    return f'<td data-title="{measure.heading}">{value}</td>'


def _at(value: float, low: float, high: float) -> float:
    """Return where a value lies on the axis, in % of its length; what lies beyond it lies at its end."""
    return 100 * min(max((value - low) / (high - low), 0), 1) if not math.isnan(value) else 0.0


def _tick(value: float) -> str:
    return f"{value:.2g}".replace("-", "−") if value else "0"
