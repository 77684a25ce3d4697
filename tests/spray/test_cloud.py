import numpy as np
import pytest

from unhans.spray import cloud
from unhans.spray.cloud import COLUMNS, cloud_variances, map_coordinates, principal_coordinates, surrogates
from unhans.spray.distance import euclidean_distances


def literal(column):
    """The least scatter that any split into two leaves, over n - 1 and over 1 - 2/π."""
    x = np.sort(column)
    left = [((x[:k] - x[:k].mean()) ** 2).sum() + ((x[k:] - x[k:].mean()) ** 2).sum() for k in range(1, len(x))]
    return min(left) / (len(x) - 1) / (1 - 2 / np.pi)


def test_principal_coordinates_are_those_of_pca():
    maps = np.random.default_rng(0).normal(size=(20, 6)) * [0.1, 9, 5, 3, 1, 0.5]
    distances = euclidean_distances(maps)
    found = principal_coordinates(distances)
    np.testing.assert_allclose(found.var(axis=0, ddof=1)[:6], np.linalg.eigvalsh(np.cov(maps.T))[::-1], rtol=1e-9)
    np.testing.assert_allclose(found[:, 6:], 0, atol=1e-6)
    np.testing.assert_allclose(euclidean_distances(found), distances, atol=1e-6)


def test_axes_of_a_metric_that_is_not_euclidean_are_zero():
    corners = np.array([[0, 2, 2, 1], [2, 0, 2, 1], [2, 2, 0, 1], [1, 1, 1, 0]])  # no such points exist
    found = principal_coordinates(corners)
    assert np.isfinite(found).all()
    assert not found[:, -1].any()


@pytest.mark.parametrize(("n", "d"), [(40, 12), (12, 40), (20, 20)])
@pytest.mark.parametrize("rows", [7, 1000])
def test_the_coordinates_of_maps_are_those_of_their_distances(n, d, rows, monkeypatch):
    monkeypatch.setattr(cloud, "ROWS", rows)
    maps = np.random.default_rng(0).normal(size=(n, d)) * np.arange(1, d + 1) + 5
    found, expected = map_coordinates(maps.reshape(n, d // 4, 4)), principal_coordinates(euclidean_distances(maps))
    least = min(n - 1, d)
    np.testing.assert_allclose(np.abs(found[:, :least]), np.abs(expected[:, :least]), atol=1e-5)
    np.testing.assert_allclose(euclidean_distances(found), euclidean_distances(maps), rtol=1e-9)


def test_the_axes_of_many_large_maps_are_those_of_a_sample(monkeypatch):
    monkeypatch.setattr(cloud, "AXES", 60)
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(300, 80)) * 0.85 ** np.arange(80)  # most of it varies along a few axes
    found = map_coordinates(maps)
    assert found.shape == (300, 59)
    exact = np.linalg.eigvalsh(np.cov(maps.T))[::-1]
    np.testing.assert_allclose(found.var(axis=0, ddof=1)[:4], exact[:4], rtol=0.15)
    assert found.var(axis=0, ddof=1).sum() == pytest.approx(exact.sum(), rel=0.01)
    np.testing.assert_array_equal(found, map_coordinates(maps))


def test_blocks_of_columns_are_like_single_columns():
    points = np.random.default_rng(0).normal(size=(20, COLUMNS + 3))
    np.testing.assert_allclose(
        cloud_variances(points), [cloud_variances(points[:, [i]])[0] for i in range(COLUMNS + 3)]
    )
    assert cloud_variances(points[:, :0]).shape == (0,)


def test_cloud_variances_equal_the_double_loop():
    points = np.random.default_rng(0).normal(size=(30, 4)) ** 3
    points -= points.mean(axis=0)
    np.testing.assert_allclose(cloud_variances(points), [literal(column) for column in points.T])


def test_a_normal_cloud_keeps_its_variance():
    points = np.random.default_rng(0).normal(size=(4000, 3)) * [1, 2, 30]
    np.testing.assert_allclose(cloud_variances(points - points.mean(axis=0)), [1, 4, 900], rtol=0.06)


@pytest.mark.parametrize("distance", [50, 5000])
def test_the_distance_of_two_clusters_does_not_count(distance):
    points = np.random.default_rng(0).normal(size=(4000, 1))
    points[:2400] += distance
    assert cloud_variances(points - points.mean()) == pytest.approx(1 / (1 - 2 / np.pi), rel=0.05)


def test_surrogates_have_the_variances_and_are_always_the_same():
    variances = np.concatenate([[9.0, 4.0], np.zeros(398)])
    one, two = list(surrogates(variances, 400, 2))
    np.testing.assert_allclose(one.var(axis=0)[:2], [9, 4], rtol=0.25)
    assert one.shape == (400, 2)
    assert (one != two).all()
    np.testing.assert_array_equal(one, next(surrogates(variances, 400, 1)))


@pytest.mark.parametrize("rows", [7, 1000])
def test_axes_without_variance_change_nothing(rows, monkeypatch):
    expected = next(surrogates(np.array([2.0, 1.0]), 50, 1))
    monkeypatch.setattr(cloud, "ROWS", rows)
    np.testing.assert_array_equal(next(surrogates(np.array([2.0, 1.0, 1e-15, 0, 0]), 50, 1)), expected)
    assert expected.shape == (50, 2)


def test_two_points_leave_an_even_cloud():
    assert next(surrogates(np.zeros(500), 500, 1)).var() == pytest.approx(1, rel=0.01)


def test_cloud_variances_do_not_depend_on_where_the_cloud_lies():
    points = np.random.default_rng(0).normal(size=(60, 5))
    np.testing.assert_allclose(cloud_variances(points + 1e7), cloud_variances(points), rtol=1e-6)
