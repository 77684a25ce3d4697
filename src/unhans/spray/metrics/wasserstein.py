"""The Wasserstein distance of heatmaps on the pixel grid, and the heatmaps that are nearest by it ([000] §2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from unhans.spray.euclidean import equal_up_to_rounding
from unhans.spray.metrics.gromov_wasserstein import transport
from unhans.spray.metrics.point_cloud import LEVELS, Cloud, levels
from unhans.spray.metrics.pruned_knn import Advance, Pairs, distance_matrix, measure_pairs, nearest_measured
from unhans.spray.pooling import sum_pool
from unhans.spray.spectral import check_count, neighbours_in

FINEST = 28  # cells a side: 784 points, a second per pair
TURNS = np.arange(4) * np.pi / 8  # of the two axes onto which mass is projected


@dataclass(frozen=True)
class Wasserstein:
    """The 2-Wasserstein distance of the positive relevance of heatmaps, each of mass one: small for small shifts.

    Relevance is summed over the cells of a grid; the distance, in pixels, is the exact optimal transport between the
    cells. A heatmap without positive relevance has its mass in the middle.

    Args:
        grid: cells a side, 28 at most; the time per pair grows with the fifth power.
        n_jobs: processes; -1 is one per core.

    Raises:
        ValueError: a parameter is out of range.
    """

    grid: int = 14
    n_jobs: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.grid <= FINEST:
            raise ValueError(f"grid must lie between 1 and {FINEST} cells, got {self.grid}")

    def neighbours(self, maps: NDArray[np.floating], k: int, advance: Advance | None = None) -> NDArray[np.int32]:
        """Return the k nearest of heatmaps (n, H, W) to each as indices (n, k), the nearest first, never itself.

        Exact: only pairs that a lower bound excludes are left out. Ties beyond rounding go to the lower index.

        Args:
            maps: (n, H, W).
            k: neighbours.
            advance: called with the number of pairs measured, and the number now expected in total.

        Raises:
            ValueError: not 1 ≤ k < n.
        """
        check_count(len(maps), k)
        clouds = self.clouds(maps)
        points = projections(clouds)
        measure = partial(measure_pairs, clouds, wasserstein, self.n_jobs)
        return neighbours_in(nearest_measured(cdist(points, points), k, measure, None, advance), k)

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances (n, n) of all pairs of heatmaps (n, H, W)."""
        return distance_matrix(self.clouds(maps), wasserstein, self.n_jobs)

    def pair_distances(self, maps: NDArray[np.floating], pairs: Pairs) -> NDArray[np.float64]:
        """Return the distances (p,) of pairs of heatmaps (p, 2)."""
        return np.concatenate(list(measure_pairs(self.clouds(maps), wasserstein, self.n_jobs, pairs)))

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the heatmaps differ by a factor only, up to rounding."""
        return equal_up_to_rounding(projections(self.clouds(maps)), maps.dtype, LEVELS)

    def clouds(self, maps: NDArray[np.floating]) -> list[Cloud]:
        """Return the cells that hold positive relevance of each of heatmaps (n, H, W)."""
        return cell_clouds(maps, self.grid)


def cell_clouds(maps: NDArray[np.floating], grid: int) -> list[Cloud]:
    """Return the cells, `grid` a side at most, that hold positive relevance of each of heatmaps (n, H, W).

    Raises:
        ValueError: the heatmaps have another shape.
    """
    if maps.ndim != 3:
        raise ValueError(f"Wasserstein needs heatmaps of shape (n, H, W), got {maps.shape}")
    cells = [_middles(side, min(side, grid)) for side in maps.shape[1:]]
    points = np.stack(np.meshgrid(*cells, indexing="ij"), axis=-1).reshape(-1, 2)
    middle = (np.array(maps.shape[1:]) - 1) / 2
    return [_cloud(each.ravel(), points, middle) for each in sum_pool(np.maximum(maps, 0), grid)]


def wasserstein(first: Cloud, second: Cloud) -> float:
    """Return √ min Σ |x − y|² π(x, y) over plans π between two clouds."""
    cost = cdist(first.points, second.points, "sqeuclidean")
    return float(np.sqrt((cost * transport(first.weights, second.weights, cost)).sum()))


def projections(clouds: list[Cloud], turns: NDArray[np.float64] = TURNS) -> NDArray[np.float64]:
    """Return points (n, 200 · turns) whose euclidean distances are at most the Wasserstein distances of the clouds.

    The squared distance is the sum over two axes of the squared differences; along each axis alone, mass moves no
    further than the best it could do there. Averaged over the turns of the axes, angles (turns,).
    """
    axes = np.concatenate([np.cos([turns, turns - np.pi / 2]), np.sin([turns, turns - np.pi / 2])]).reshape(2, -1)
    found = [[levels(line, each.weights) for line in (each.points @ axes).T] for each in clouds]
    return np.reshape(found, (len(clouds), -1)) / np.sqrt(LEVELS * len(turns))


def _cloud(relevance: NDArray[np.floating], points: NDArray[np.float64], middle: NDArray[np.float64]) -> Cloud:
    if not relevance.any():
        return Cloud(middle[None], np.ones(1))
    held = relevance > 0
    weights = relevance[held].astype(np.float64)
    return Cloud(points[held], weights / weights.sum())


def _middles(length: int, cells: int) -> NDArray[np.float64]:
    """The middle pixels of the cells (cells,) into which `sum_pool` divides a side."""
    edges = np.arange(cells + 1) * length // cells
    return (edges[:-1] + edges[1:] - 1) / 2
