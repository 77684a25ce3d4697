"""The page about networks on images prepared in several ways, as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from unhans.comparison import SwapStudy
from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import file_picture
from unhans.report.tables.models import swap_cells
from unhans.report.text.models import SWAP_READING, swap_headline


def write_swap_page(
    path: str | os.PathLike[str],
    study: SwapStudy,
    sentences: Sequence[str],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        study: what was found.
        sentences: the first is the line under the title.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    context = {
        "title": "What does another preprocessing cost?",
        "subtitle": sentences[0],
        "headline": swap_headline(study),
        "sentences": sentences[1:],
        "variants": list(study.images),
        "rows": [
            (row.name, row.trained or "unknown", [swap_cells(study.cell(row.name, name)) for name in study.images])
            for row in study.rows
        ],
        "reading": SWAP_READING,
        "pictures": [(name, file_picture(file)) for name, file in pictures.items()],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "swap.html", context)
