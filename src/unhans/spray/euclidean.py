"""Pairwise distances between heatmaps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import repeat

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

ROWS = 2048  # heatmaps compared at once with as many others
COLUMNS = 2048  # pixels handled at once: bounds the memory of the float64 copies
DIRECT = 2**22  # values handled at once where distances are computed directly
ASYMMETRIC = 1e-8  # share of the largest distance by which a matrix of distances may differ from its transpose
DIAGONAL = 1e-6  # the same for its diagonal, which the product formula leaves at the root of rounding
ROUNDED = 16  # steps of the floating-point type that scaling and summing leave between multiples of one heatmap
CANCELLED = 1e-7  # below this share of |x|² + |y|² the product formula has lost about half of its digits

Tile = tuple[slice, slice, NDArray[np.float64]]


def euclidean_distances(heatmaps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the euclidean distances (n, n) between the rows of heatmaps (n, ...), exact for near-duplicates too.

    The diagonal is zero and the matrix exactly symmetric.
    """
    distances = np.empty((len(heatmaps),) * 2)
    for rows, columns, squared in squared_tiles(heatmaps):
        distances[rows, columns] = np.sqrt(squared)
        distances[columns, rows] = distances[rows, columns].T
    return distances


def squared_tiles(heatmaps: NDArray[np.floating]) -> Iterator[Tile]:
    """Yield rows, columns and squared euclidean distances of heatmaps (n, ...), tile by tile of the upper triangle.

    |x − y|² = |x|² + |y|² − 2 x·y as a matrix product in float64 on centred maps, on the GPU where there is one; pairs
    so close that the difference cancels are computed again directly. Needs memory for a few tiles of 2048 × 2048.
    """
    flat = heatmaps.reshape(len(heatmaps), -1)
    mean = flat.mean(axis=0, dtype=np.float64)
    parts = [slice(start, min(start + ROWS, len(flat))) for start in range(0, len(flat), ROWS)]
    size = np.concatenate([_sizes(flat[part], mean) for part in parts])
    for i, rows in enumerate(parts):
        for columns in parts[i:]:
            total = np.add.outer(size[rows], size[columns])
            squared = np.maximum(total - 2 * _products(flat, rows, columns, mean), 0)
            near = squared <= CANCELLED * total
            if rows == columns:
                np.fill_diagonal(squared, 0)
                np.fill_diagonal(near, False)  # a map is at no distance of itself: nothing to compute
            _compute_again(squared, near, flat[rows], flat[columns])
            yield rows, columns, squared


def product(x: NDArray[np.float64], y: NDArray[np.float64], device: str | None = None) -> NDArray[np.float64]:
    """Return x yᵀ, computed by torch on a device, by default on the GPU, or by NumPy where there is none."""
    device = "cuda" if device is None and torch.cuda.is_available() else device
    if device is None:
        return x @ y.T
    return (torch.from_numpy(x).to(device) @ torch.from_numpy(y).to(device).T).cpu().numpy()


def equal_up_to_rounding(points: NDArray[np.floating], dtype: DTypeLike | None = None, amplified: int = 1) -> bool:
    """Return whether points (n, ...) differ from the first of them by rounding only, as a share of its largest value.

    Args:
        points: to be compared.
        dtype: what the points were computed from, by default their own.
        amplified: how many times the computation made rounding larger.
    """
    first = points[0].astype(np.float64)
    step = np.finfo(points.dtype if dtype is None else dtype).eps
    tolerance = amplified * ROUNDED * step * np.abs(first).max(initial=0)
    return all((np.abs(one - first) <= tolerance).all() for one in points)


def check_distances(distances: ArrayLike) -> NDArray[np.float64]:
    """Return a distance matrix as float64 (n, n); raises ValueError for what is none.

    It must be square, finite, not negative, symmetric, and zero on the diagonal, the last two up to rounding.
    """
    matrix = np.asarray(distances, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a distance matrix must have shape (n, n), got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("a distance matrix must be finite, got NaN or infinity")
    largest = matrix.max(initial=0)
    if (matrix < 0).any() or not np.allclose(matrix, matrix.T, atol=ASYMMETRIC * largest):
        raise ValueError("a distance matrix must be symmetric and not negative")
    if (np.diag(matrix) > DIAGONAL * largest).any():
        raise ValueError(f"a distance matrix must be zero on its diagonal, got up to {np.diag(matrix).max():g}")
    return matrix


def _centred(flat: NDArray[np.floating], mean: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    for start in range(0, flat.shape[1], COLUMNS):
        block = flat[:, start : start + COLUMNS].astype(np.float64)
        block -= mean[start : start + COLUMNS]
        yield block


def _sizes(flat: NDArray[np.floating], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sum([np.einsum("ij,ij->i", x, x) for x in _centred(flat, mean)], axis=0)


def _products(
    flat: NDArray[np.floating], rows: slice, columns: slice, mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
    others = repeat(None) if rows == columns else _centred(flat[columns], mean)
    for x, y in zip(_centred(flat[rows], mean), others, strict=False):
        total += product(x, x if y is None else y)  # a matrix times itself takes half the time
    return total


def _compute_again(
    squared: NDArray[np.float64], near: NDArray[np.bool_], a: NDArray[np.floating], b: NDArray[np.floating]
) -> None:
    i, j = near.nonzero()
    same = _digests(a, i)[i] == _digests(b, j)[j]  # there may be millions of pairs of equal maps
    squared[i[same], j[same]] = 0
    i, j = i[~same], j[~same]
    step = max(1, DIRECT // a.shape[1])
    for start in range(0, len(i), step):
        some = slice(start, start + step)
        squared[i[some], j[some]] = np.square(a[i[some]].astype(np.float64) - b[j[some]]).sum(axis=1)


def _digests(flat: NDArray[np.floating], used: NDArray[np.int64]) -> NDArray[np.bytes_]:
    digests = np.zeros(len(flat), dtype="V16")
    for row in np.unique(used):
        digests[row] = np.void(hashlib.blake2b(np.ascontiguousarray(flat[row]), digest_size=16).digest())
    return digests
