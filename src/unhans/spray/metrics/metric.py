"""By what heatmaps are compared: a metric by name, a function, a matrix of distances, or an object of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unhans.spray.euclidean import equal_up_to_rounding, euclidean_distances
from unhans.spray.metrics.gromov_wasserstein import GromovWasserstein
from unhans.spray.metrics.point_cloud import LEVELS
from unhans.spray.metrics.pruned_knn import Advance, Pairs
from unhans.spray.metrics.wasserstein import Wasserstein, cell_clouds, projections
from unhans.spray.pooling import slices
from unhans.spray.spectral import Neighbours, check_neighbours, euclidean_neighbours, neighbours_in

SLICES = np.arange(8) * np.pi / 16  # turns of two axes: sixteen directions, evenly over the half circle


@runtime_checkable
class Metric(Protocol):
    """What SpRAy asks of a metric."""

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest of maps (n, ...) to each as indices (n, k), never itself, the nearest first."""

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether all distances are zero, or what rounding makes of zero."""


AnyMetric = str | Metric | Callable[[NDArray[np.floating]], NDArray[np.floating]]


@dataclass(frozen=True)
class Euclidean:
    """The euclidean distance, exact below 20,000 heatmaps, on the GPU where there is one."""

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest neighbours (n, k); ties go to the lower index."""
        return euclidean_neighbours(self.points(maps), k)

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the maps, as they are compared, differ by rounding only."""
        return equal_up_to_rounding(self.points(maps))

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return all distances (n, n)."""
        return euclidean_distances(self.points(maps))

    def pair_distances(self, maps: NDArray[np.floating], pairs: Pairs) -> NDArray[np.float64]:
        """Return the distances (p,) of pairs of maps (p, 2), in memory for some of them."""
        points = self.points(maps)
        points, found = points.reshape(len(points), -1), np.empty(len(pairs))
        for part in slices((len(pairs), points.shape[1])):
            first, second = (points[pairs[part, side]].astype(np.float64) for side in (0, 1))
            found[part] = np.linalg.norm(first - second, axis=1)
        return found

    def points(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the maps (n, ...) as they are compared."""
        return maps


@dataclass(frozen=True)
class Cosine(Euclidean):
    """The distance √(2 − 2 cos) of heatmaps scaled to length one, which orders them as 1 − cos does.

    A heatmap of zeros has no direction: it stays zero, at distance zero from others of zeros and one from the rest,
    closer than all whose cosine is below ½.
    """

    def points(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the maps (n, ...) scaled to length one."""
        return unit(maps)


@dataclass(frozen=True)
class SlicedWasserstein(Euclidean):
    """The sliced Wasserstein distance of the positive relevance of heatmaps, for grids too fine for the exact one.

    Mass is moved along sixteen directions, each by itself: √(2 · mean of the squared distances), in pixels, so that a
    shift is as far as it is long. It is never above the Wasserstein distance. Pairs take no time: every heatmap becomes
    a point of 1,600 coordinates [Bonneel et al. 2015].

    Args:
        grid: cells a side onto which relevance is summed; the time per heatmap grows with the square.

    Raises:
        ValueError: the grid has no cell.
    """

    grid: int = 56

    def __post_init__(self) -> None:
        if self.grid < 1:
            raise ValueError(f"grid must be 1 cell or more, got {self.grid}")

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the heatmaps differ by a factor only, up to rounding."""
        return equal_up_to_rounding(self.points(maps), maps.dtype, LEVELS)

    def points(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (n, 1600) whose euclidean distances are those of the heatmaps (n, H, W)."""
        return projections(cell_clouds(maps, self.grid), SLICES)


@dataclass(frozen=True)
class Precomputed:
    """The distances (n, n) that are given in place of heatmaps."""

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest neighbours (n, k); ties go to the lower index."""
        return neighbours_in(maps, k)

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether all distances are zero."""
        return not maps.any()

    def pair_distances(self, maps: NDArray[np.floating], pairs: Pairs) -> NDArray[np.float64]:
        """Return the distances (p,) of pairs of maps (p, 2)."""
        return maps[pairs[:, 0], pairs[:, 1]]


METRICS: dict[str, Callable[[], Metric]] = {
    "euclidean": Euclidean,
    "cosine": Cosine,
    "wasserstein": Wasserstein,
    "sliced_wasserstein": SlicedWasserstein,
    "gromov_wasserstein": GromovWasserstein,
    "precomputed": Precomputed,
}


def find_neighbours(metric: Metric, maps: NDArray[np.floating], k: int, advance: Advance | None = None) -> Neighbours:
    """Return the k nearest neighbours (n, k) by a metric; raises ValueError where it returns something else."""
    takes = advance is not None and "advance" in signature(metric.neighbours).parameters
    return check_neighbours(metric.neighbours(maps, k, **({"advance": advance} if takes else {})), len(maps), k)


def edge_lengths(metric: Metric, maps: NDArray[np.floating], neighbours: Neighbours) -> NDArray[np.float64]:
    """Return the distances (n, k) of samples to their neighbours; each pair is measured once.

    Raises:
        ValueError: the metric has no method pair_distances.
    """
    if not hasattr(metric, "pair_distances"):
        raise ValueError(f'edges="distance" needs a metric with a method pair_distances, got {metric!r}')
    rows = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    ends = np.sort(np.stack([rows, neighbours.ravel()], axis=1), axis=1)
    pairs, place = np.unique(ends, axis=0, return_inverse=True)
    return metric.pair_distances(maps, pairs)[place.ravel()].reshape(neighbours.shape)


def check_metric(metric: AnyMetric) -> None:
    """Raise ValueError for what is no metric."""
    if not callable(metric) and not isinstance(metric, Metric) and metric not in tuple(METRICS):
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, a callable or a Metric, got {metric!r}")


def unit(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return maps (n, ...) scaled to length one; a map of zeros stays zero."""
    flat = maps.reshape(len(maps), -1)
    length = np.sqrt(np.einsum("ij,ij->i", flat, flat, dtype=np.float64))
    length = np.where(length == 0, 1, length).astype(flat.dtype)
    return maps / length.reshape(-1, *(1,) * (maps.ndim - 1))
