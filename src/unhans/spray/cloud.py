"""The cloud without clusters that the heatmaps of a class are compared with (the idea of the gap statistic)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

HALVES = 1 - 2 / math.pi  # share of a normal variance that is left when its two halves are centred


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


def cloud_variances(coordinates: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the variance along each column of (n, d) that the samples would have if they were one normal cloud.

    It is what the best split of the column into two clusters leaves, divided by what it would leave of a normal
    distribution: the variance itself for a single cloud, and that of the clusters, not of their distance, for two.
    """
    n = len(coordinates)
    ordered = np.sort(coordinates, axis=0)
    sums, counts = np.cumsum(ordered, axis=0), np.arange(1, n)[:, None]
    low, high = sums[:-1], sums[-1] - sums[:-1]
    explained = (low**2 / counts + high**2 / (n - counts)).max(axis=0)
    left = np.maximum(np.square(ordered).sum(axis=0) - explained, 0)
    return left / (n - 1) / HALVES


def surrogates(variances: NDArray[np.floating], count: int) -> Iterator[NDArray[np.float64]]:
    """Draw sets of n normally distributed points (n, n) with variances (n,) along n axes, always the same ones.

    Where no variance is left, since all samples are one of two points, all variances are one.
    """
    variances = variances if variances.any() else np.ones(len(variances))
    random = np.random.default_rng(0)
    for _ in range(count):
        yield random.normal(size=(len(variances),) * 2) * np.sqrt(variances)
