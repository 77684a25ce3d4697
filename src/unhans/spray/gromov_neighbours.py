"""The heatmaps that are nearest by the Gromov-Wasserstein distance, without measuring all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from unhans.spray.clouds import Shape, cloud, same_levels, scaled, shape
from unhans.spray.gromov import coarse_distance, gromov_wasserstein, second_lower_bound
from unhans.spray.neighbours import check_count, neighbours_in
from unhans.spray.pairs import distance_matrix, measured
from unhans.spray.search import Advance, Measure, nearest_measured

COST = 4  # times that a pair of clouds takes longer than a pair of coarse clouds


@dataclass(frozen=True)
class GromovWasserstein:
    """The Gromov-Wasserstein distance of heatmaps as clouds: rotated, shifted and mirrored shapes are the same ([000]).

    A heatmap's cloud is its pixels of positive relevance. The distance, in pixels, is a local minimum (see
    `unhans.spray.gromov`).

    Parameters:
        mass: the share of the positive relevance that a cloud holds, whatever `max_points` is.
        max_points: points of a cloud at most; of more pixels those that lie together are merged. The time per pair
            grows a little faster than with their square.
        coarse_points: points of the coarse clouds by which candidates are found and the search begins.
        doubt: how readily pairs are left out, in [0, 1]: see `unhans.spray.search`. With 0.1 more than
            99 % of the neighbours found are those of all pairs measured.
        scale_invariant: clouds are scaled to equal size first.
        n_jobs: processes; -1 is one per core.

    Raises ValueError for a parameter out of range.
    """

    mass: float = 0.99
    max_points: int = 100
    coarse_points: int = 25
    doubt: float = 0.1
    scale_invariant: bool = False
    n_jobs: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.mass <= 1:
            raise ValueError(f"mass must be above 0 and at most 1, got {self.mass}")
        if not 0 <= self.doubt <= 1:
            raise ValueError(f"doubt must lie between 0 and 1, got {self.doubt}")
        for name in ("max_points", "coarse_points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")

    def neighbours(self, maps: NDArray[np.floating], k: int, advance: Advance | None = None) -> NDArray[np.int32]:
        """Return the k nearest of heatmaps (n, H, W) to each as indices (n, k), the nearest first, never itself.

        Coarse clouds are compared where a lower bound does not exclude it, the clouds themselves where those of the
        coarse ones are close. Ties beyond rounding go to the lower index. Raises ValueError unless 1 ≤ k < n.

        advance: called with the work done and the work now expected in total, in units of one pair of coarse clouds.
        """
        check_count(len(maps), k)
        shapes = self.shapes(maps)
        bounds = second_lower_bound([each.fine for each in shapes])
        first, second = _stages(advance, len(maps) * k)
        coarse = nearest_measured(cdist(bounds, bounds), k, self._measure(shapes, coarse_distance), None, first)
        found = nearest_measured(coarse, k, self._measure(shapes, gromov_wasserstein), self.doubt, second)
        return neighbours_in(found, k)

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances (n, n) of all pairs of heatmaps (n, H, W)."""
        return distance_matrix(self.shapes(maps), gromov_wasserstein, self.n_jobs)

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the distances inside their clouds are distributed the same in all heatmaps, up to rounding."""
        return same_levels(second_lower_bound([each.fine for each in self.shapes(maps)]), maps.dtype)

    def shapes(self, maps: NDArray[np.floating]) -> list[Shape]:
        """Return the clouds of heatmaps (n, H, W)."""
        if maps.ndim != 3:
            raise ValueError(f"Gromov-Wasserstein needs heatmaps of shape (n, H, W), got {maps.shape}")
        clouds = (cloud(each, self.mass, self.max_points) for each in maps)
        return [shape(scaled(each) if self.scale_invariant else each, self.coarse_points) for each in clouds]

    def _measure(self, shapes: list[Shape], distance: Callable[[Shape, Shape], float]) -> Measure:
        return lambda pairs: measured(shapes, pairs, distance, self.n_jobs)


def _stages(advance: Advance | None, refined: int) -> tuple[Advance | None, Advance | None]:
    """Two counters that report the work of both searches as one; `refined` pairs are expected in the second."""
    if advance is None:
        return None, None
    before = [0]

    def first(done: int, expected: int) -> None:
        before[0] = done
        advance(done, expected + COST * refined)

    def second(done: int, expected: int) -> None:
        advance(before[0] + COST * done, before[0] + COST * expected)

    return first, second
