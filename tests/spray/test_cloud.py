import numpy as np
import pytest

from unhans.spray.cloud import cloud_variances, principal_coordinates, surrogates
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
    one, two = list(surrogates(variances, 2))
    np.testing.assert_allclose(one.var(axis=0)[:2], [9, 4], rtol=0.25)
    assert not one[:, 2:].any()
    assert (one[:, :2] != two[:, :2]).all()
    np.testing.assert_array_equal(one, next(surrogates(variances, 1)))


def test_two_points_leave_an_even_cloud():
    assert next(surrogates(np.zeros(500), 1)).var() == pytest.approx(1, rel=0.01)
