"""The nearest-neighbour graph of a set of heatmaps, without a matrix of all distances ([000] §2.1, eq. 1)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unhans.spray.euclidean import ROWS, squared_tiles

Symmetrisation = Literal["mean", "max"]
LOGARITHM = "log"
SHORTEST = 1e-6  # share of the longest edge that an edge between equal heatmaps keeps: without any it would be gone


def neighbour_count(n_neighbors: int | str, n: int) -> int:
    """Return the neighbours that each of n samples gets: the number itself, or of "log" ⌈ln n⌉, at least 1 [003 § 6.2].

    Raises:
        ValueError: another word.
    """
    if isinstance(n_neighbors, str) and n_neighbors != LOGARITHM:
        raise ValueError(f'n_neighbors must be a whole number from 1 up or "{LOGARITHM}", got {n_neighbors!r}')
    return max(1, math.ceil(math.log(max(n, 1)))) if isinstance(n_neighbors, str) else n_neighbors


def knn_affinity(
    neighbours: NDArray[np.integer],
    symmetrisation: Symmetrisation = "mean",
    lengths: NDArray[np.floating] | None = None,
) -> csr_array:
    """Return the symmetric affinity (n, n) of the graph of neighbours (n, k).

    Args:
        neighbours: of each sample.
        symmetrisation: "mean", A ← (A + Aᵀ)/2, so that mutual neighbours weigh 1 and one-sided ones ½ [000 eq. 1]; or
            "max", A ← max(A, Aᵀ), where all weigh 1 [003 § 6.2].
        lengths: (n, k) distances that edges weigh in place of 1 [003 § 6.2]; of zero length is none.
    """
    n, k = neighbours.shape
    weights = np.ones(neighbours.size)
    if lengths is not None and lengths.any():
        weights = np.maximum(lengths.ravel(), SHORTEST * lengths.max())
    # scikit-learn's graph functions want 32-bit indices
    pointers = np.arange(0, n * k + 1, k, dtype=np.int32)
    directed = csr_array((weights, neighbours.ravel().astype(np.int32), pointers), shape=(n, n))
    return csr_array(directed.maximum(directed.T) if symmetrisation == "max" else (directed + directed.T) / 2)


APPROXIMATE = 20_000  # heatmaps from which on the exact search, which grows with n², takes longer than the other
SPARE = 30  # neighbours searched beside those asked for: without them one in twenty is missed

Neighbours = NDArray[np.int32]  # (n, k), the nearest first; never the sample itself


def euclidean_neighbours(heatmaps: NDArray[np.floating], k: int) -> Neighbours:
    """Return the k nearest neighbours (n, k) of heatmaps (n, ...), the nearest first: exact below 20,000 heatmaps.

    From there on nearest-neighbour descent finds 95 % of them and more, the same ones in every run.

    Raises:
        ValueError: not 1 ≤ k < n.
    """
    check_count(len(heatmaps), k)
    return (exact_neighbours if len(heatmaps) < APPROXIMATE else approximate_neighbours)(heatmaps, k)


def exact_neighbours(heatmaps: NDArray[np.floating], k: int) -> Neighbours:
    """Return the k nearest neighbours (n, k) in memory that grows with n, not n².

    Ties go to the lower index where squared distances are equal to the last digit; rounding decides other ties.
    """
    n = len(heatmaps)
    nearest = np.full((n, k), np.inf)
    index = np.full((n, k), -1, dtype=np.int32)
    for rows, columns, squared in squared_tiles(heatmaps):
        if rows == columns:
            np.fill_diagonal(squared, np.inf)
        _merge(nearest[rows], index[rows], squared, columns.start)
        if rows != columns:
            _merge(nearest[columns], index[columns], squared.T, rows.start)
    return index


def neighbours_in(distances: NDArray[np.floating], k: int) -> Neighbours:
    """Return the k nearest neighbours (n, k) by a matrix of distances (n, n); ties go to the lower index.

    A sample is never its own neighbour: it is left out by index, for among duplicates its own distance is no smaller
    than theirs.

    Raises:
        ValueError: not 1 ≤ k < n.
    """
    check_count(len(distances), k)
    found = []
    for start in range(0, len(distances), ROWS):
        others = np.array(distances[start : start + ROWS], dtype=np.float64)
        others[np.arange(len(others)), start + np.arange(len(others))] = np.inf
        found.append(lowest(others, k))
    return np.concatenate(found).astype(np.int32)


def approximate_neighbours(heatmaps: NDArray[np.floating], k: int) -> Neighbours:
    """Return about the k nearest neighbours (n, k) by nearest-neighbour descent, the same ones in every run.

    Of 20,000 smooth heatmaps of 28 × 28, 99 % of them are right; of noise that varies alike in all 784 directions,
    whose distances are all about the same, 70 %.
    """
    from pynndescent import NNDescent

    flat = heatmaps.reshape(len(heatmaps), -1)
    flat = flat - flat.mean(axis=0, dtype=np.float64).astype(flat.dtype)
    flat = (flat / (np.abs(flat).max() or 1)).astype(np.float32, copy=False)  # squares must not leave float32
    found, _ = NNDescent(flat, n_neighbors=min(k + SPARE, len(flat)), random_state=0, n_jobs=1).neighbor_graph
    others = (found >= 0) & (found != np.arange(len(flat))[:, None])  # −1 where the descent found too few
    first = np.argsort(~others, axis=1, kind="stable")[:, :k]
    nearest = np.take_along_axis(found, first, axis=1).astype(np.int32)
    for row in np.flatnonzero(others.sum(axis=1) < k):
        nearest[row] = _neighbours_of(row, flat, k)
    return nearest


def lowest(values: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    """Return the columns (r, k) of the k lowest values in each row of (r, m), in order; ties go to the first."""
    kth = np.partition(values, k - 1, axis=1)[:, k - 1 : k]
    chosen = values <= kth
    tied = chosen.sum(axis=1) > k
    below, equal = values[tied] < kth[tied], values[tied] == kth[tied]
    chosen[tied] = below | (equal & (equal.cumsum(axis=1) <= k - below.sum(axis=1, keepdims=True)))
    columns = chosen.nonzero()[1].reshape(-1, k)
    order = np.argsort(np.take_along_axis(values, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def check_count(n: int, k: int) -> None:
    """Raise ValueError unless n samples can have k neighbours each."""
    if not 1 <= k < n:
        raise ValueError(f"n_neighbors={k} must be at least 1 and smaller than the number of heatmaps, {n}")


def check_neighbours(neighbours: NDArray[np.integer], n: int, k: int) -> Neighbours:
    """Return neighbours found by somebody else as int32; raises ValueError unless (n, k) other samples per sample."""
    found = np.asarray(neighbours)
    if found.shape != (n, k) or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"a metric's neighbours must be whole numbers of shape {(n, k)}, got {found.shape}")
    twice = np.diff(np.sort(found, axis=1), axis=1) == 0
    if found.min() < 0 or found.max() >= n or twice.any() or (found == np.arange(n)[:, None]).any():
        raise ValueError(f"a metric's neighbours must be {k} different samples, none of them the sample itself")
    return found.astype(np.int32)


def _neighbours_of(row: int, flat: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    parts = (flat[start : start + ROWS] for start in range(0, len(flat), ROWS))
    squared = np.concatenate([np.square(part - flat[row]).sum(axis=1) for part in parts])
    squared[row] = np.inf
    return lowest(squared[None], k)[0]


def _merge(nearest: NDArray[np.float64], index: NDArray[np.int32], squared: NDArray[np.float64], start: int) -> None:
    k = nearest.shape[1]
    # those found before have lower indices, so that ties go to them
    values = np.concatenate([nearest, squared], axis=1)
    columns = lowest(values, k)
    before = np.take_along_axis(index, np.minimum(columns, k - 1), axis=1)
    index[:] = np.where(columns < k, before, start + columns - k)
    nearest[:] = np.take_along_axis(values, columns, axis=1)
