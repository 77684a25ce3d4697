"""Accuracy in groups of samples, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unhans.effects import FEWEST
from unhans.report.figures import ALARM, BLUE, QUIET, TEXT, chart, dot, name_rows, percent_tick, tidy
from unhans.report.text import shorten
from unhans.stats import GroupCount

ROW = 0.24  # inches
MOST_ROWS = 60
COUNT = TEXT | {"color": QUIET, "va": "center"}


def group_figure(counts: Sequence[GroupCount], classes: Sequence[str], column: str, subtitle: str = "") -> Figure:
    """Draw accuracy with its interval by group, of all classes together and then of each; the worst group is red.

    Classes are in the order of their worst group; of more than 60 rows the first are drawn, and how many classes there
    are besides is said.

    Args:
        counts: of all classes together and of each; a group "" is unknown.
        classes: names by label.
        column: what the groups are.

    Raises:
        ValueError: there is no group.
    """
    if not counts:
        raise ValueError("A figure of groups expects at least one group; got none.")
    blocks = _blocks(counts)
    shown = _fitting(blocks)
    rows = [each for block in shown for each in block]
    marked = worst_groups(counts)
    figure, surface = chart(
        8, 0.7 + ROW * len(rows), f"Accuracy by {shorten(column, 30)}, validation images", subtitle,
        _note(len(blocks) - len(shown), bool(marked)),
    )  # fmt: skip
    axes = surface.subplots()
    for row, each in enumerate(rows):
        colour = ALARM if each in marked else BLUE if _is_compared(each) else QUIET
        dot(axes, each.accuracy, each.interval, row, colour, "o" if _is_compared(each) else ".")
        axes.text(1.02, row, str(each.n), **COUNT, transform=axes.get_yaxis_transform())
    axes.text(1.02, -0.9, "images", **COUNT, transform=axes.get_yaxis_transform())
    tidy(axes, grid="x", xlabel="accuracy, 95 % interval")
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(percent_tick)
    names = [_named(each, i == 0, classes) for block in shown for i, each in enumerate(block)]
    name_rows(axes, names, [each in marked for each in rows], ALARM)
    _rule_off(axes, shown)
    return figure


def worst_groups(counts: Sequence[GroupCount]) -> list[GroupCount]:
    """Return the group with the lowest accuracy of all classes together, and that of a single class.

    Compared are known groups of `FEWEST` images or more; where fewer than two are, or all are equal, none is worst.
    """
    found = []
    for of_class in (False, True):
        own = [each for each in counts if (each.label is not None) == of_class and _is_compared(each)]
        if len({each.accuracy for each in own}) > 1:
            found.append(min(own, key=lambda each: each.accuracy))
    return found


def _is_compared(each: GroupCount) -> bool:
    return bool(each.group) and each.n >= FEWEST


def _blocks(counts: Sequence[GroupCount]) -> list[list[GroupCount]]:
    """The groups of all classes together, then of each, those with the lowest accuracy first."""
    blocks = [list(own) for _, own in groupby(counts, key=lambda each: each.label)]

    def order(block: list[GroupCount]) -> tuple[bool, float]:
        compared = [each.accuracy for each in block if _is_compared(each)]
        return block[0].label is not None, min(compared, default=2.0)

    return sorted(blocks, key=order)


def _fitting(blocks: Sequence[list[GroupCount]]) -> list[list[GroupCount]]:
    """The first blocks that have room, at least one."""
    count, rows = 0, 0
    for block in blocks:
        rows += len(block)
        count += rows <= MOST_ROWS
    return list(blocks[: max(count, 1)])


def _note(left: int, marked: bool) -> str:
    told = ["Red: the lowest accuracy, of all classes together and of one class."] * marked
    told.append(f"Grey: fewer than {FEWEST} images, or of no known group; not compared.")
    told += [f"{left} more classes are in groups.csv."] * bool(left)
    return " ".join(told)


def _named(each: GroupCount, first: bool, classes: Sequence[str]) -> str:
    whose = ("all classes" if each.label is None else shorten(classes[each.label], 22)) if first else ""
    group = shorten(each.group, 22) if each.group else "(unknown)"
    return f"{whose}   {group}"


def _rule_off(axes: Axes, blocks: Sequence[list[GroupCount]]) -> None:
    """Draw a line between classes."""
    at = -0.5
    for block in blocks[:-1]:
        at += len(block)
        axes.axhline(at, color=QUIET, lw=0.5, alpha=0.5)
