import numpy as np
import pytest

from unhans.spray.euclidean import euclidean_distances
from unhans.spray.spectral import knn_affinity, neighbours_in


def literal(distances, k):
    n = len(distances)
    directed = np.zeros((n, n))
    for i in range(n):
        others = sorted((distances[i, j], j) for j in range(n) if j != i)
        for _, j in others[:k]:
            directed[i, j] = 1
    return (directed + directed.T) / 2


@pytest.mark.parametrize("k", [1, 3, 19])
def test_equals_the_double_loop(k):
    distances = euclidean_distances(np.random.default_rng(0).normal(size=(20, 4)))
    np.testing.assert_array_equal(knn_affinity(neighbours_in(distances, k)).toarray(), literal(distances, k))


def test_duplicates_are_neighbours_of_each_other_and_never_of_themselves():
    maps = np.repeat(np.random.default_rng(0).normal(size=(5, 8)), 4, axis=0)
    affinity = knn_affinity(neighbours_in(euclidean_distances(maps), 3)).toarray()
    assert not np.diag(affinity).any()
    np.testing.assert_array_equal(affinity, np.kron(np.eye(5), np.ones((4, 4)) - np.eye(4)))


def test_mutual_neighbours_weigh_one_and_others_half():
    affinity = knn_affinity(np.array([[1], [0], [1]])).toarray()
    np.testing.assert_array_equal(affinity, [[0, 1, 0], [1, 0, 0.5], [0, 0.5, 0]])


def test_the_distances_are_left_alone():
    distances = euclidean_distances(np.random.default_rng(0).normal(size=(6, 2)))
    before = distances.copy()
    neighbours_in(distances, 2)
    np.testing.assert_array_equal(distances, before)


@pytest.mark.parametrize("k", [0, 10, 11])
def test_too_many_neighbours_are_named(k):
    with pytest.raises(ValueError, match=f"n_neighbors={k} must be .* smaller than the number of heatmaps, 10"):
        neighbours_in(np.zeros((10, 10)), k)
