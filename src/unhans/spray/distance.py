"""Pairwise distances between heatmaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLUMNS = 4096  # pixels handled at once: bounds the memory of the float64 copy
CANCELLED = 1e-7  # below this share of |x|² + |y|² the product formula has lost about half of its digits


def euclidean_distances(heatmaps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the euclidean distances (n, n) between the rows of heatmaps (n, ...), exact for near-duplicates too.

    |x − y|² = |x|² + |y|² − 2 x·y as a matrix product in float64 on centred maps; pairs so close that the difference
    cancels are computed again directly. The diagonal is zero and the matrix exactly symmetric.
    """
    flat = heatmaps.reshape(len(heatmaps), -1)
    gram = np.zeros((len(flat), len(flat)))
    for start in range(0, flat.shape[1], COLUMNS):
        block = flat[:, start : start + COLUMNS].astype(np.float64)
        block -= block.mean(axis=0)
        gram += block @ block.T
    size = np.add.outer(np.diag(gram), np.diag(gram))
    squared = np.maximum(size - gram - gram.T, 0)
    for i, j in np.argwhere(np.triu(squared <= CANCELLED * size, 1)):
        squared[i, j] = squared[j, i] = np.square(flat[i].astype(np.float64) - flat[j]).sum()
    np.fill_diagonal(squared, 0)
    return np.sqrt(squared)


def check_distances(distances: ArrayLike) -> NDArray[np.float64]:
    """Return a distance matrix as float64 (n, n); raises ValueError unless square, finite, symmetric, non-negative."""
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a distance matrix must have shape (n, n), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("a distance matrix must be finite, got NaN or infinity")
    if (matrix < 0).any() or not np.allclose(matrix, matrix.T):
        raise ValueError("a distance matrix must be symmetric and not negative")
    return matrix
