"""Other clusterings of the spectral embedding than k-means."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering
from sklearn.neighbors import NearestNeighbors

METHODS = ("agglomerative", "dbscan", "hdbscan")

NOISE = -1
LARGE = 10_000  # samples clustered at once: these methods may need n² memory, 0.8 GB here
DENSE = 10  # samples, itself included, in the neighbourhood of a sample that is no noise: as many as SpRAy's neighbours
TREE = "kd_tree"  # beyond 15 columns scikit-learn multiplies matrices, so that equal points are not at distance zero
SMALLEST = 0.05  # smallest share of the samples that HDBSCAN calls a cluster

Labels = NDArray[np.int64]


def cluster(embedding: NDArray[np.floating], name: str, n_clusters: int, seed: int) -> Labels:
    """Return the cluster (n,) of every row of a spectral embedding Φ (n, q), from 0; −1 is noise.

    Clustered are the first n_clusters columns, at least 2: so many eigenvectors tell so many clusters apart, and among
    32 columns neither DBSCAN nor HDBSCAN finds what two of them show.

    "agglomerative": Ward's linkage into n_clusters. "dbscan": a sample is dense where 10 samples, itself included, lie
    within eps, which is the knee of the sorted distances to the tenth of them (`knee`). "hdbscan": clusters of at least
    10 samples and 5 % of all. The last two find the number of clusters themselves.

    Of more than 10,000 samples as many are drawn with the seed and clustered, and each of the others takes the label of
    the nearest of them; nothing else is random. Raises ValueError for another name, or fewer than two samples.
    """
    if name not in METHODS:
        raise ValueError(f"clusterings must be among {', '.join(METHODS)}, got {name!r}")
    if len(embedding) < 2:
        raise ValueError(f"a clustering needs at least 2 samples, got {len(embedding)}")
    count = min(max(2, n_clusters), len(embedding))
    points = embedding[:, :count]
    if len(points) <= LARGE:
        return _METHODS[name](points, count)
    drawn = points[np.random.default_rng(seed).choice(len(points), LARGE, replace=False)]
    nearest = NearestNeighbors(n_neighbors=1).fit(drawn).kneighbors(points, return_distance=False)
    return _METHODS[name](drawn, count)[nearest[:, 0]]


def knee(curve: NDArray[np.floating]) -> float:
    """Return the value at the knee of an ascending curve (n,): where it lies deepest below its chord."""
    chord = np.linspace(curve[0], curve[-1], len(curve))
    return float(curve[np.argmax(chord - curve)])


def _agglomerative(embedding: NDArray[np.floating], n_clusters: int) -> Labels:
    return AgglomerativeClustering(n_clusters).fit(embedding).labels_.astype(np.int64)


def _dbscan(embedding: NDArray[np.floating], n_clusters: int) -> Labels:
    dense = min(DENSE, len(embedding))
    distances = NearestNeighbors(n_neighbors=dense, algorithm=TREE).fit(embedding).kneighbors(embedding)[0][:, -1]
    eps = max(knee(np.sort(distances)), np.finfo(np.float64).tiny)  # zero where most samples are equal
    return DBSCAN(eps=eps, min_samples=dense, algorithm=TREE).fit(embedding).labels_.astype(np.int64)


def _hdbscan(embedding: NDArray[np.floating], n_clusters: int) -> Labels:
    dense = min(DENSE, len(embedding))
    least = max(dense, math.ceil(SMALLEST * len(embedding)))
    found = HDBSCAN(min_cluster_size=least, min_samples=dense, copy=True).fit(embedding)
    return found.labels_.astype(np.int64)


_METHODS: dict[str, Callable[[NDArray[np.floating], int], Labels]] = {
    "agglomerative": _agglomerative,
    "dbscan": _dbscan,
    "hdbscan": _hdbscan,
}
