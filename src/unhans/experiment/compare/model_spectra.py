"""Classes by the spectra of their neighbour graphs: of their images, and of every model's heatmaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from unhans.comparison import ModelComparison
from unhans.report.figures.models import SourceClusters
from unhans.spray import SpRAy, spectral_labels

SLOWLY = 24  # classes whose spectra are computed where a distance between heatmaps takes long
QUICK = ("euclidean", "cosine")
MOST_CLUSTERS = 6  # that are drawn
PLAIN: dict[str, Any] = {
    "pooling": None, "smoothing": 0.0, "projection": None, "projection_of": "graph", "clusterings": (),
    "n_clusters": (2,), "n_eigenvalues": 20,
}  # fmt: skip


def spectra_of(
    found: ModelComparison, labels: Sequence[int], pixels: NDArray[np.floating], spray: SpRAy
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Return the eigenvalues of the neighbour graphs of classes: of their images, and of every model's heatmaps.

    A class that has no more images than a sample has neighbours is left out, and so are all but the first 24 where the
    metric is a slow one.

    Args:
        found: the comparison.
        labels: the classes, in the order of the result.
        pixels: (n, g, g) of the images, grey.
        spray: whose graph is used.
    """
    chosen = labels if spray.metric in QUICK else labels[:SLOWLY]
    spectra = {
        found.names[label]: {name: one.eigenvalues_ for name, one in _fits(found, label, pixels, spray)}
        for label in chosen
    }
    return {name: each for name, each in spectra.items() if each}


def clusters_of(found: ModelComparison, label: int, pixels: NDArray[np.floating], spray: SpRAy) -> list[SourceClusters]:
    """Return how the graphs of a class lay its images out, and their clusters by `spectral_labels`.

    There are as many clusters as eigenvalues before the largest gap, from 2 to 6; one where Φ does not allow it.
    """
    sources, rows = [], found.rows_of(label)
    for name, one in _fits(found, label, pixels, spray):
        one.add_projection("tsne")
        gaps = np.diff(one.eigenvalues_[1 : MOST_CLUSTERS + 1])
        number = 2 + int(np.argmax(gaps)) if len(gaps) else 2
        labels = spectral_labels(one, number)
        sources.append(SourceClusters(name, one.projection_, np.zeros(len(rows), int) if labels is None else labels))
    return sources


def _fits(
    found: ModelComparison, label: int, pixels: NDArray[np.floating], spray: SpRAy
) -> Iterator[tuple[str, SpRAy]]:
    """SpRAy fitted to the images of a class and to every model's heatmaps, unless these are all the same."""
    rows = found.rows_of(label)
    if len(rows) <= spray.neighbours_among(len(rows)):
        return
    maps = {"images": pixels} | {name: view.heatmaps for name, view in found.views.items()}
    for name, each in maps.items():
        if np.ptp(each[rows], axis=0).any():
            yield name, clone(spray).set_params(**PLAIN).fit(each[rows])
