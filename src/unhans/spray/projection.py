"""Two-dimensional maps of the spectral embedding, to look at ([000] §2.4, [003] ch. 6)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Projection = Literal["umap", "tsne"]


def project(embedding: NDArray[np.floating], method: Projection, seed: int) -> NDArray[np.float64]:
    """Return the embedding Φ (n, q) as points in the plane (n, 2), by UMAP or t-SNE; needs n ≥ 4 samples."""
    if len(embedding) < 4:
        raise ValueError(f"a projection needs at least 4 heatmaps, got {len(embedding)}; use projection=None")
    return (_umap if method == "umap" else _tsne)(embedding, seed)


def _umap(embedding: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    from umap import UMAP

    # A seed needs one job, and the PCA start needs no connected graph: UMAP warns about both otherwise.
    reducer = UMAP(n_neighbors=min(15, len(embedding) - 1), init="pca", n_jobs=1, random_state=seed)
    return np.asarray(reducer.fit_transform(embedding), dtype=np.float64)


def _tsne(embedding: NDArray[np.floating], seed: int) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(7.0, (len(embedding) - 1) / 3)  # 7 and 6 are those of [003]
    reducer = TSNE(perplexity=perplexity, early_exaggeration=6, init="pca", random_state=seed)
    return np.asarray(reducer.fit_transform(embedding), dtype=np.float64)
