"""The page about pairs of pictures that a person made, as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from unhans.effects import PairEffect
from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import file_picture
from unhans.report.tables.quality import PAIR_HEADINGS, pair_cells
from unhans.report.text.quality import PAIRS_LIMITS, PAIRS_READING, pairs_headline

MOST_CLASSES = 60


def write_pairs_page(
    path: str | os.PathLike[str],
    sentences: Sequence[str],
    effects: Mapping[str, Sequence[PairEffect]],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        sentences: the first is the line under the title, the others what was found.
        effects: of all pairs, and then class by class.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    overall, *others = effects.items()
    rows = [
        (one.step if len(effects) == 1 else f"{name}: {one.step}", pair_cells(one))
        for name, each in [overall, *others[:MOST_CLASSES]]
        for one in each
    ]
    context = {
        "title": "What do your own changes of pictures do?",
        "subtitle": sentences[0],
        "headline": pairs_headline(overall[1]),
        "sentences": sentences[1:],
        "limits": PAIRS_LIMITS,
        "headings": list(PAIR_HEADINGS),
        "rows": rows,
        "more": max(0, len(others) - MOST_CLASSES),
        "reading": PAIRS_READING,
        "pictures": [(heading, file_picture(file)) for heading, file in pictures.items()],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "pairs.html", context)
