"""The Wasserstein distance on the grid: closed forms, a linear program, bounds, and exact neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from unhans.spray.euclidean import euclidean_distances
from unhans.spray.metrics import SlicedWasserstein, Wasserstein
from unhans.spray.metrics.wasserstein import projections
from unhans.spray.spectral import neighbours_in


def literal_wasserstein(first, second):
    """The linear program over all pairs of pixels."""
    places = np.argwhere(np.ones_like(first)).astype(float)
    cost = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    m = len(places)
    rows = np.kron(np.eye(m), np.ones(m))
    columns = np.kron(np.ones(m), np.eye(m))
    masses = np.concatenate([first.ravel() / first.sum(), second.ravel() / second.sum()])
    return np.sqrt(linprog(cost.ravel(), A_eq=np.concatenate([rows, columns]), b_eq=masses).fun)


def blobs(count, side=28, seed=0):
    """One or two soft spots somewhere."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    maps = np.zeros((count, side, side))
    for canvas in maps:
        for _ in range(random.integers(1, 3)):
            top, left = random.uniform(4, side - 4, 2)
            canvas += np.exp(-((y - top) ** 2 + (x - left) ** 2) / random.uniform(4, 20))
    return maps - 0.05


def test_against_the_linear_program():
    maps = np.random.default_rng(0).random((4, 5, 4))
    found = Wasserstein().distances(maps)
    for i in range(4):
        for j in range(i):
            assert found[i, j] == pytest.approx(literal_wasserstein(maps[i], maps[j]), abs=1e-6)
            assert found[i, j] == found[j, i]


def test_a_shift_is_as_far_as_it_is_long():
    maps = np.zeros((2, 14, 14))
    maps[0, 2:5, 3:6] = maps[1, 5:8, 7:10] = np.random.default_rng(1).random((3, 3))
    assert Wasserstein().distances(maps)[0, 1] == pytest.approx(5)


def test_distances_are_in_pixels_whatever_the_grid():
    maps = np.zeros((2, 56, 42))
    maps[0, 8:12, 6:9] = maps[1, 40:44, 6:9] = 1
    for grid in (7, 14):
        assert Wasserstein(grid=grid).distances(maps)[0, 1] == pytest.approx(32)


def test_only_positive_relevance_counts_and_only_its_share():
    maps = blobs(3)
    other = np.where(maps > 0, 7 * maps, -3)
    np.testing.assert_allclose(Wasserstein().distances(maps), Wasserstein().distances(other))


def test_a_map_without_positive_relevance_has_its_mass_in_the_middle():
    maps = np.zeros((2, 9, 9))
    maps[1, 4, 4] = 1
    maps[0] = -1
    assert Wasserstein().distances(maps)[0, 1] == pytest.approx(0)


def test_neighbours_are_those_of_all_pairs():
    maps, metric = blobs(70), Wasserstein(grid=7)
    steps = []
    found = metric.neighbours(maps, 5, lambda done, expected: steps.append((done, expected)))
    np.testing.assert_array_equal(found, neighbours_in(metric.distances(maps), 5))
    assert steps[-1][0] == steps[-1][1] < 70 * 69 / 2 / 2


def test_projections_are_close_lower_bounds():
    maps, metric = blobs(25), Wasserstein()
    distances, bounds = metric.distances(maps), euclidean_distances(projections(metric.clouds(maps)))
    assert (bounds <= distances + 1e-6).all()
    assert np.corrcoef(bounds.ravel(), distances.ravel())[0, 1] > 0.95


def literal_sliced(first, second, directions=16):
    """√(2 · mean of W²) along directions; in each the mass is moved in order, the lowest first."""
    places, squares = np.argwhere(np.ones_like(first)).astype(float), []
    for angle in np.arange(directions) * np.pi / directions:
        along = places @ (np.cos(angle), np.sin(angle))
        order, cost = np.argsort(along), 0.0
        left = [(one.ravel() / one.sum())[order] for one in (first, second)]
        at = [0, 0]
        while min(len(along) - at[0], len(along) - at[1]) > 0:
            moved = min(left[0][at[0]], left[1][at[1]])
            cost += moved * (along[order[at[0]]] - along[order[at[1]]]) ** 2
            for side in (0, 1):
                left[side][at[side]] -= moved
                at[side] += left[side][at[side]] <= 1e-15
        squares.append(cost)
    return np.sqrt(2 * np.mean(squares))


def test_sliced_against_a_loop_and_pot():
    ot = pytest.importorskip("ot")
    maps = np.maximum(blobs(4, side=20), 0)
    found = SlicedWasserstein(grid=20).distances(maps)
    places = np.argwhere(np.ones((20, 20))).astype(float)
    angles = np.arange(16) * np.pi / 16
    axes = np.stack([np.cos(angles), np.sin(angles)])
    for i in range(4):
        for j in range(i):
            assert found[i, j] == pytest.approx(literal_sliced(maps[i], maps[j]), rel=0.01)  # of 100 levels
            masses = [maps[k].ravel() / maps[k].sum() for k in (i, j)]
            theirs = ot.sliced_wasserstein_distance(places, places, *masses, projections=axes)
            assert found[i, j] == pytest.approx(np.sqrt(2) * theirs, rel=0.01)
            assert found[i, j] <= Wasserstein(grid=20).distances(maps[[i, j]])[0, 1] + 1e-6


def test_sliced_is_as_far_as_a_shift_is_long_and_takes_fine_grids():
    maps = np.zeros((3, 64, 64))
    maps[0, 2:5, 3:6] = maps[1, 5:8, 7:10] = maps[2, 2:5, 4:7] = np.random.default_rng(1).random((3, 3))
    found = SlicedWasserstein(grid=64).distances(maps)
    assert found[0, 1] == pytest.approx(5)
    assert found[0, 2] == pytest.approx(1)
    assert SlicedWasserstein(grid=64).identical(np.stack([maps[0], 3 * maps[0]]))
    assert not SlicedWasserstein(grid=64).identical(maps)
    np.testing.assert_array_equal(SlicedWasserstein(grid=64).neighbours(maps, 1)[0], [2])


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match="grid must be 1 cell or more, got 0"):
        SlicedWasserstein(grid=0)
    with pytest.raises(ValueError, match="grid must lie between 1 and 28 cells, got 29"):
        Wasserstein(grid=29)
    with pytest.raises(ValueError, match=r"needs heatmaps of shape \(n, H, W\), got \(3, 16\)"):
        Wasserstein().distances(np.ones((3, 16)))
