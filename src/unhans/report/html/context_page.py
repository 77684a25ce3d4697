"""The page about the context that heatmaps use as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import file_picture
from unhans.report.tables.quality import CONTEXT_HEADINGS, by_context, context_cells
from unhans.report.text.quality import CONTEXT_LIMITS, CONTEXT_READING

if TYPE_CHECKING:
    from unhans.faithfulness import ContextSummary

MOST_CLASSES = 60  # of a model whose numbers are on the page


def write_context_page(
    path: str | os.PathLike[str],
    sentences: Sequence[str],
    models: Mapping[str, ContextSummary],
    classes: Mapping[str, Mapping[str, ContextSummary]],
    pictures: Mapping[str, Path],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        sentences: the first is the line under the title, the others what was found.
        models: over all images.
        classes: by model and class.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    tables = []
    for name, each in classes.items():
        order = by_context(each)
        rows = [(key, context_cells(each[key])) for key in order[:MOST_CLASSES]]
        tables.append((name, [*rows, ("all", context_cells(models[name]))], max(0, len(order) - MOST_CLASSES)))
    context = {
        "title": "How much context do the heatmaps use?",
        "subtitle": sentences[0],
        "sentences": sentences[1:],
        "limits": CONTEXT_LIMITS,
        "headings": list(CONTEXT_HEADINGS),
        "tables": tables,
        "reading": CONTEXT_READING,
        "pictures": [(heading, file_picture(file)) for heading, file in pictures.items()],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "context.html", context)
