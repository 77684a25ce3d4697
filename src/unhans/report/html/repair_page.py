"""A report of a repair as one file that needs no internet: table 2, all methods compared, where it looks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from unhans.repair import BEFORE, Outcome, Summary, by_method, summaries, table_two_of
from unhans.report import figures, text
from unhans.report.figures import Pair
from unhans.report.html.page import Axis, read_texts, write_page
from unhans.report.pictures import Picture, drawn_picture, page_picture
from unhans.report.text import Named
from unhans.stats import Estimate

MARKS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✕"}  # as figures draw them
TILE = 160  # pixels of a heatmap of a pair

LAST_MINUS_FIRST = "Last − first: warm where relevance grew, cold where it shrank."


def write_repair_report(
    path: str | os.PathLike[str],
    outcomes: Sequence[Outcome],
    title: str,
    subtitle: str = "",
    *,
    named: Named = text.UNNAMED,
    pairs: Sequence[Pair] = (),
    downloads: Mapping[str, str | os.PathLike[str]] | None = None,
) -> None:
    """Write the page, whole or not at all.

    Args:
        outcomes: every method and seed.
        subtitle: the line under it: data, network, artifact.
        named: what the artifact and its class are called.
        pairs: fixed samples under networks A and B.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        ValueError: there is no outcome.
        OSError: a file cannot be read or written.
    """
    heading = {"title": title, "subtitle": subtitle, "downloads": read_texts(downloads or {}).items()}
    write_page(path, "repair.html", heading | repair_view(outcomes, named, pairs))


def repair_view(outcomes: Sequence[Outcome], named: Named = text.UNNAMED, pairs: Sequence[Pair] = ()) -> dict[str, Any]:
    """Return what `repair.html` shows of outcomes; arguments as of `write_repair_report`.

    Raises:
        ValueError: there is no outcome.
    """
    found, table_two = summaries(outcomes), table_two_of(outcomes)
    shown = [column for column in COLUMNS if any(getattr(one, column.field) for one in found)]
    headings = [column.heading for column in shown]
    headings.insert(headings.index(EFFECT) + 1, REDUCED)
    return {
        "headline": text.repair_headline(found),
        "table_two": table_two
        and {
            "found": table_two,
            "trained": text.TRAINED,
            "validated": text.VALIDATED,
            "pattern": text.PATTERN,
            "sentences": text.pattern_sentences(table_two),
            "basis": text.table_two_basis(table_two),
        },
        "columns": headings,
        "rows": [_row(one, shown, found) for one in found],
        "dashed": any(one.method == BEFORE for one in found),
        "basis": text.basis(found),
        "words": text.repair_words(found, named).items(),
        "charts": _charts(outcomes, found),
        "pairs": [_pair(pair) for pair in pairs],
        "pairs_basis": f"{figures.JOINTLY} {figures.INSIDE} {LAST_MINUS_FIRST}",
    }


def _charts(outcomes: Sequence[Outcome], found: Sequence[Summary]) -> list[tuple[str, Picture, str]]:
    """A heading, a figure and its numbers in words, for everything that is drawn."""
    names, delta_p = text.METHOD_NAMES, text.PROBABILITY.written
    numbers = (f"{names[one.method]}: Δp {delta_p(one.effect.mean)}, accuracy {text.percent(one.clean.mean)}"
               for one in found)  # fmt: skip
    words = f"Accuracy on unaltered images against the effect that is left. {'; '.join(numbers)}"
    charts = [("What a repair achieves and what it costs", drawn_picture(figures.trade_off_figure(outcomes)), words)]
    if curves := figures.curves_of(by_method(outcomes), "relevance"):
        ends = (f"{names[one.method]}: {text.percent(one.means[0], 0)} to {text.percent(one.means[-1], 0)}"
                for one in curves)  # fmt: skip
        words = f"Relevance inside the artifact's mask, from the first epoch to the last. {'; '.join(ends)}"
        charts.append(("While the network is trained", drawn_picture(figures.relevance_figure(outcomes)), words))
    return charts


def _pair(pair: Pair) -> dict[str, Any]:
    columns = figures.chosen_epochs(pair.epochs)
    image, rows = figures.pair_tiles(pair, columns, figures.Look(joint=True))
    epochs = figures.pair_headings(pair, columns)
    networks = [
        (letter, list(zip_longest(epochs, (page_picture(tile, TILE) for tile in tiles), shares)))
        for letter, tiles, shares in zip("AB", rows, figures.pair_shares(pair, columns), strict=True)
    ]
    return {"title": pair.title, "image": page_picture(image, TILE), "epochs": epochs, "networks": networks}


# The table -----------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """A number of every method: field of `Summary`, heading, how it is written, ends of its axis; None: those found."""

    field: str
    heading: str
    write: Callable[[float], str] = text.percent
    low: float | None = 0.0
    high: float | None = 1.0

    def axis(self, found: Sequence[Summary]) -> Axis:
        """Return the axis that all methods share."""
        ends = [end for one in found if (value := getattr(one, self.field)) is not None for end in value.interval]
        low = min(0.0, *ends) if self.low is None else self.low
        return Axis(low, max(0.1, *ends) if self.high is None else self.high)


EFFECT, REDUCED = "Effect, Δp", "Reduced by"
COLUMNS = (
    Column("clean", "Unaltered"),
    Column("added", "Artifact added"),
    Column("removed", "Artifact removed"),
    Column("worst", "Worst group"),
    Column("effect", EFFECT, text.PROBABILITY.written, None, None),
    Column("relevance", "In the mask", high=None),
    Column("area", "AUC", "{:.3f}".format, 0.5),
)


def _row(one: Summary, columns: Sequence[Column], found: Sequence[Summary]) -> dict[str, Any]:
    cells = []
    for column in columns:
        cells.append(_cell(one, column, found))
        if column.heading == EFFECT:
            cells.append(_reduced(one))
    return {
        "method": one.method,
        "mark": MARKS[figures.PENS[one.method].mark],
        "name": text.METHOD_NAMES[one.method],
        "cells": cells,
        "seconds": f"{one.seconds:.0f} s",
    }


def _cell(one: Summary, column: Column, found: Sequence[Summary]) -> dict[str, Any]:
    """A number as text and as a dot with its interval on the axis that all methods share."""
    value: Estimate | None = getattr(one, column.field)
    if value is None:
        return {"heading": column.heading, "value": text.UNKNOWN, "place": None, "notes": []}
    axis = column.axis(found)
    before = next((getattr(each, column.field) for each in found if each.method == BEFORE), None)
    interval = text.range_written(value.interval, column.write)
    return {
        "heading": column.heading,
        "value": column.write(value.mean),
        "place": axis.place(value.mean, value.interval),
        "before": None if before is None else axis.at(before.mean),
        "notes": [interval, text.group_said(one.group)] if column.field == "worst" else [interval],
    }


def _reduced(one: Summary) -> dict[str, Any]:
    value, *notes = [text.UNKNOWN] if one.reduced is None else text.reduced_words(one.reduced)
    return {"heading": REDUCED, "value": value, "place": None, "notes": notes}
