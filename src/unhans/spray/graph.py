"""The nearest-neighbour graph of a set of heatmaps ([000] §2.1, eq. 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def knn_affinity(distances: NDArray[np.floating], n_neighbors: int) -> csr_array:
    """Return the affinity A ← (A + Aᵀ)/2 (n, n) of the k-nearest-neighbour graph: 1 for mutual, ½ for one-sided.

    A sample is never its own neighbour: it is left out by index, for among duplicates its own distance is no smaller
    than theirs. Ties go to the lower index. Raises ValueError unless 1 ≤ k < n.
    """
    n = len(distances)
    if not 1 <= n_neighbors < n:
        raise ValueError(f"n_neighbors={n_neighbors} must be at least 1 and smaller than the number of heatmaps, {n}")
    others = np.array(distances, dtype=np.float64)
    np.fill_diagonal(others, np.inf)
    # scikit-learn's graph functions want 32-bit indices
    neighbours = np.argsort(others, axis=1, kind="stable")[:, :n_neighbors].astype(np.int32)
    pointers = np.arange(0, n * n_neighbors + 1, n_neighbors, dtype=np.int32)
    directed = csr_array((np.ones(neighbours.size), neighbours.ravel(), pointers), shape=(n, n))
    return csr_array((directed + directed.T) / 2)
