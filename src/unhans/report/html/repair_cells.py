"""The comparison of repairs as an HTML table whose numbers are drawn as dots with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from unhans.repair import BEFORE, Summary
from unhans.report.figures import pen_of
from unhans.report.html.chart import key_mark
from unhans.report.html.repair_charts import kind
from unhans.report.text import UNKNOWN, group_said, percent, percent_range, reduced_said, signed
from unhans.stats import Estimate


class Column(NamedTuple):
    """A number of every method: its heading, how it is written, and the ends of its axis; None: the ends found."""

    field: str
    heading: str
    write: Callable[[float], str]
    ends: Callable[[tuple[float, float]], str]
    axis: tuple[float | None, float | None]


def _signs(interval: tuple[float, float]) -> str:
    return "[{}, {}]".format(*(signed(end, 3) for end in interval))


def _decimals(interval: tuple[float, float]) -> str:
    return "[{:.3f}, {:.3f}]".format(*interval)


COLUMNS = (
    Column("clean", "Unaltered", percent, percent_range, (0.0, 1.0)),
    Column("added", "Artifact added", percent, percent_range, (0.0, 1.0)),
    Column("removed", "Artifact removed", percent, percent_range, (0.0, 1.0)),
    Column("worst", "Worst group", percent, percent_range, (0.0, 1.0)),
    Column("effect", "Effect, Δp", lambda value: signed(value, 3), _signs, (None, None)),
    Column("relevance", "In the mask", percent, percent_range, (0.0, None)),
    Column("area", "AUC", "{:.3f}".format, _decimals, (0.5, 1.0)),
)


def comparison(found: Sequence[Summary]) -> str:
    """Return a row per method; a dashed line in a cell is the network before any repair."""
    shown = [column for column in COLUMNS if any(getattr(one, column.field) for one in found)]
    headings = [column.heading for column in shown]
    headings.insert(headings.index("Effect, Δp") + 1, "Reduced by")
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in ("Method", *headings, "Time"))
    rows = "".join(_row(one, shown, found) for one in found)
    return f'<table class="repairs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _row(one: Summary, columns: Sequence[Column], found: Sequence[Summary]) -> str:
    cells = []
    for column in columns:
        cells.append(_cell(one, column, found))
        if column.field == "effect":
            cells.append(_reduced(one))
    notes = "".join(f'<span class="quiet">{escape(note)}</span>' for note in one.notes)
    name = f"{key_mark(pen_of(one.method).mark)}<span><b>{escape(one.name)}</b>{notes}</span>"
    seconds = f'<td class="time" data-title="Time">{one.seconds:.0f} s</td>'
    return f'<tr class="{kind(one.method)}"><th scope="row"><div>{name}</div></th>{"".join(cells)}{seconds}</tr>'


def _cell(one: Summary, column: Column, found: Sequence[Summary]) -> str:
    value: Estimate | None = getattr(one, column.field)
    if value is None:
        return f'<td data-title="{column.heading}">{UNKNOWN}</td>'
    ends = f'<span class="quiet">{column.ends(value.interval)}</span>'
    group = f'<span class="quiet">{escape(group_said(one.group))}</span>' if column.field == "worst" else ""
    plot = _plot(value, column, found)
    return f'<td data-title="{column.heading}">{column.write(value.mean)}{plot}{ends}{group}</td>'


def _reduced(one: Summary) -> str:
    if one.reduced is None:
        return f'<td data-title="Reduced by">{UNKNOWN}</td>'
    share, (low, high) = one.reduced
    ends = f"[{100 * low:.0f}, {100 * high:.0f}]".replace("-", "−")
    return f'<td data-title="Reduced by">{escape(reduced_said(share))}<span class="quiet">{ends}</span></td>'


def _plot(value: Estimate, column: Column, found: Sequence[Summary]) -> str:
    """Draw a number and its interval on the axis that all methods share."""
    shown = [each for one in found if (each := getattr(one, column.field)) is not None]
    low = column.axis[0] if column.axis[0] is not None else min(0.0, *(each.interval[0] for each in shown))
    high = column.axis[1] if column.axis[1] is not None else max(0.1, *(each.interval[1] for each in shown))
    before = [getattr(one, column.field) for one in found if one.method == BEFORE]
    dashed = "".join(f'<s style="left:{_at(one.mean, low, high)}%"></s>' for one in before if one is not None)
    first, last = (_at(end, low, high) for end in value.interval)
    dot = f'<b style="left:{first}%;width:{max(last - first, 0):.2f}%"></b>'
    return f'<i class="plot" aria-hidden="true">{dashed}{dot}<u style="left:{_at(value.mean, low, high)}%"></u></i>'


def _at(value: float, low: float, high: float) -> float:
    return round(100 * min(max((value - low) / (high - low), 0), 1), 2)
