"""Heatmaps as clouds of weighted points ([000] §2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]

FINEST = 1000  # points that Ward's method is given at most
LEVELS = 100  # parts into which a distribution is divided; rounding across the edge of one counts a hundredfold
ROUNDING = 1e-12  # share of the mass that a running sum of pixels may miss


@dataclass(frozen=True)
class Cloud:
    """Points (m, 2) in pixels with weights (m,) that are positive and sum to one."""

    points: Array
    weights: Array

    @cached_property
    def distances(self) -> Array:
        """The euclidean distances (m, m) between the points."""
        return cdist(self.points, self.points)

    @cached_property
    def spread(self) -> Array:
        """The mean squared distance (m,) of every point to a point of the cloud."""
        return cdist(self.points, self.points, "sqeuclidean") @ self.weights

    @cached_property
    def upright(self) -> Array:
        """The points (m, 2) round their centre of mass, along their principal axes."""
        centred = self.points - self.weights @ self.points
        _, axes = np.linalg.eigh((centred.T * self.weights) @ centred)
        return centred @ axes

    @cached_property
    def local(self) -> Array:
        """How far the cloud's mass lies from each point: levels (m, 100) of the distribution of distances."""
        return np.stack([levels(row, self.weights) for row in self.distances])

    @cached_property
    def overall(self) -> Array:
        """How far two points of the cloud lie apart: levels (100,) of the distribution of all distances."""
        distances = cdist(self.points, self.points)  # not kept: a class of clouds needs them one after the other
        return levels(distances.ravel(), np.outer(self.weights, self.weights).ravel())


@dataclass(frozen=True)
class CoarsenedCloud:
    """A cloud, and a coarse cloud of the centres of its parts.

    Attributes:
        part: (m,) the part that each point of the fine cloud belongs to.
    """

    fine: Cloud
    coarse: Cloud
    part: NDArray[np.int64]


def cloud(heatmap: NDArray[np.floating], mass: float = 0.99, max_points: int = 100) -> Cloud:
    """Return the pixels of most relevance, in descending order until they hold a share `mass` of all of it.

    Only positive relevance has mass; a map without any is a single point. More pixels than `max_points` are merged, so
    that the cloud holds the mass nevertheless: see `merge_points`. Ties go to the first in reading order.

    Args:
        heatmap: (H, W).
        mass: share of the positive relevance.
        max_points: of the cloud.
    """
    relevance = np.maximum(heatmap, 0).astype(np.float64).ravel()
    if not relevance.any():
        return Cloud(np.zeros((1, 2)), np.ones(1))
    order = np.argsort(-relevance, kind="stable")
    held = np.cumsum(relevance[order] / relevance.sum())
    kept = order[: 1 + int(np.searchsorted(held, mass - ROUNDING))]
    kept = kept[relevance[kept] > 0]
    points = np.stack(np.unravel_index(kept, heatmap.shape), axis=1).astype(np.float64)
    return merge_points(Cloud(points, relevance[kept] / relevance[kept].sum()), max_points)


def merge_points(fine: Cloud, most: int) -> Cloud:
    """Return a cloud of at most so many points, each the centre of mass of a part and of its weight.

    The parts are those of Ward's method, whose time grows with the square of the points: of very many, as large maps
    have, those in the same cell of 2 × 2, 4 × 4, … pixels become one before. The cells are counted from the cloud's
    own corner, so that a shifted cloud is merged the same. No mass is left out; what is lost is how it is spread
    inside of a part, and so the merged clouds of a shape and of its rotation differ a little.
    """
    if len(fine.weights) <= most:
        return fine
    side, pooled, corner = 1, fine, fine.points.min(axis=0)
    while len(pooled.weights) > max(most, FINEST):
        side *= 2
        _, part = np.unique((fine.points - corner) // side, axis=0, return_inverse=True)
        pooled = _centres(fine, part.ravel())
    return coarsen(pooled, most).coarse


def coarsen(fine: Cloud, parts: int) -> CoarsenedCloud:
    """Divide a cloud into at most so many parts by Ward's method; equal clouds are divided equally."""
    if len(fine.weights) <= parts:
        return CoarsenedCloud(fine, fine, np.arange(len(fine.weights)))
    part = fcluster(linkage(fine.points, "ward"), parts, "maxclust").astype(np.int64) - 1
    return CoarsenedCloud(fine, _centres(fine, part), part)


def _centres(fine: Cloud, part: NDArray[np.int64]) -> Cloud:
    """The centres of mass of the parts, and their weights."""
    weights = np.bincount(part, weights=fine.weights)
    sums = [np.bincount(part, weights=fine.weights * axis) for axis in fine.points.T]
    return Cloud(np.stack(sums, axis=1) / weights[:, None], weights)


def levels(values: Array, weights: Array, count: int = LEVELS) -> Array:
    """Return the means (count,) of equal shares of a distribution, from the lowest to the highest.

    The root mean square of the difference of two such vectors is never larger than the 2-Wasserstein distance of the
    distributions (Jensen's inequality), and equal to it where each share holds one value only.

    values, weights: (m,), weights positive.
    """
    order = np.argsort(values, kind="stable")
    held = np.append(0, np.cumsum(weights[order]))
    moment = np.append(0, np.cumsum(weights[order] * values[order]))
    means = np.diff(np.interp(np.linspace(0, held[-1], count + 1), held, moment))
    return means * count / held[-1]


def scale_cloud(given: Cloud) -> Cloud:
    """Return a cloud scaled so that the root mean square of its distances is one; a single point stays."""
    size = np.sqrt(given.weights @ given.spread)
    return Cloud(given.points / size, given.weights) if size else given
