import sys
from types import SimpleNamespace

import numpy as np
import pytest

from unhans.spray import euclidean as distance
from unhans.spray.euclidean import euclidean_distances
from unhans.spray.spectral import check_neighbours, euclidean_neighbours, neighbours_in
from unhans.spray.spectral import knn_graph as neighbours
from unhans.spray.spectral.knn_graph import approximate_neighbours, exact_neighbours, lowest


def literal(maps, k):
    """Sort all others by distance, then by index."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    found = []
    for i in range(len(flat)):
        squared = ((flat - flat[i]) ** 2).sum(axis=1)
        found.append([j for _, j in sorted((squared[j], j) for j in range(len(flat)) if j != i)[:k]])
    return np.array(found)


def whole(n, seed=0):
    """Maps of few whole numbers and mean zero: distances are exact, many are equal, and some maps are the same."""
    half = np.random.default_rng(seed).integers(-1, 2, size=(n // 2, 2, 2)).astype(np.float32)
    return np.concatenate([half, -half])


def smooth(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(rng.gamma(1, size=(n, 5, 5)), np.ones((4, 4))) + 0.2 * rng.normal(size=(n, 20, 20))


@pytest.mark.parametrize("k", [1, 10, 29])
def test_equals_the_double_loop(k):
    maps = smooth(30)
    np.testing.assert_array_equal(exact_neighbours(maps, k), literal(maps, k))
    np.testing.assert_array_equal(neighbours_in(euclidean_distances(maps), k), literal(maps, k))


@pytest.mark.parametrize(("n", "k"), [(64, 5), (66, 10), (100, 40), (18, 17)])
def test_tiles_change_nothing_and_ties_go_to_the_lower_index(n, k, monkeypatch):
    for module in (distance, neighbours):
        monkeypatch.setattr(module, "ROWS", 16)
    maps = whole(n)
    np.testing.assert_array_equal(exact_neighbours(maps, k), literal(maps, k))
    squared = np.square(maps.reshape(n, 1, -1) - maps.reshape(1, n, -1)).sum(axis=2)
    np.testing.assert_array_equal(neighbours_in(squared, k), literal(maps, k))


def test_near_duplicates_are_told_apart(monkeypatch):
    monkeypatch.setattr(distance, "ROWS", 8)
    rng = np.random.default_rng(0)
    maps = np.repeat(1e3 * rng.normal(size=(4, 30)), 5, axis=0)
    maps += 1e-9 * rng.permutation(20)[:, None] * rng.normal(size=30)
    np.testing.assert_array_equal(exact_neighbours(maps, 4), literal(maps, 4))


def test_a_sample_among_equals_is_not_its_own_neighbour():
    found = exact_neighbours(np.zeros((30, 4)), 3)
    assert found[0].tolist() == [1, 2, 3]
    assert found[1].tolist() == [0, 2, 3]
    assert found[29].tolist() == [0, 1, 2]


def test_lowest_is_a_stable_sort():
    values = np.random.default_rng(0).integers(0, 4, size=(50, 12)).astype(float)
    values[3] = np.inf
    for k in (1, 5, 12):
        np.testing.assert_array_equal(lowest(values, k), np.argsort(values, axis=1, kind="stable")[:, :k])


def test_the_search_depends_on_the_number_of_heatmaps(monkeypatch):
    monkeypatch.setattr(neighbours, "approximate_neighbours", lambda maps, k: "approximate")
    monkeypatch.setattr(neighbours, "exact_neighbours", lambda maps, k: "exact")
    monkeypatch.setattr(neighbours, "APPROXIMATE", 30)
    assert euclidean_neighbours(np.zeros((29, 2)), 3) == "exact"
    assert euclidean_neighbours(np.zeros((30, 2)), 3) == "approximate"


def test_what_the_descent_leaves_out_is_found_directly(monkeypatch):
    maps = smooth(40)
    complete = literal(maps, 6)

    class Descent:
        """Finds all in order, but not itself where it is doubled, and nothing but itself for sample 7."""

        def __init__(self, flat, n_neighbors, **_):
            graph = np.concatenate([complete[:, :2], np.arange(40)[:, None], complete[:, 2:]], axis=1)
            graph[7] = [7, -1, -1, -1, -1, -1, -1]
            graph[9, 2:] = [*complete[9, 2:], -1]
            self.neighbor_graph = graph, None

    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=Descent))
    np.testing.assert_array_equal(approximate_neighbours(maps, 6), complete)


@pytest.mark.slow
def test_the_descent_finds_95_percent_of_the_neighbours_and_the_same_in_every_run():
    maps = np.concatenate([smooth(3000), np.repeat(smooth(1, 1), 300, axis=0), smooth(200, 2) + 1e4])
    found = approximate_neighbours(maps, 10)
    np.testing.assert_array_equal(found, approximate_neighbours(maps, 10))
    check_neighbours(found, 3500, 10)
    distances = euclidean_distances(maps)
    kth = np.take_along_axis(distances, neighbours_in(distances, 10)[:, -1:], axis=1)
    right = np.take_along_axis(distances, found, axis=1) <= kth * (1 + 1e-6) + 1e-3  # single precision
    assert right.mean() > 0.95


@pytest.mark.parametrize("k", [0, 10, 11])
@pytest.mark.parametrize("search", [euclidean_neighbours, neighbours_in])
def test_too_many_neighbours_are_named(k, search):
    with pytest.raises(ValueError, match=f"n_neighbors={k} must be .* smaller than the number of heatmaps, 10"):
        search(np.zeros((10, 10)), k)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ([[1], [0], [0]], r"must be whole numbers of shape \(3, 2\), got \(3, 1\)"),
        ([[1.0, 2.0], [0, 2], [0, 1]], "must be whole numbers"),
        ([[1, 1], [0, 2], [0, 1]], "must be 2 different samples"),
        ([[0, 1], [0, 2], [0, 1]], "none of them the sample itself"),
        ([[1, 3], [0, 2], [0, 1]], "must be 2 different samples"),
        ([[1, -1], [0, 2], [0, 1]], "must be 2 different samples"),
    ],
)
def test_impossible_neighbours_are_refused(found, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_neighbours(np.array(found), 3, 2)


def test_possible_neighbours_pass():
    found = check_neighbours(np.array([[2, 1], [0, 2], [0, 1]]), 3, 2)
    assert found.dtype == np.int32
    assert found.tolist() == [[2, 1], [0, 2], [0, 1]]


@pytest.mark.parametrize("scale", [1e-30, 0, 1e30])
def test_the_descent_sees_maps_of_largest_value_one(scale, monkeypatch):
    seen = []

    class Descent:
        def __init__(self, flat, **_):
            seen.append(flat)
            self.neighbor_graph = np.full((40, 3), -1), None

    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=Descent))
    maps = np.random.default_rng(0).normal(size=(40, 6))
    approximate_neighbours(scale * maps, 3)
    centred = maps - maps.mean(axis=0)
    assert seen[0].dtype == np.float32
    np.testing.assert_allclose(seen[0], centred / np.abs(centred).max() if scale else 0, atol=1e-6)
