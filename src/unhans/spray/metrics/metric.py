"""By what heatmaps are compared: a metric by name, a function, a matrix of distances, or an object of one's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.spray.euclidean import check_distances, euclidean_distances
from unhans.spray.metrics.rounding import same
from unhans.spray.spectral import Neighbours, check_neighbours, euclidean_neighbours, neighbours_in

NAMES = ("euclidean", "cosine", "wasserstein", "gromov_wasserstein", "precomputed")


@runtime_checkable
class Metric(Protocol):
    """What SpRAy asks of a metric."""

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest of maps (n, ...) to each as indices (n, k), never itself, the nearest first."""

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether all distances are zero, or what rounding makes of zero."""


Advance = Callable[[int, int], None]  # work done, and work now expected in all
Distance = Callable[[NDArray[np.floating]], NDArray[np.floating]]
AnyMetric = str | Metric | Distance


@dataclass(frozen=True)
class Euclidean:
    """The euclidean distance, exact below 20,000 heatmaps, on the GPU where there is one."""

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest neighbours (n, k); ties go to the lower index."""
        return euclidean_neighbours(maps, k)

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the maps differ by rounding only."""
        return same(maps)

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return all distances (n, n)."""
        return euclidean_distances(maps)


@dataclass(frozen=True)
class Cosine:
    """The distance √(2 − 2 cos) of heatmaps scaled to length one, which orders them as 1 − cos does.

    A heatmap of zeros has no direction: it stays zero, at distance zero from others of zeros and one from the rest,
    closer than all whose cosine is below ½.
    """

    def neighbours(self, maps: NDArray[np.floating], k: int) -> NDArray[np.int32]:
        """Return the k nearest neighbours (n, k); ties go to the lower index."""
        return euclidean_neighbours(unit(maps), k)

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the scaled maps differ by rounding only."""
        return same(unit(maps))

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return all distances (n, n)."""
        return euclidean_distances(unit(maps))


class Matrix:
    """n heatmaps compared by the matrix (n, n) of their distances; `identical` where all of these are zero."""

    def __init__(self, distances: NDArray[np.float64]) -> None:
        self.distances = distances
        self.n = len(distances)
        self.identical = not distances.any()

    def neighbours(self, k: int, advance: Advance | None = None) -> Neighbours:
        """Return the k nearest neighbours (n, k); ties go to the lower index."""
        return neighbours_in(self.distances, k)


class Maps:
    """n heatmaps compared by an object that finds neighbours itself; `identical` where it calls them so."""

    def __init__(self, metric: Metric, maps: NDArray[np.floating]) -> None:
        self.metric = metric
        self.maps = maps
        self.n = len(maps)
        self.identical = metric.identical(maps)

    def neighbours(self, k: int, advance: Advance | None = None) -> Neighbours:
        """Return the k nearest neighbours (n, k); raises ValueError where the metric returned something else."""
        takes = advance is not None and "advance" in signature(self.metric.neighbours).parameters
        told = {"advance": advance} if takes else {}
        return check_neighbours(self.metric.neighbours(self.maps, k, **told), self.n, k)


Comparison = Matrix | Maps


def compared(metric: AnyMetric, maps: NDArray[np.floating]) -> Comparison:
    """Return the prepared maps (n, ...), ready to be compared by a metric other than "precomputed"."""
    found = named(metric)
    if not isinstance(found, Metric):
        return Matrix(check_distances(found(maps)))
    return Maps(Euclidean(), unit(maps)) if isinstance(found, Cosine) else Maps(found, maps)


def compared_distances(distances: ArrayLike) -> Comparison:
    """Return samples, ready to be compared by their distances (n, n)."""
    return Matrix(check_distances(distances))


def named(metric: AnyMetric) -> Metric | Distance:
    """Return the metric of a name; any other is returned as it is."""
    if metric == "gromov_wasserstein":
        from unhans.spray.metrics.gromov_wasserstein import GromovWasserstein

        return GromovWasserstein()
    if metric == "wasserstein":
        from unhans.spray.metrics.wasserstein import Wasserstein

        return Wasserstein()
    return {"euclidean": Euclidean(), "cosine": Cosine()}[metric] if isinstance(metric, str) else metric


def check_metric(metric: AnyMetric) -> None:
    """Raise ValueError for what is no metric."""
    if not callable(metric) and not isinstance(metric, Metric) and metric not in NAMES:
        raise ValueError(f"metric must be one of {', '.join(NAMES)}, a callable or a Metric, got {metric!r}")


def unit(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return maps (n, ...) scaled to length one; a map of zeros stays zero."""
    flat = maps.reshape(len(maps), -1)
    length = np.sqrt(np.einsum("ij,ij->i", flat, flat, dtype=np.float64))
    length = np.where(length == 0, 1, length).astype(flat.dtype)
    return maps / length.reshape(-1, *(1,) * (maps.ndim - 1))
