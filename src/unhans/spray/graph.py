"""The nearest-neighbour graph of a set of heatmaps ([000] §2.1, eq. 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def knn_affinity(neighbours: NDArray[np.integer]) -> csr_array:
    """Return the affinity A ← (A + Aᵀ)/2 (n, n) of the graph of neighbours (n, k): 1 for mutual, ½ for one-sided."""
    n, k = neighbours.shape
    # scikit-learn's graph functions want 32-bit indices
    pointers = np.arange(0, n * k + 1, k, dtype=np.int32)
    directed = csr_array((np.ones(neighbours.size), neighbours.ravel().astype(np.int32), pointers), shape=(n, n))
    return csr_array((directed + directed.T) / 2)
