import numpy as np
import pytest

from unhans.spray.distance import COLUMNS, check_distances, euclidean_distances


def literal(maps):
    n = len(maps)
    return np.array([[np.sqrt(((maps[i] - maps[j]) ** 2).sum()) for j in range(n)] for i in range(n)])


def test_equals_the_double_loop():
    maps = np.random.default_rng(0).normal(size=(12, 5, 7))
    np.testing.assert_allclose(euclidean_distances(maps), literal(maps), rtol=1e-12, atol=0)


def test_blocks_of_columns_add_up():
    maps = np.random.default_rng(0).normal(size=(4, COLUMNS + 3)).astype(np.float32)
    np.testing.assert_allclose(euclidean_distances(maps), literal(maps.astype(float)), rtol=1e-12)


def test_near_duplicates_far_from_the_others_do_not_cancel():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(9, 40)) * 1e3
    maps[1] = maps[0] + 1e-9 * rng.normal(size=40)
    maps[2] = maps[0]
    distances = euclidean_distances(maps)
    np.testing.assert_allclose(distances, literal(maps), rtol=1e-6, atol=0)
    assert distances[0, 2] == 0 < distances[0, 1] < 1e-7


def test_is_symmetric_with_a_zero_diagonal():
    distances = euclidean_distances(np.random.default_rng(1).normal(size=(30, 50)))
    assert (distances == distances.T).all()
    assert not np.diag(distances).any()


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.ones((2, 3)), r"must have shape \(n, n\), got \(2, 3\)"),
        (np.full((2, 2), np.nan), "must be finite"),
        (np.array([[0, 1], [2, 0]]), "must be symmetric"),
        (np.array([[0, -1], [-1, 0]]), "not negative"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(matrix, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_distances(matrix)
