"""The Gromov-Wasserstein distance (Mémoli 2011, Peyré et al. 2016), and neighbours without measuring all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from unhans.spray.euclidean import equal_up_to_rounding
from unhans.spray.metrics.point_cloud import LEVELS, Cloud, CoarsenedCloud, cloud, coarsen, scale_cloud
from unhans.spray.metrics.pruned_knn import Advance, Pairs, distance_matrix, measure_pairs, nearest_measured
from unhans.spray.spectral import check_count, neighbours_in

Plan = NDArray[np.float64]  # (m1, m2): how much mass of each point goes to each point of the other cloud

TOLERANCE = 1e-3  # relative gain of a step below which the search ends; with 1e-5 the value changes by 1 ‰ at most
STEPS = 50  # far more than needed, which is 3 to 8
PIVOTS = 1_000_000  # of the network simplex; a hundred points need some thousand
ROUNDING = 1e-12  # share of both clouds' spread below which a value is rounding
ROUND = 0.8  # squared extents from which on a shape has no principal axis to rely on
FLIPS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def gromov_wasserstein(first: CoarsenedCloud, second: CoarsenedCloud) -> float:
    """Return the distance √ min Σ |d(x, x') − d(y, y')|² π(x, y) π(x', y') over plans π between two clouds.

    The minimum is a local one: see `gromov_plan`.
    """
    return float(np.sqrt(objective(first.fine, second.fine, gromov_plan(first, second))))


def gromov_plan(first: CoarsenedCloud, second: CoarsenedCloud) -> Plan:
    """Return the plan (m1, m2) between two clouds that the search finds.

    It starts from the best plan between the coarse clouds, whose mass is spread over their points: faster than from a
    plan between all points, and no worse.
    """
    plan = _search(first.coarse, second.coarse)
    if first.coarse is first.fine and second.coarse is second.fine:
        return plan
    return descend(first.fine, second.fine, spread_out(first, second, plan))


def coarse_distance(first: CoarsenedCloud, second: CoarsenedCloud) -> float:
    """Return the distance of the coarse clouds, on average some 15 % above that of the clouds themselves."""
    return float(np.sqrt(objective(first.coarse, second.coarse, _search(first.coarse, second.coarse))))


def second_lower_bound(clouds: list[Cloud]) -> NDArray[np.float64]:
    """Return points (n, 100) whose euclidean distances are at most the Gromov-Wasserstein distances of the clouds.

    They hold how the distances inside each cloud are distributed; the second lower bound of Mémoli.
    """
    return np.stack([each.overall for each in clouds]) / np.sqrt(LEVELS)


def third_lower_bound(first: Cloud, second: Cloud) -> tuple[float, Plan]:
    """Return a bound below the distance, and the plan that matches points with similar distances to the others.

    The third lower bound of Mémoli: the cost of a pair of points is how much the distributions of their distances
    differ.
    """
    cost = cdist(first.local, second.local, "sqeuclidean") / LEVELS
    plan = transport(first.weights, second.weights, cost)
    return float(np.sqrt((cost * plan).sum())), plan


def objective(first: Cloud, second: Cloud, plan: Plan) -> float:
    """Return Σ |d(x, x') − d(y, y')|² π(x, y) π(x', y') of a plan; what is not above rounding is zero."""
    total = first.spread @ first.weights + second.spread @ second.weights
    value = total - 2 * np.vdot(first.distances @ plan @ second.distances, plan)
    return float(value) if value > ROUNDING * total else 0.0


def descend(first: Cloud, second: Cloud, plan: Plan) -> Plan:
    """Improve a plan until it hardly gains: conditional gradient with exact line search.

    The objective is a constant − 2 ⟨D π D', π⟩, so that every step asks for the plan that is best by the linear cost
    −D π D', and the best length towards it is a matter of a parabola.
    """
    product = first.distances @ plan @ second.distances
    value = objective(first, second, plan)
    for _ in range(STEPS):
        step = transport(first.weights, second.weights, product.max() - product) - plan
        turn = first.distances @ step @ second.distances
        slope, curve = 4 * np.vdot(product, step), 2 * np.vdot(turn, step)
        if slope <= ROUNDING * value:
            break
        length = min(1.0, -slope / (2 * curve)) if curve < 0 else 1.0
        gain = length * slope + length**2 * curve
        plan, product, value = plan + length * step, product + length * turn, value - gain
        if gain <= TOLERANCE * value:
            break
    return plan


def transport(first: NDArray[np.float64], second: NDArray[np.float64], cost: NDArray[np.float64]) -> Plan:
    """Return the cheapest plan (m1, m2) between weights (m1,) and (m2,) that sum to one, by the network simplex.

    Raises:
        ValueError: it ends without one.
    """
    from ot.lp import emd

    scale = cost.max() or 1.0  # its tolerances are absolute
    plan, log = emd(first, second, cost / scale, PIVOTS, log=True, center_dual=False, check_marginals=False)
    if log["warning"] is not None:
        raise ValueError(f"no optimal transport was found between {len(first)} and {len(second)} points")
    return plan


def spread_out(first: CoarsenedCloud, second: CoarsenedCloud, plan: Plan) -> Plan:
    """Return a plan between coarse clouds as one between their points."""
    density = plan / np.outer(first.coarse.weights, second.coarse.weights)
    return density[np.ix_(first.part, second.part)] * np.outer(first.fine.weights, second.fine.weights)


def _search(first: Cloud, second: Cloud) -> Plan:
    """The plan found from the start that promises most."""
    return descend(first, second, min(_starts(first, second), key=lambda plan: objective(first, second, plan)))


def _starts(first: Cloud, second: Cloud) -> Iterator[Plan]:
    """Plans between clouds laid over each other along their principal axes, and that of the third lower bound.

    The last is for round shapes, which have no principal axis; for others it is hardly ever the best.
    """
    for flip in FLIPS:
        yield transport(first.weights, second.weights, cdist(first.upright, second.upright * flip, "sqeuclidean"))
    if max(_roundness(first), _roundness(second)) > ROUND:
        yield third_lower_bound(first, second)[1]


def _roundness(cloud: Cloud) -> float:
    """The extent along the shorter principal axis by that along the longer one, squared."""
    short, long = cloud.weights @ cloud.upright**2
    return short / long if long else 1.0


COST = 4  # times that a pair of clouds takes longer than a pair of coarse clouds


@dataclass(frozen=True)
class GromovWasserstein:
    """The Gromov-Wasserstein distance of heatmaps as clouds: rotated, shifted and mirrored shapes are the same ([000]).

    A heatmap's cloud is its pixels of positive relevance. The distance, in pixels, is a local minimum (see
    `unhans.spray.metrics.gromov_wasserstein`).

    Args:
        mass: the share of the positive relevance that a cloud holds, whatever `max_points` is.
        max_points: points of a cloud at most; of more pixels those that lie together are merged. The time per pair
            grows a little faster than with their square.
        coarse_points: points of the coarse clouds by which candidates are found and the search begins.
        doubt: how readily pairs are left out, in [0, 1]: see `unhans.spray.metrics.pruned_knn`. With 0.1 more than
            99 % of the neighbours found are those of all pairs measured.
        scale_invariant: clouds are scaled to equal size first.
        n_jobs: processes; -1 is one per core.

    Raises:
        ValueError: a parameter is out of range.
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
        coarse ones are close. Ties beyond rounding go to the lower index.

        Args:
            maps: (n, H, W).
            k: neighbours.
            advance: called with the work done and that now expected in total, in units of one pair of coarse clouds.

        Raises:
            ValueError: not 1 ≤ k < n.
        """
        check_count(len(maps), k)
        shapes = self.shapes(maps)
        bounds = second_lower_bound([each.fine for each in shapes])
        advance, before = advance or (lambda done, expected: None), 0

        def report_coarse(done: int, expected: int) -> None:
            nonlocal before
            before = done
            advance(done, expected + COST * len(maps) * k)

        def report_fine(done: int, expected: int) -> None:
            advance(before + COST * done, before + COST * expected)

        roughly, exactly = (
            partial(measure_pairs, shapes, distance, self.n_jobs) for distance in (coarse_distance, gromov_wasserstein)
        )
        coarse = nearest_measured(cdist(bounds, bounds), k, roughly, None, report_coarse)
        found = nearest_measured(coarse, k, exactly, self.doubt, report_fine)
        return neighbours_in(found, k)

    def distances(self, maps: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances (n, n) of all pairs of heatmaps (n, H, W)."""
        return distance_matrix(self.shapes(maps), gromov_wasserstein, self.n_jobs)

    def pair_distances(self, maps: NDArray[np.floating], pairs: Pairs) -> NDArray[np.float64]:
        """Return the distances (p,) of pairs of heatmaps (p, 2)."""
        return np.concatenate(list(measure_pairs(self.shapes(maps), gromov_wasserstein, self.n_jobs, pairs)))

    def identical(self, maps: NDArray[np.floating]) -> bool:
        """Return whether the distances inside their clouds are distributed the same in all heatmaps, up to rounding."""
        bounds = second_lower_bound([each.fine for each in self.shapes(maps)])
        return equal_up_to_rounding(bounds, maps.dtype, LEVELS)

    def shapes(self, maps: NDArray[np.floating]) -> list[CoarsenedCloud]:
        """Return the clouds of heatmaps (n, H, W)."""
        if maps.ndim != 3:
            raise ValueError(f"Gromov-Wasserstein needs heatmaps of shape (n, H, W), got {maps.shape}")
        clouds = (cloud(each, self.mass, self.max_points) for each in maps)
        return [coarsen(scale_cloud(each) if self.scale_invariant else each, self.coarse_points) for each in clouds]
