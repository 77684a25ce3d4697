"""A report of a repair as one file that needs no network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from unhans.report.evolution_pair import Pair
from unhans.report.html.page import asset, filled
from unhans.report.html.repair import repair_part
from unhans.report.repair_sentences import UNNAMED, Named
from unhans.report.repaired import OutcomeLike
from unhans.store.atomic import replacing

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
