"""A report of several models on the same images as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from unhans.comparison import ModelComparison
from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import Picture, page_picture
from unhans.report.text import percent, range_written, signed
from unhans.report.text.models import (
    MEASURE_NAMES,
    comparison_headline,
    comparison_sentences,
    kind_reasons,
    predictions_said,
)


class ToldGroup(NamedTuple):
    """Images of a class about which two models disagree in the same way: how many, and how far they stand apart."""

    pair: str
    class_name: str
    n: int
    strength: float
    twins: float | None  # of the furthest group of twins in this class


WIDE = 1800  # pixels of a figure


def write_comparison_report(
    path: str | os.PathLike[str],
    found: ModelComparison,
    subtitle: str,
    overview: Sequence[Path],
    pages: Sequence[Path],
    groups: Sequence[ToldGroup],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        found: the comparison.
        subtitle: data and attribution.
        overview: pictures about all classes.
        pages: pictures of single classes.
        groups: of images about which two models disagree in the same way.
        downloads: text files that the page offers, by the name under which a browser saves them.
    """
    heading = {"title": "Which model is right for the right reasons?", "subtitle": subtitle}
    pictures = {
        "overview": [picture_of(one) for one in overview],
        "groups": groups,
        "twins": bool(found.twins),
        "pages": [picture_of(one) for one in pages],
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "comparison.html", heading | comparison_view(found) | pictures)


def comparison_view(found: ModelComparison) -> dict[str, Any]:
    """Return what `comparison.html` shows besides pictures."""
    measures = list(dict.fromkeys(one.measure for one in found.pairs))
    return {
        "headline": comparison_headline(found),
        "sentences": list(comparison_sentences(found)),
        "models": [
            (name, percent(one.share), range_written(one.interval),
             ", ".join(f"{key} = {value}" for key, value in found.settings[name].items()))
            for name, one in found.accuracies.items()
        ],
        "measures": [MEASURE_NAMES[measure] for measure in measures],
        "pairs": [_pair(found, pair, measures) for pair in found.predictions],
        "kinds": [
            (", ".join(one.first), ", ".join(one.second), found.names[one.label], kind_reasons(one),
             f"{one.common:.2f}", "[{:.2f}, {:.2f}]".format(*one.interval).replace("-", "−"),
             "–" if np.isnan(one.limit) else f"{one.limit:.2f}", one.n)
            for one in found.kinds
        ],
        "effects": [
            (one.artifact, found.names[one.label], one.model, one.verdict, signed(one.probability, 3),
             "[{:+.3f}, {:+.3f}]".format(*one.interval).replace("-", "−"), one.n)
            for one in found.effects
        ],
        "detection": [
            (" – ".join(pair), MEASURE_NAMES[measure], f"{area.value:.2f}", "[{:.2f}, {:.2f}]".format(*area.interval))
            for pair, areas in found.detection.items()
            for measure, area in areas.items()
        ],
    }  # fmt: skip


def _pair(found: ModelComparison, pair: tuple[str, str], measures: Sequence[str]) -> dict[str, Any]:
    over_all = {one.measure: one.found for one in found.pairs if one.label is None and (one.first, one.second) == pair}
    cells = [
        (f"{over_all[m].median:.3f}", "[{:.3f}, {:.3f}]".format(*over_all[m].interval)) if m in over_all else None
        for m in measures
    ]
    return {
        "name": " – ".join(pair),
        "twins": pair in found.twins,
        "predictions": predictions_said(found, pair),
        "cells": cells,
    }


def picture_of(path: Path) -> tuple[str, Picture]:
    """Return the name of a picture file, and the picture as a page shows it."""
    with Image.open(path) as file:
        return path.stem, page_picture(np.asarray(file.convert("RGB")), WIDE)
