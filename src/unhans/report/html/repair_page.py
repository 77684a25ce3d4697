"""A report of a repair as one file that needs no network: table 2, all methods compared, where it looks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from unhans.repair import BEFORE, OutcomeLike, Summary, summaries
from unhans.report.figures import Pair
from unhans.report.html.audit_page import asset, filled
from unhans.report.html.pairs import pairs_section
from unhans.report.html.repair_cells import comparison
from unhans.report.html.repair_charts import curve_charts, key, trade_off_chart
from unhans.report.tables import (
    PATTERN,
    TRAINED,
    VALIDATED,
    accuracies,
    has_table_two,
    pattern_sentences,
    table_two_basis,
)
from unhans.report.text import UNNAMED, Named, achievement, basis, percent, percent_range, reduced_said
from unhans.stats import Estimate
from unhans.store import replacing

CONTROL = "unaltered"  # a training without any repair
ENOUGH = 0.8  # of the effect: a repair that takes away so much is counted
READING = {
    "Unaltered": "Accuracy on validation images without the artifact: a repair should not lower it.",
    "Artifact added": "Accuracy on the same images with the artifact pasted on all of them: it should be as high.",
    "Artifact removed": "Accuracy on samples that carry the artifact after it was taken away.",
    "Worst group": "The class, with or without the artifact, of which fewest images are classified right.",
    "Effect, Δp": "How much the artifact, pasted on images of other classes, changes the probability of its class. 0 "
    "means that the network no longer reacts to it; below 0 it speaks against the class.",
    "Reduced by": "How much smaller Δp is than before any repair; its interval is that of Δp.",
    "In the mask": "Share of the positive relevance for the artifact's class that lies on the artifact, on samples "
    "that carry it.",
    "AUC": "How well the network's score of the artifact's class tells its images from others, without the artifact.",
    "Time": "Seconds that the repair took, mean over the seeds.",
}


def repair_part(
    outcomes: Sequence[OutcomeLike],
    named: Named = UNNAMED,
    pairs: Sequence[Pair] = (),
    *,
    cmap: str = "hot-cold",
) -> str:
    """Return sections of HTML that tell what repairs led to; they need the page's style.

    named: what the artifact and its class are called; pairs: fixed samples under networks A and B. Every name is
    escaped; pictures are inside the text. Raises ValueError where there is no outcome.
    """
    found = summaries(outcomes)
    blocks = (_table_two(outcomes), _compared(found), _words(found, named), _costs(found), _curves(outcomes))
    heading = f"<h2>{escape(headline(found))}</h2>"
    return f'<div class="repair">{heading}{"".join(blocks)}{pairs_section(pairs, cmap)}</div>'


def headline(found: Sequence[Summary]) -> str:
    """Say in one line how many repairs take away most of the effect, and how many of these cost no accuracy."""
    measured = [one for one in found if one.reduced is not None and one.method != CONTROL]
    if not measured:
        return f"{len(found)} network{'s' * (len(found) != 1)} assessed with and without the artifact"
    good = [one for one in measured if one.reduced[1][0] >= ENOUGH]
    free = sum(one.kept is not None and one.kept.interval[1] >= 0 for one in good)
    cost = f", {'all' if free == len(good) else free or 'none'} without a measurable loss of accuracy" if good else ""
    if len(measured) == 1:
        if not good:
            return "The repair does not certainly take away 80 % of the artifact's effect"
        share = reduced_said(good[0].reduced[0]).replace(">", "over ")
        loss = f"{'without' if free else 'with'} a measurable loss of accuracy"
        return f"The repair takes away {share} of the artifact's effect, {loss}"
    takes = "take" if len(good) > 1 else "takes"
    return f"{len(good) or 'None'} of {len(measured)} repairs {takes} away at least 80 % of the artifact's effect{cost}"


def _words(found: Sequence[Summary], named: Named) -> str:
    items = "".join(
        f"<dt>{escape(one.name[0].upper() + one.name[1:])}</dt><dd>{escape(achievement(one, named))}</dd>"
        for one in found
    )
    return f'<section><h3>In words</h3><dl class="said">{items}</dl></section>'


def _table_two(outcomes: Sequence[OutcomeLike]) -> str:
    if not has_table_two(outcomes):
        return ""
    found = accuracies(outcomes)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("Trained on", *VALIDATED.values()))
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"{''.join(_accuracy(found.cells[letter, images], images) for images in VALIDATED)}</tr>"
        for letter, name in TRAINED.items()
    )
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in pattern_sentences(found))
    title = "Trained without and with the artifact on all images"
    return (
        f'<section><h3>{title}</h3><p>{PATTERN}</p><table class="table-two"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table>{said}"
        f'<p class="quiet small">{escape(table_two_basis(found))}</p></section>'
    )


def _accuracy(value: Estimate, images: str) -> str:
    ends = f'<span class="quiet">{percent_range(value.interval)}</span>'
    return f'<td data-title="{escape(VALIDATED[images])}"><b>{percent(value.mean)}</b> {ends}</td>'


def _compared(found: Sequence[Summary]) -> str:
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in READING.items())
    dashed = "; dashed: before any repair" if any(one.method == BEFORE for one in found) else ""
    note = f"Dots with 95 % intervals{dashed}. {basis(found)}"
    return (
        f'<section><h3>All methods</h3>{comparison(found)}<p class="quiet small">{escape(note)}</p>'
        f'<details class="reading"><summary>How to read this table</summary><dl>{terms}</dl></details></section>'
    )


def _costs(found: Sequence[Summary]) -> str:
    chart = f'<div class="charts"><figure>{trade_off_chart(found)}</figure>{key(one.method for one in found)}</div>'
    return f"<section><h3>What a repair achieves and what it costs</h3>{chart}</section>"


def _curves(outcomes: Sequence[OutcomeLike]) -> str:
    charts = curve_charts(outcomes)
    return charts and f"<section><h3>While the network is trained</h3>{charts}</section>"


STYLES = ("page.css", "repair.css")


def write_repair_report(
    path: str | os.PathLike[str],
    outcomes: Sequence[OutcomeLike],
    title: str,
    subtitle: str = "",
    *,
    named: Named = UNNAMED,
    pairs: Sequence[Pair] = (),
    downloads: Mapping[str, str | os.PathLike[str]] | None = None,
    more: str = "",
    cmap: str = "hot-cold",
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the file.
        outcomes: every method and seed.
        title, subtitle: the heading, and the line under it: data, network, artifact.
        named: what the artifact and its class are called.
        pairs: fixed samples under networks A and B.
        downloads: text files that the page offers, by the name under which a browser saves them.
        more: HTML that follows, such as a list of decisions; it is put in as it is.
        cmap: colour map of the heatmaps.

    Raises:
        ValueError: there is no outcome.
        OSError: a file cannot be read or written.
    """
    content = {
        "title": lambda: [escape(title)],
        "subtitle": lambda: [escape(subtitle)],
        "version": lambda: [version("unhans")],
        "style": lambda: map(asset, STYLES),
        "content": lambda: [repair_part(outcomes, named, pairs, cmap=cmap), more],
        "downloads": lambda: _links(downloads or {}),
    }
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(filled(asset("repair.html"), content))


def _links(downloads: Mapping[str, str | os.PathLike[str]]) -> Iterator[str]:
    """Give a link for every file, which holds the file itself."""
    for name, path in downloads.items():
        text = quote(Path(path).read_bytes().decode("utf-8"))
        file = f'download="{escape(name)}" href="data:text/csv;charset=utf-8,{text}"'
        yield f'<a class="more" {file}>Save {escape(name)}</a>'
