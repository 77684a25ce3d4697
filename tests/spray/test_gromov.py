"""The Gromov-Wasserstein distance against closed forms, permutations, its definition and its lower bounds."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from unhans.spray.metrics import cloud, coarsen
from unhans.spray.metrics.gromov_wasserstein import (
    coarse_distance,
    descend,
    gromov_wasserstein,
    objective,
    second_lower_bound,
    spread_out,
    third_lower_bound,
    transport,
)
from unhans.spray.metrics.point_cloud import Cloud

PARTS = 25


def uniform(points):
    return Cloud(np.asarray(points, dtype=float), np.full(len(points), 1 / len(points)))


def distance(first, second):
    return gromov_wasserstein(coarsen(first, PARTS), coarsen(second, PARTS))


def literal_objective(first, second, plan):
    """The sum over all four indices."""
    total = 0.0
    for i, j in np.ndindex(plan.shape):
        for k, m in np.ndindex(plan.shape):
            inside = np.linalg.norm(first.points[i] - first.points[k]) - np.linalg.norm(
                second.points[j] - second.points[m]
            )
            total += inside**2 * plan[i, j] * plan[k, m]
    return total


def random_clouds(seed, sizes, side=16):
    random = np.random.default_rng(seed)
    found = []
    for size in sizes:
        points, weights = random.integers(0, side, (size, 2)).astype(float), random.random(size)
        found.append(Cloud(points, weights / weights.sum()))
    return found


def test_two_clouds_of_two_points():
    first, second = uniform([[0, 0], [0, 3]]), uniform([[5, 5], [9, 5]])
    # each pair of different points, half of all pairs, differs by one
    assert distance(first, second) == pytest.approx(np.sqrt(1 / 2))


def test_a_point_and_a_cloud():
    point = Cloud(np.zeros((1, 2)), np.ones(1))
    (other,) = random_clouds(0, [40])
    squared = (other.distances**2 * np.outer(other.weights, other.weights)).sum()
    assert distance(point, other) == pytest.approx(np.sqrt(squared))
    assert distance(other, point) == pytest.approx(np.sqrt(squared))
    assert distance(point, point) == 0


@pytest.mark.parametrize("seed", range(8))
def test_tiny_clouds_of_equal_weights_against_all_permutations(seed):
    random = np.random.default_rng(seed)
    (first,) = random_clouds(seed, [6])
    turned = first.points[random.permutation(6)] @ [[0.6, 0.8], [-0.8, 0.6]]
    first, second = uniform(first.points), uniform(turned + 0.3 * random.normal(size=(6, 2)))
    best = min(
        np.mean((first.distances - second.distances[np.ix_(order, order)]) ** 2)
        for order in map(list, permutations(range(6)))
    )
    assert best > 0.01
    assert distance(first, second) ** 2 <= best + 1e-9  # a permutation is one plan of many


@pytest.mark.parametrize("sizes", [(3, 4), (7, 5), (1, 6)])
def test_objective_is_the_sum_over_four_indices(sizes):
    first, second = random_clouds(1, sizes)
    random = np.random.default_rng(2)
    plan = transport(first.weights, second.weights, random.random(sizes))
    plan = 0.5 * plan + 0.5 * np.outer(first.weights, second.weights)
    assert objective(first, second, plan) == pytest.approx(literal_objective(first, second, plan))


def test_the_search_only_goes_down_and_keeps_the_weights():
    for seed in range(20):
        first, second = random_clouds(seed, [30, 45])
        start = np.outer(first.weights, second.weights)
        plan = descend(first, second, start)
        assert objective(first, second, plan) <= objective(first, second, start)
        assert plan.min() >= -1e-15
        np.testing.assert_allclose(plan.sum(axis=1), first.weights, atol=1e-12)
        np.testing.assert_allclose(plan.sum(axis=0), second.weights, atol=1e-12)


def test_a_coarse_plan_spread_over_the_points_keeps_the_weights():
    first, second = (coarsen(each, PARTS) for each in random_clouds(3, [80, 60]))
    plan = transport(first.coarse.weights, second.coarse.weights, np.random.default_rng(0).random((25, 25)))
    full = spread_out(first, second, plan)
    np.testing.assert_allclose(full.sum(axis=1), first.fine.weights)
    np.testing.assert_allclose(full.sum(axis=0), second.fine.weights)


def test_bounds_lie_below_the_distance():
    clouds = random_clouds(4, [1, 2, 3, 10, 25, 40, 60, 80, 100, 100])
    points = second_lower_bound(clouds)
    for i, first in enumerate(clouds):
        for j, second in enumerate(clouds):
            value = distance(first, second)
            assert np.linalg.norm(points[i] - points[j]) <= value + 1e-6
            assert third_lower_bound(first, second)[0] <= value + 1e-6


def test_the_third_bound_is_the_tighter_one():
    # ten points of equal weight: a hundred levels hold their distributions without loss
    clouds = [uniform(each.points) for each in random_clouds(5, [10] * 8)]
    points = second_lower_bound(clouds)
    for i, first in enumerate(clouds):
        for j, second in enumerate(clouds):
            assert np.linalg.norm(points[i] - points[j]) <= third_lower_bound(first, second)[0] + 1e-6


def test_symmetric():
    for first, second in zip(random_clouds(6, [30] * 6), random_clouds(7, [50] * 6), strict=True):
        assert distance(first, second) == pytest.approx(distance(second, first), rel=0.1)


TURNS = {
    "turned": np.rot90,
    "upside down": lambda image: np.rot90(image, 2),
    "mirrored": np.fliplr,
    "transposed": np.transpose,
    "shifted": lambda image: np.roll(image, (3, -2), axis=(0, 1)),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("levels", [None, 1, 3])
def test_turned_shifted_and_mirrored_shapes_are_the_same(turn, levels):
    random = np.random.default_rng(8)
    image = np.zeros((28, 28))
    image[8:18, 9:16] = random.random((10, 7)) if levels is None else random.integers(0, levels + 1, (10, 7))
    assert distance(cloud(image), cloud(TURNS[turn](image))) == 0


def test_no_worse_than_the_solver_of_pot_from_its_usual_start():
    ot = pytest.importorskip("ot")
    ours, theirs = [], []
    for first, second in zip(random_clouds(9, [60] * 10, 20), random_clouds(10, [60] * 10, 28), strict=True):
        ours.append(distance(first, second) ** 2)
        theirs.append(ot.gromov.gromov_wasserstein2(first.distances, second.distances, first.weights, second.weights))
    assert np.mean(ours) <= np.mean(theirs)


def test_the_coarse_distance_is_near_the_distance():
    clouds = [coarsen(each, PARTS) for each in random_clouds(11, [80, 100, 100, 90])]
    ratios = [coarse_distance(a, b) / gromov_wasserstein(a, b) for a in clouds for b in clouds if a is not b]
    assert min(ratios) > 0.8
    assert max(ratios) < 2
