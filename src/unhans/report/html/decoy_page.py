"""The report of trainings with a decoy as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from unhans.comparison import DecoyStudy
from unhans.report.html.comparison_page import picture_of
from unhans.report.html.page import read_texts, write_page
from unhans.report.tables.models import coverage_headings, coverage_rows, decoy_headings, decoy_rows
from unhans.report.text.models import ALONE_READING, READING_DECOYS, decoy_headline, decoy_sentences, group_title

TITLES = {
    "dose_response": "What the decoy does, against how many images carried it",
    "confusion": "Confusion matrices",
}


def write_decoy_report(
    path: str | os.PathLike[str],
    study: DecoyStudy,
    pictures: Sequence[Path],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        study: what was found.
        pictures: files, named as in `TITLES`.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    context = {
        "title": "Do networks go by what was planted?",
        "subtitle": f"a decoy on class {study.target}",
        "headline": decoy_headline(study),
        "sentences": list(decoy_sentences(study)),
        "coverage_headings": coverage_headings(study),
        "coverages": coverage_rows(study),
        "alone": list(study.groups[0].alone),
        "alone_reading": ALONE_READING,
        "headings": decoy_headings(study),
        "groups": [(group_title(group), decoy_rows(study, group)) for group in study.groups],
        "reading": READING_DECOYS,
        "pictures": [(TITLES[name], picture) for name, picture in map(picture_of, pictures)],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "decoys.html", context)
