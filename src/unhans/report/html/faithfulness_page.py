"""The page about the faithfulness of heatmaps as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import file_picture
from unhans.report.tables.quality import faithfulness_cells, faithfulness_headings, measure_cells
from unhans.report.text.quality import FAITHFULNESS_READING, MEASURE_HEADINGS, MEASURES_READING, estimate_said

if TYPE_CHECKING:
    from unhans.faithfulness import MethodSummary
    from unhans.stats import Estimate

MOST_CLASSES = 30  # whose numbers are on the page


def write_faithfulness_page(
    path: str | os.PathLike[str],
    sentences: Sequence[str],
    summaries: Sequence[MethodSummary],
    by_class: Mapping[tuple[str, str], Estimate],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        sentences: the first is the line under the title, the others what was found.
        summaries: of the methods.
        by_class: AOPC minus random by class and method.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    names = list(dict.fromkeys(name for name, _ in by_class))
    methods = [one.name for one in summaries]
    context = {
        "title": "Are the heatmaps right?",
        "subtitle": sentences[0],
        "sentences": sentences[1:],
        "headings": faithfulness_headings(summaries[0]),
        "rows": [(one.name, faithfulness_cells(one, one is summaries[0])) for one in summaries],
        "reading": FAITHFULNESS_READING,
        "measure_headings": list(MEASURE_HEADINGS.values()),
        "measures": [(one.name, measure_cells(one)) for one in summaries],
        "measures_reading": MEASURES_READING,
        "methods": methods,
        "classes": [(name, [estimate_said(by_class[name, each]) for each in methods]) for name in names[:MOST_CLASSES]],
        "more": max(0, len(names) - MOST_CLASSES),
        "pictures": [(name, file_picture(file)) for name, file in pictures.items()],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "faithfulness.html", context)
