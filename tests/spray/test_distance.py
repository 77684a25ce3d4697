import numpy as np
import pytest

from unhans.spray import euclidean as distance
from unhans.spray.euclidean import COLUMNS, check_distances, euclidean_distances, product, squared_tiles


def literal(maps):
    n = len(maps)
    return np.array([[np.sqrt(((maps[i] - maps[j]) ** 2).sum()) for j in range(n)] for i in range(n)])


def test_equals_the_double_loop():
    maps = np.random.default_rng(0).normal(size=(12, 5, 7))
    np.testing.assert_allclose(euclidean_distances(maps), literal(maps), rtol=1e-12, atol=0)


def test_blocks_of_columns_add_up():
    maps = np.random.default_rng(0).normal(size=(4, COLUMNS + 3)).astype(np.float32)
    np.testing.assert_allclose(euclidean_distances(maps), literal(maps.astype(float)), rtol=1e-12)


@pytest.mark.parametrize("n", [8, 9, 15, 33])
def test_tiles_cover_the_upper_triangle_once(n, monkeypatch):
    monkeypatch.setattr(distance, "ROWS", 8)
    maps = np.random.default_rng(0).normal(size=(n, 5))
    maps[n // 2] = maps[0]
    seen = np.zeros((n, n), dtype=int)
    for rows, columns, squared in squared_tiles(maps):
        assert rows.start <= columns.start
        np.testing.assert_allclose(squared, literal(maps)[rows, columns] ** 2, rtol=1e-12, atol=0)
        seen[rows, columns] += 1
    assert (seen[np.triu_indices(n)] == 1).all()
    np.testing.assert_allclose(euclidean_distances(maps), literal(maps), rtol=1e-12, atol=0)


def test_the_product_on_a_device_is_that_of_numpy():
    x, y = (np.random.default_rng(seed).normal(size=(seed + 4, 30)) for seed in range(2))
    np.testing.assert_allclose(product(x, y, "cpu"), x @ y.T, rtol=1e-12)
    np.testing.assert_allclose(product(x, y), x @ y.T, rtol=1e-12)


def test_equal_maps_are_not_subtracted_one_by_one(monkeypatch):
    monkeypatch.setattr(distance, "DIRECT", 0)  # one pair at a time
    rng = np.random.default_rng(0)
    maps = np.repeat(rng.normal(size=(3, 8)), 400, axis=0)
    maps[0] *= 1 + 1e-15
    assert set(np.unique(euclidean_distances(maps[400:]) > 0)) == {False, True}
    direct = np.square
    calls = []
    monkeypatch.setattr(np, "square", lambda x: calls.append(len(x)) or direct(x))
    distances = euclidean_distances(maps)
    assert len(calls) < 2 * 400 + 2  # the one that differs a little from 399 others, either way round
    assert not distances[1:400, 1:400].any()
    assert not distances[400:800, 400:800].any()


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
        (1e-9 * np.array([[0, 1], [2, 0]]), "must be symmetric"),
        (np.array([[0, 1], [1, 0.5]]), "must be zero on its diagonal, got up to 0.5"),
        (np.array([[0, -1], [-1, 0]]), "not negative"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(matrix, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_distances(matrix)


@pytest.mark.parametrize("scale", [1e-12, 1, 1e12])
def test_rounding_of_a_distance_matrix_is_no_error(scale):
    distances = scale * np.array([[1e-8, 1], [1 + 1e-9, 0]])
    np.testing.assert_array_equal(check_distances(distances), distances)
