"""Spectral clustering on points whose groups are known: what an eigengap looks like, and where it ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from unhans.report.figures import ALARM, AMBER, BLUE, DASHED, GREEN, INK, QUIET, REST, VIOLET, chart, tidy
from unhans.spray import SpRAy

CENTRES = (2.0, 4.0, 6.0, 8.0)  # [003] fig. 6.2
DEVIATIONS = (0.2, 0.4, 0.8)
PENS = (BLUE, AMBER, GREEN, ALARM, VIOLET, INK)
EIGENVALUES = 10
HEADINGS = ("histogram", "neighbour graph", "eigenvalues", "Φ, two principal axes", "clusters on the points")


def toy_figure(
    deviations: Sequence[float] = DEVIATIONS,
    centres: Sequence[float] = CENTRES,
    each: int = 50,
    n_neighbors: int = 10,
    seed: int = 0,
) -> Figure:
    """Draw how SpRAy clusters points around known centres, for several deviations [000 fig. 2 a–d, 003 fig. 6.2].

    In every row: a histogram of the first coordinate, the points with their neighbour graph, its ten smallest
    eigenvalues with the largest gap, Φ with as many columns as there are centres, coloured by k-means with as many
    clusters, and these clusters on the points.

    Args:
        deviations: of the normal distributions, a row each.
        centres: their means along the first coordinate; along the second it is 0.
        each: points about every centre.
        n_neighbors: of the graph.
        seed: of the points.

    Raises:
        ValueError: there is no deviation, or SpRAy cannot cluster so few points.
    """
    if not deviations:
        raise ValueError("A toy figure expects at least one deviation; got none.")
    drawn = ", ".join(f"{centre:g}" for centre in centres)
    title = "What SpRAy sees where the groups are known"
    subtitle = f"{each} points from each of N(μ, σ), μ = {drawn}; dotted: the largest gap of the eigenvalues"
    figure, surface = chart(12, 1.9 * len(deviations) + 0.3, title, subtitle)
    panels = surface.subplots(len(deviations), len(HEADINGS), squeeze=False)
    for row, deviation in enumerate(deviations):
        random = np.random.default_rng([seed, row])
        points = np.concatenate([random.normal((centre, 0), deviation, (each, 2)) for centre in centres])
        _draw_row(panels[row], points, n_neighbors, len(centres))
        panels[row][0].set_ylabel(f"σ = {deviation:g}", fontsize=9, color=INK)
        for axes, heading in zip(panels[row], HEADINGS, strict=True):
            tidy(axes, heading if row == 0 else "", frame=("bottom", "left"))
    return figure


def _draw_row(panels: Sequence[Axes], points: NDArray[np.float64], n_neighbors: int, groups: int) -> None:
    histogram, graph, spectrum, plane, back = panels
    options = {"n_neighbors": n_neighbors, "n_clusters": (groups,), "projection": None}
    fitted = SpRAy(n_eigenvalues=EIGENVALUES, **options).fit(points)
    clustered = SpRAy(n_eigenvalues=groups, **options).fit(points)
    histogram.hist(points[:, 0], bins=40, color=REST)
    edges = fitted.affinity_.tocoo()
    graph.add_collection(LineCollection(points[np.stack([edges.row, edges.col], axis=1)], colors=QUIET, lw=0.2))
    graph.plot(*points.T, "o", ms=2, color=INK)
    values = fitted.eigenvalues_
    spectrum.plot(np.arange(1, len(values) + 1), values, "o", ms=4, color=BLUE)
    spectrum.axvline(fitted.eigengap_ + 0.5, **DASHED | {"ls": ":"})
    spectrum.set_ylim(bottom=-0.05 * max(values.max(), 0.1))
    colours = [PENS[label % len(PENS)] for label in _by_place(clustered.labels_[0], points[:, 0])]
    plane.scatter(*PCA(2).fit_transform(clustered.embedding_).T, s=7, c=colours, linewidths=0)
    back.scatter(*points.T, s=7, c=colours, linewidths=0)
    for axes in (plane, back):
        axes.set_yticks([])


def _by_place(labels: NDArray[np.integer], first: NDArray[np.float64]) -> NDArray[np.int64]:
    """The clusters counted from the one whose first coordinate is lowest, so that rows have the same colours."""
    means = [first[labels == label].mean() for label in range(labels.max() + 1)]
    return np.argsort(np.argsort(means))[labels]
