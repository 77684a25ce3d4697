"""Two-dimensional maps of the spectral embedding, to look at ([000] §2.4, [003] ch. 6)."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Projection = Literal["umap", "tsne"]

EXACT = 4096  # samples from which on UMAP searches neighbours by descent


def project(embedding: NDArray[np.floating], method: Projection, seed: int) -> NDArray[np.float64]:
    """Return the embedding Φ (n, q) as points in the plane (n, 2), by UMAP or t-SNE; needs n ≥ 4 samples."""
    if len(embedding) < 4:
        raise ValueError(f"a projection needs at least 4 heatmaps, got {len(embedding)}; use projection=None")
    return (_umap if method == "umap" else _tsne)(embedding, seed)


def _umap(embedding: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    from umap import UMAP

    near = min(15, len(embedding) - 1)
    known = _exact_neighbours(embedding, near) if len(embedding) < EXACT else (None, None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)  # needed for new samples only
        # A seed needs one job, and the PCA start needs no connected graph: UMAP warns about both otherwise.
        reducer = UMAP(n_neighbors=near, init="pca", n_jobs=1, random_state=seed, precomputed_knn=known)
        return np.asarray(reducer.fit_transform(embedding), dtype=np.float64)


def _exact_neighbours(points: NDArray[np.floating], count: int) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Each sample with those nearest to it, as UMAP finds them in so few samples; its search takes 8 s to compile."""
    from sklearn.neighbors import NearestNeighbors

    distances, indices = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points).kneighbors(points)
    return indices, distances


def _tsne(embedding: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(7.0, (len(embedding) - 1) / 3)  # 7 and 6 are those of [003]
    reducer = TSNE(perplexity=perplexity, early_exaggeration=6, init="pca", random_state=seed)
    return np.asarray(reducer.fit_transform(embedding), dtype=np.float64)
