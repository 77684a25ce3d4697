"""The cloud without clusters that the heatmaps of a class are compared with (the idea of the gap statistic)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from unhans.spray.distance import ROWS

HALVES = 1 - 2 / math.pi  # share of a normal variance that is left when its two halves are centred
AXES = 2048  # principal axes at most: finding them takes time that grows with their third power
ROUNDING = 1e-12  # share of the largest variance below which an axis is rounding
COLUMNS = 64  # axes handled at once: bounds the memory of their sums


def principal_coordinates(distances: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points (n, n) with these distances, along their principal axes, the longest first.

    Classical scaling: from the eigenvectors of −½ J D² J, J the centring matrix; for euclidean distances this is PCA.
    Axes that are imaginary because a metric is not euclidean are set to zero.
    """
    squared = np.square(distances)
    mean = squared.mean(axis=0)
    gram = (np.add.outer(mean, mean) - squared - mean.mean()) / 2
    size, axes = eigh(gram)
    return (axes * np.sqrt(np.maximum(size, 0)))[:, ::-1]


def map_coordinates(heatmaps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return heatmaps (n, ...) as points (n, a) along a principal axes, the longest first (PCA).

    a = min(n, d), from the covariance of the d pixels. Where both n and d exceed 2,048, the axes are those of 2,048
    heatmaps drawn at random, always the same ones.
    """
    flat = heatmaps.reshape(len(heatmaps), -1)
    few = flat if min(flat.shape) <= AXES else flat[_sample(len(flat))]
    mean = few.mean(axis=0, dtype=np.float64)
    axes = _principal_axes(few, mean)
    points = np.empty((len(flat), axes.shape[1]))
    for rows, part in _centred(flat, mean):
        points[rows] = part @ axes
    return points


def cloud_variances(coordinates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the variance along each column of (n, d) that the samples would have if they were one normal cloud.

    It is what the best split of the column into two clusters leaves, divided by what it would leave of a normal
    distribution: the variance itself for a single cloud, and that of the clusters, not of their distance, for two.
    """
    starts = range(0, coordinates.shape[1], COLUMNS)
    return np.concatenate([np.zeros(0), *(_left(coordinates[:, i : i + COLUMNS]) for i in starts)])


def surrogates(variances: NDArray[np.floating], n: int, count: int) -> Iterator[NDArray[np.float64]]:
    """Draw sets of n normally distributed points (n, a) with variances along a axes, always the same ones.

    Axes without variance are left out. Where no variance is left, since all samples are one of two points, all
    variances are one.
    """
    # as many draws per point whatever the number of pixels, so that pixels that never change change nothing
    width = max(len(variances), min(n, AXES))
    variances = variances if variances.any() else np.ones(width)
    used = np.flatnonzero(variances > ROUNDING * variances.max())
    random = np.random.default_rng(0)
    for _ in range(count):
        points = np.empty((n, len(used)))
        for start in range(0, n, ROWS):
            drawn = random.normal(size=(min(ROWS, n - start), width))
            points[start : start + ROWS] = drawn[:, used] * np.sqrt(variances[used])
        yield points


def _left(columns: NDArray[np.floating]) -> NDArray[np.float64]:
    n = len(columns)
    ordered = np.sort(columns - columns.mean(axis=0), axis=0)
    sums, counts = np.cumsum(ordered, axis=0), np.arange(1, n)[:, None]
    low, high = sums[:-1], sums[-1] - sums[:-1]
    explained = (low**2 / counts + high**2 / (n - counts)).max(axis=0)
    left = np.maximum(np.square(ordered).sum(axis=0) - explained, 0)
    return left / (n - 1) / HALVES


def _principal_axes(flat: NDArray[np.floating], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    n, d = flat.shape
    if d <= n:
        return eigh(sum(part.T @ part for _, part in _centred(flat, mean)))[1][:, ::-1]
    centred = np.concatenate([part for _, part in _centred(flat, mean)])
    size, weights = eigh(centred @ centred.T)
    real = size > ROUNDING * size[-1]
    return (centred.T @ (weights[:, real] / np.sqrt(size[real])))[:, ::-1]


def _sample(n: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).choice(n, AXES, replace=False))


def _centred(flat: NDArray[np.floating], mean: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    parts = (slice(start, start + ROWS) for start in range(0, len(flat), ROWS))
    return ((part, flat[part].astype(np.float64) - mean) for part in parts)
