"""The clusterings beside k-means: what they find, what is noise, and many samples."""

import numpy as np
import pytest

from unhans.spray import embedding
from unhans.spray.embedding import METHODS, cluster, knee


def blobs(sizes, spread=0.05, seed=0):
    """Points around (0, 0), (1, 0), (0, 1), … of a plane, and the blob of each."""
    random = np.random.default_rng(seed)
    blob = np.repeat(np.arange(len(sizes)), sizes)
    centres = np.array([[i % 2, i // 2] for i in range(len(sizes))], dtype=float)
    return centres[blob] + spread * random.normal(size=(len(blob), 2)), blob


def same_partition(left, right):
    return len(set(zip(left, right, strict=True))) == len(set(left)) == len(set(right))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("sizes", [(40, 60), (30, 50, 45)])
def test_separated_blobs_are_found(name, sizes):
    points, blob = blobs(sizes)
    labels = cluster(points, name, len(sizes), 0)
    assert labels.dtype == np.int64
    assert labels.shape == blob.shape
    inside = labels >= 0
    assert inside.mean() >= 0.9
    assert same_partition(labels[inside], blob[inside])


@pytest.mark.parametrize("name", ["dbscan", "hdbscan"])
def test_samples_that_lie_alone_are_noise(name):
    points, _ = blobs((50, 50))
    alone = np.array([[5.0, 5], [-7, 3], [4, -9]])
    labels = cluster(np.concatenate([points, alone]), name, 2, 0)
    assert labels[-3:].tolist() == [-1, -1, -1]
    assert set(labels[:100]) - {-1} == {0, 1}


def test_the_last_columns_do_not_drown_the_first():
    points, _ = blobs((40, 60))
    noisy = np.concatenate([points, np.random.default_rng(1).normal(size=(100, 30))], axis=1)
    for name in METHODS:
        np.testing.assert_array_equal(cluster(noisy, name, 2, 0), cluster(points, name, 2, 0))


def test_two_clusters_at_least_are_asked_for():
    points, blob = blobs((20, 30))
    assert same_partition(cluster(points, "agglomerative", 1, 0), blob)
    assert len(set(cluster(points, "agglomerative", 4, 0))) == 4


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("n", [2, 3, 12])
def test_a_few_or_equal_samples_are_clustered_without_an_error(name, n):
    assert cluster(np.random.default_rng(0).normal(size=(n, 3)), name, 5, 0).shape == (n,)
    assert cluster(np.ones((n, 3)), name, 5, 0).shape == (n,)


@pytest.mark.parametrize("name", METHODS)
def test_of_many_samples_some_are_clustered_and_the_others_follow_the_nearest(name, monkeypatch):
    monkeypatch.setattr(embedding, "LARGE", 200)
    points, blob = blobs((700, 500))
    labels = cluster(points, name, 2, 3)
    inside = labels >= 0
    assert inside.mean() > 0.8
    assert same_partition(labels[inside], blob[inside])
    np.testing.assert_array_equal(labels, cluster(points, name, 2, 3))
    drawn = points[np.random.default_rng(3).choice(1200, 200, replace=False)]
    expected = cluster(drawn, name, 2, 0)
    for i in range(0, 1200, 100):
        assert labels[i] == expected[np.argmin([np.hypot(*(points[i] - other)) for other in drawn])]


def test_the_knee_is_the_point_deepest_below_the_chord():
    assert knee(np.array([0, 0, 0, 0, 10.0])) == 0
    assert knee(np.array([1, 2, 3, 4, 5, 11.0])) == 5
    assert knee(np.array([2.0])) == 2


@pytest.mark.parametrize("columns", [15, 16, 18])
def test_equal_points_in_many_columns_are_clusters(columns):
    points = np.repeat(np.random.default_rng(0).normal(size=(18, columns)), 16, axis=0)
    np.testing.assert_array_equal(cluster(points, "dbscan", columns, 0), np.repeat(np.arange(18), 16))
