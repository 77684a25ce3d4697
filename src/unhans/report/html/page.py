"""What all pages share: one Jinja2 environment, the styles and code that they carry, and the axis of their dots.

Views return results and sentences; templates hold the markup and write numbers by the filters given here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unhans.report.figures import probability_said
from unhans.report.pictures import file_picture
from unhans.report.tables import seconds_said
from unhans.report.text import percent, range_written, short_number
from unhans.stats import Interval
from unhans.store import replacing


def asset(*names: str) -> Markup:
    """Return the text of files in `static/`, one after the other, as it is."""
    folder = files("unhans.report.html") / "static"
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in names))


# Text is escaped, and a name that a template lacks is an error. JSON can stand inside a script: no name can end it.
ENVIRONMENT = Environment(
    loader=PackageLoader("unhans.report.html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.globals |= {"asset": asset, "version": partial(version, "unhans")}
ENVIRONMENT.filters |= {
    "percent": percent,
    "range": range_written,
    "probability": probability_said,
    "seconds": seconds_said,
    "short": short_number,
}
ENVIRONMENT.policies["json.dumps_kwargs"] = {"allow_nan": False, "default": np.generic.item}


def render(template: str, **context: Any) -> str:
    """Return a template filled with a context."""
    return ENVIRONMENT.get_template(template).render(context)


def write_page(path: str | os.PathLike[str], template: str, context: Mapping[str, Any]) -> None:
    """Write a template filled with a context, whole or not at all; what the context iterates over is read in turn."""
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", errors="replace") as file:
        file.writelines(ENVIRONMENT.get_template(template).generate(context))


def read_texts(paths: Mapping[str, str | os.PathLike[str]]) -> dict[str, str]:
    """Return the text of files by the same names; line ends stay as they are."""
    return {name: Path(path).read_bytes().decode("utf-8") for name, path in paths.items()}


class PageTable(NamedTuple):
    """A table of a page.

    Attributes:
        heading: above it.
        first: heading of the names of its rows.
        headings: of the other columns.
        rows: (name, [(value, interval), …]).
        note: below it; "" is none.
    """

    heading: str
    first: str
    headings: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    note: str = ""


def write_table_page(
    path: str | os.PathLike[str],
    title: str,
    subject: str,
    sentences: Sequence[str],
    tables: Sequence[PageTable],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write a page of sentences, figures and tables, whole or not at all.

    Args:
        title, subject: of the page, and what its footer says that it is about.
        sentences: the first is the line under the title.
        tables: in their order.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    context = {"title": title, "subject": subject, "subtitle": sentences[0], "sentences": sentences[1:]}
    shown = [(heading, file_picture(file)) for heading, file in pictures.items()]
    context |= {"tables": tables, "pictures": shown, "downloads": read_texts(downloads).items()}
    write_page(path, "tables.html", context)


class Place(NamedTuple):
    """Where a value and its interval lie on an axis, in % of its length."""

    first: float
    width: float
    at: float


class Axis(NamedTuple):
    """An axis from its lower to its upper end."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return where a value lies, in % of the axis's length; what lies beyond it lies at its end."""
        share = 0.0 if math.isnan(value) else (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def place(self, value: float, interval: Interval) -> Place:
        """Return where a value and its interval lie."""
        first, last = map(self.at, interval)
        return Place(first, round(max(last - first, 0.0), 2), self.at(value))
