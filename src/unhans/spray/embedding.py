"""The spectral embedding: clusterings other than k-means, and how well clusters are separated.

[000] §2.3 and §2.4, [003] ch. 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering
from sklearn.neighbors import NearestNeighbors

LARGE = 10_000  # samples clustered at once: these methods may need n² memory, 0.8 GB here
DENSE = 10  # samples, itself included, in the neighbourhood of a sample that is no noise: as many as SpRAy's neighbours
TREE = "kd_tree"  # beyond 15 columns scikit-learn multiplies matrices, so that equal points are not at distance zero
SMALLEST = 0.05  # smallest share of the samples that HDBSCAN calls a cluster
FLOOR = 1e-3  # smallest scatter within clusters, as a share of the mean scatter per direction of the whole embedding

Labels = NDArray[np.int64]


def cluster(embedding: NDArray[np.floating], name: str, n_clusters: int, seed: int) -> Labels:
    """Return the cluster (n,) of every row of a spectral embedding, from 0; −1 is noise.

    Clustered are the first n_clusters columns, at least 2: so many eigenvectors tell so many clusters apart, and among
    32 columns neither DBSCAN nor HDBSCAN finds what two of them show.

    "agglomerative": Ward's linkage into n_clusters. "dbscan": a sample is dense where 10 samples, itself included, lie
    within eps, which is the knee of the sorted distances to the tenth of them (`knee`). "hdbscan": clusters of at least
    10 samples and 5 % of all. The last two find the number of clusters themselves.

    Of more than 10,000 samples as many are drawn and clustered, and each of the others takes the label of the nearest.

    Args:
        embedding: Φ (n, q), n ≥ 2.
        name: a key of METHODS.
        n_clusters: suggested number of clusters.
        seed: of the samples that are drawn; nothing else is random.
    """
    count = min(max(2, n_clusters), len(embedding))
    points = embedding[:, :count]
    if len(points) <= LARGE:
        return METHODS[name](points, count).astype(np.int64)
    drawn = points[np.random.default_rng(seed).choice(len(points), LARGE, replace=False)]
    nearest = NearestNeighbors(n_neighbors=1).fit(drawn).kneighbors(points, return_distance=False)
    return METHODS[name](drawn, count).astype(np.int64)[nearest[:, 0]]


def fisher_separability(embedding: NDArray[np.floating], labels: NDArray[np.integer], directions: int = 1) -> float:
    """Return the largest λ of S_b v = λ S_w v for an embedding (n, q) and its cluster labels (n,), [000] eq. 4-8.

    Of several directions it is the sum of as many largest λ, which is the criterion of eq. 4 for their eigenvectors.

    S_w = Σ_k Σ_{i∈k} (x_i−μ_k)(x_i−μ_k)ᵀ; S_b = Σ_k (μ_k−μ)(μ_k−μ)ᵀ, not weighted by cluster size.
    S_w is singular where fewer than q samples are free to vary or clusters are points; the criterion would be infinite.
    Eigenvalues of S_w below a thousandth of the mean scatter per direction are lifted to it; others are left alone.
    """
    centred = embedding - embedding.mean(axis=0)
    members = np.unique(labels)[:, None] == labels
    means = (members @ centred) / members.sum(axis=1, keepdims=True)
    residual = centred - means[np.unique(labels, return_inverse=True)[1]]
    scatter, axes = eigh(residual.T @ residual)
    floor = FLOOR * np.square(centred).sum() / embedding.shape[1]
    if floor == 0:
        return 0.0
    whitened = means @ axes / np.sqrt(np.maximum(scatter, floor))
    return float(sum(value**2 for value in np.linalg.svd(whitened, compute_uv=False)[:directions]))


def knee(curve: NDArray[np.floating]) -> float:
    """Return the value at the knee of an ascending curve (n,): where it lies deepest below its chord."""
    chord = np.linspace(curve[0], curve[-1], len(curve))
    return float(curve[np.argmax(chord - curve)])


def _dbscan(embedding: NDArray[np.floating], n_clusters: int) -> Labels:
    dense = min(DENSE, len(embedding))
    distances = NearestNeighbors(n_neighbors=dense, algorithm=TREE).fit(embedding).kneighbors(embedding)[0][:, -1]
    eps = max(knee(np.sort(distances)), np.finfo(np.float64).tiny)  # zero where most samples are equal
    return DBSCAN(eps=eps, min_samples=dense, algorithm=TREE).fit(embedding).labels_


def _hdbscan(embedding: NDArray[np.floating], n_clusters: int) -> Labels:
    dense = min(DENSE, len(embedding))
    least = max(dense, math.ceil(SMALLEST * len(embedding)))
    return HDBSCAN(min_cluster_size=least, min_samples=dense, copy=True).fit(embedding).labels_


METHODS: dict[str, Callable[[NDArray[np.floating], int], Labels]] = {
    "agglomerative": lambda embedding, n_clusters: AgglomerativeClustering(n_clusters).fit(embedding).labels_,
    "dbscan": _dbscan,
    "hdbscan": _hdbscan,
}
