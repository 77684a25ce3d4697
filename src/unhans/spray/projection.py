"""2-D maps to look at, by UMAP or t-SNE: of the spectral embedding Φ [000], or of the neighbour graph [003 § 6.2]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from unhans.spray.umap_process import UmapProcess, umap_points

METHODS = ("umap", "tsne")
SOURCES = ("spectrum", "graph")
UNCONNECTED = 1e-3  # ε of 1 / (A + ε): samples without an edge are a thousand times as far as mutual neighbours
NEAR = 10  # points of a map whose clusters are compared
START = 1e-4  # deviation of the points from which t-SNE starts, as in scikit-learn

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """How samples are laid out in the plane.

    Args:
        method: "umap" or "tsne".
        of: "spectrum", the rows of Φ; or "graph", distances 1 / (A + ε) between the samples.
        umap_neighbors, umap_min_dist: of UMAP.
        tsne_perplexity, tsne_exaggeration: of t-SNE; the perplexity is at most (n − 1) / 3.

    Raises:
        ValueError: an unknown word, or a number out of range.
    """

    method: str = "umap"
    of: str = "spectrum"
    umap_neighbors: int = 15
    umap_min_dist: float = 0.1
    tsne_perplexity: float = 7.0
    tsne_exaggeration: float = 6.0

    def __post_init__(self) -> None:
        for name, value, words in (("projection", self.method, METHODS), ("projection_of", self.of, SOURCES)):
            if value not in words:
                empty = "None, " if name == "projection" else ""
                raise ValueError(f'{name} must be {empty}"{words[0]}" or "{words[1]}", got {value!r}')
        bounds = {"umap_neighbors": 2, "umap_min_dist": 0, "tsne_perplexity": 1, "tsne_exaggeration": 1}
        for name, least in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not least <= value < math.inf:
                raise ValueError(f"{name} must be a number from {least} up, got {value!r}")
        if self.umap_neighbors != int(self.umap_neighbors):
            raise ValueError(f"umap_neighbors must be a whole number, got {self.umap_neighbors!r}")
        if self.umap_min_dist > 1:
            raise ValueError(f"umap_min_dist must lie between 0 and 1, got {self.umap_min_dist!r}")

    def points(
        self, embedding: NDArray[np.floating], affinity: csr_array, seed: int, umap: UmapProcess | None = None
    ) -> Points:
        """Return the samples as points in the plane (n, 2).

        Args:
            embedding: Φ (n, q), where both methods start.
            affinity: A (n, n) of the graph.
            seed: of the method.
            umap: a process that has UMAP compiled; None compiles it here.

        Raises:
            ValueError: there are fewer than 4 samples.
        """
        if len(embedding) < 4:
            raise ValueError(f"a projection needs at least 4 heatmaps, got {len(embedding)}; use projection=None")
        if self.method == "tsne":
            return self._tsne(embedding, affinity, seed)
        return self._umap(embedding, affinity, seed, umap or umap_points)

    def _umap(self, embedding: NDArray[np.floating], affinity: csr_array, seed: int, points: Any) -> Points:
        near = min(int(self.umap_neighbors), len(embedding) - 1)
        settings: dict[str, Any] = {"near": near, "min_dist": self.umap_min_dist}
        if self.of == "graph":
            settings["known"] = _with_itself(*graph_neighbours(affinity, near - 1))
        return points(embedding, seed, **settings)

    def _tsne(self, embedding: NDArray[np.floating], affinity: csr_array, seed: int) -> Points:
        from sklearn.manifold import TSNE

        n = len(embedding)
        perplexity = min(self.tsne_perplexity, (n - 1) / 3)
        options: dict[str, Any] = {"perplexity": perplexity, "early_exaggeration": self.tsne_exaggeration}
        if self.of == "spectrum":
            found = TSNE(**options, init="pca", random_state=seed).fit_transform(embedding)
            return np.asarray(found, dtype=np.float64)
        start = PCA(2, svd_solver="randomized", random_state=seed).fit_transform(embedding)
        start = (start / np.std(start[:, 0]) * START).astype(np.float32)
        near = min(n - 1, int(3 * perplexity + 1))  # as many as t-SNE looks at
        found, distances = _with_itself(*graph_neighbours(affinity, near))
        pointers = np.arange(0, found.size + 1, found.shape[1])
        graph = csr_array((distances.ravel(), found.ravel(), pointers), shape=(n, n))
        reducer = TSNE(**options, metric="precomputed", init=start, random_state=seed)
        return np.asarray(reducer.fit_transform(graph), dtype=np.float64)


@dataclass(frozen=True)
class MapQuality:
    """How clusters of samples lie in a map of these [000 § 2.4].

    Attributes:
        overlap: share of the 10 nearest points of a point that belong to another cluster, mean over the points.
        scatter: share of the points' variance that lies within the clusters; the rest lies between their means.
        silhouette: mean silhouette coefficient (Rousseeuw 1987), from −1 to 1.
    """

    overlap: float
    scatter: float
    silhouette: float


def map_quality(points: Points, labels: NDArray[np.integer]) -> MapQuality:
    """Measure how far clusters overlap and scatter in a map.

    Args:
        points: (n, 2), not all at one place.
        labels: (n,) clusters, from two to n − 1.

    Raises:
        ValueError: the number of clusters is another.
    """
    near = NearestNeighbors(n_neighbors=min(NEAR, len(points) - 1)).fit(points).kneighbors(return_distance=False)
    means = np.stack([points[labels == label].mean(axis=0) for label in np.unique(labels)])
    own = means[np.unique(labels, return_inverse=True)[1]]
    return MapQuality(
        overlap=float((labels[near] != labels[:, None]).mean()),
        scatter=float(np.square(points - own).sum() / np.square(points - points.mean(axis=0)).sum()),
        silhouette=float(silhouette_score(points, labels)),
    )


def graph_neighbours(affinity: csr_array, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the nearest others (n, count) of each sample by 1 / (A + ε), and these distances, ascending.

    Ties go to the lower index; without a matrix of all distances.

    Args:
        affinity: A (n, n) of the graph, its diagonal zero.
        count: below n.
    """
    n = affinity.shape[0]
    found, weights = np.empty((n, count), dtype=np.int64), np.zeros((n, count))
    for row in range(n):
        part = slice(affinity.indptr[row], affinity.indptr[row + 1])
        columns, values = affinity.indices[part], affinity.data[part]
        order = np.lexsort((columns, -values))[:count]
        columns, values = columns[order], values[order]
        first = np.arange(min(n, count + len(columns) + 1))  # enough of those that are neither joined nor the sample
        others = first[~np.isin(first, [*columns, row])][: count - len(columns)]
        found[row] = np.concatenate([columns, others])
        weights[row, : len(values)] = values
    return found, 1 / (weights + UNCONNECTED)


def _with_itself(found: NDArray[np.int64], distances: NDArray[np.float64]) -> tuple[NDArray[np.int64], Points]:
    """The same with each sample before its neighbours, as both libraries count them."""
    own = np.arange(len(found))[:, None]
    return np.hstack([own, found]), np.hstack([np.zeros(own.shape), distances])
