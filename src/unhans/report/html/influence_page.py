"""The page of an influence analysis as one file that needs no internet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from unhans.report.html.page import read_texts, write_page
from unhans.report.pictures import page_picture
from unhans.report.tables.models import READING, InfluenceGroup, influence_cells, influence_headings

if TYPE_CHECKING:
    from unhans.influence import GradientClusters

WIDE = 1280  # pixels of a picture
MOST = 20  # pictures on the page


def write_influence_page(
    path: str | os.PathLike[str],
    title: str,
    sentences: Sequence[str],
    groups: Sequence[InfluenceGroup],
    gradients: Mapping[str, Sequence[GradientClusters]],
    pictures: Mapping[str, str | os.PathLike[str]],
    downloads: Mapping[str, str | os.PathLike[str]],
) -> None:
    """Write the page, whole or not at all.

    Args:
        sentences: the first is the line under it, the others what was found.
        groups: of queries.
        gradients: by name of a class the clusters of its gradients.
        pictures: picture files by their heading; the first 20 are shown, the others told.
        downloads: text files that the page offers, by the name under which a browser saves them.

    Raises:
        OSError: a file cannot be read or written.
    """
    headings = influence_headings(groups)
    context = {
        "title": title,
        "subtitle": sentences[0],
        "sentences": sentences[1:],
        "headings": headings,
        "rows": [(group, influence_cells(group, headings)) for group in groups],
        "reading": READING,
        "gradients": gradients,
        "pictures": [(name, page_picture(_pixels(file), WIDE)) for name, file in list(pictures.items())[:MOST]],
        "more": max(0, len(pictures) - MOST),
        "downloads": read_texts(downloads).items(),
    }
    write_page(path, "influence.html", context)


def _pixels(file: str | os.PathLike[str]) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))
