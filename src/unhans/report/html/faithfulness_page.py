"""Pages about the faithfulness of heatmaps, of methods and over epochs, each one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import file_picture
from unhans.report.tables.quality import (
    correlation_cells,
    epoch_cells,
    epoch_headings,
    faithfulness_cells,
    faithfulness_headings,
    measure_cells,
)
from unhans.report.text.quality import (
    AHEAD_READING,
    EPOCHS_READING,
    FAITHFULNESS_READING,
    MEASURE_HEADINGS,
    MEASURES_READING,
    QUALITY_READING,
    REGIONS_READING,
    estimate_said,
)

if TYPE_CHECKING:
    from unhans.faithfulness import MethodSummary
    from unhans.faithfulness.training import MeasuredEpoch
    from unhans.stats import Estimate

MOST_PICTURES = 12  # of epochs that are on the page
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
        "reading": f"{FAITHFULNESS_READING} {AHEAD_READING}",
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


def write_quality_page(
    path: str | os.PathLike[str],
    sentences: Sequence[str],
    points: Sequence[MeasuredEpoch],
    by_class: Mapping[str, MeasuredEpoch],
    files: Mapping[int, str],
    regions: Sequence[str],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page about heatmaps over epochs, whole or not at all.

    Args:
        sentences: the first is the line under the title, the others what was found.
        points: ascending by epoch.
        by_class: the last epoch, of the images of every class.
        files: the checkpoint of every epoch.
        regions: names of those whose relevance was followed.
        pictures: picture files by their heading.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    headings = epoch_headings(points, regions)
    of_class = {name: heading for name, heading in headings.items() if name in next(iter(by_class.values())).values}
    correlations = correlation_cells(points, regions)
    context = {
        "title": "Do heatmaps become better with training?",
        "subtitle": sentences[0],
        "sentences": sentences[1:],
        "headings": list(headings.values()),
        "rows": [(f"{one.epoch} · {files[one.epoch]}", epoch_cells(one, headings)) for one in points],
        "reading": " ".join((EPOCHS_READING, QUALITY_READING, *([REGIONS_READING] if regions else []))),
        "correlations": correlations,
        "others": ["with epochs", "with accuracy"][: len(correlations[0][1])],
        "epoch": points[-1].epoch,
        "class_headings": ["images", *of_class.values()],
        "classes": [
            (name, [(str(one.values[next(iter(of_class))].n), ""), *epoch_cells(one, of_class)])
            for name, one in list(by_class.items())[:MOST_CLASSES]
        ],
        "more": max(0, len(by_class) - MOST_CLASSES),
        "pictures": [(name, file_picture(file)) for name, file in list(pictures.items())[:MOST_PICTURES]],
        "left_out": max(0, len(pictures) - MOST_PICTURES),
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "quality.html", context)
