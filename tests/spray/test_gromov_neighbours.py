"""Nearest neighbours under Gromov-Wasserstein: what they find, what they may miss, and on how many cores."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import ndimage
from sklearn.datasets import load_digits

from unhans.spray.euclidean import euclidean_distances
from unhans.spray.metrics import GromovWasserstein
from unhans.spray.metrics.gromov_wasserstein import second_lower_bound
from unhans.spray.metrics.pruned_knn import nearest_measured
from unhans.spray.spectral import neighbours_in


def turned_digits(count, seed=0):
    """Digits of 28 × 28 pixels, each turned by an angle of its own."""
    random = np.random.default_rng(seed)
    images = [np.pad(ndimage.zoom(image, 2, order=1), 6) for image in load_digits().images[:count]]
    turned = [ndimage.rotate(each, random.uniform(0, 360), reshape=False, order=1) for each in images]
    return np.maximum(turned, 0)


def shared(found, true):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found, true, strict=True)])


def scattered(shapes, copies, seed=0):
    """Copies of shapes, each turned by a multiple of 90°, mirrored or not, and put anywhere in 40 × 40 pixels."""
    random = np.random.default_rng(seed)
    maps = np.zeros((len(shapes) * copies, 40, 40))
    for i, canvas in enumerate(maps):
        shape = np.rot90(shapes[i // copies], random.integers(4))
        shape = shape[:, ::-1] if random.integers(2) else shape
        top, left = random.integers(0, 40 - np.array(shape.shape) + 1)
        canvas[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
    return maps


def test_copies_of_one_shape_are_neighbours_but_not_under_euclidean():
    random = np.random.default_rng(1)
    maps = scattered([random.random((3, 12)), random.random((6, 6)), random.random((9, 4))], copies=8)
    kind = np.repeat(np.arange(3), 8)
    found = GromovWasserstein().neighbours(maps, 7)
    assert (kind[found] == kind[:, None]).all()
    euclidean = neighbours_in(euclidean_distances(maps), 7)
    assert (kind[euclidean] == kind[:, None]).mean() < 0.6


def test_sizes_differ_unless_clouds_are_scaled():
    image = np.zeros((2, 30, 30))
    image[0, :3, :5] = image[1, :6, :10] = 1
    plain, free = (GromovWasserstein(scale_invariant=each).distances(image)[0, 1] for each in (False, True))
    assert plain > 1
    assert free < 0.2  # in units of the size; the larger one has more pixels


def test_nearly_all_neighbours_of_all_pairs_are_found():
    maps, metric = turned_digits(40), GromovWasserstein(max_points=50)
    steps = []
    found = metric.neighbours(maps, 6, lambda done, expected: steps.append((done, expected)))
    true = neighbours_in(metric.distances(maps), 6)
    assert found.shape == (40, 6)
    assert found.dtype == np.int32
    assert shared(found, true) >= 0.98
    done = [done for done, _ in steps]
    assert done == sorted(done)
    assert steps[-1][0] == steps[-1][1]
    assert all(done <= expected for done, expected in steps)


def test_neighbours_come_in_order_and_never_themselves():
    maps, metric = turned_digits(14), GromovWasserstein(max_points=30, doubt=0.0)
    found = metric.neighbours(maps, 13)  # all others
    distances = metric.distances(maps)
    np.testing.assert_array_equal(found, neighbours_in(distances, 13))
    np.testing.assert_array_equal(distances, distances.T)
    assert not np.diag(distances).any()


def test_among_duplicates_ties_go_to_the_lower_index():
    maps = np.repeat(turned_digits(2), 5, axis=0)
    found = GromovWasserstein().neighbours(maps, 4)
    assert found[2].tolist() == [0, 1, 3, 4]
    assert found[5].tolist() == [6, 7, 8, 9]


@pytest.mark.slow  # processes take longer to begin than such few clouds
def test_several_processes_find_the_same():
    maps = turned_digits(16)
    metric = GromovWasserstein(max_points=30)
    np.testing.assert_array_equal(
        metric.neighbours(maps, 4), GromovWasserstein(max_points=30, n_jobs=2).neighbours(maps, 4)
    )
    assert pickle.loads(pickle.dumps(metric)) == metric


def test_maps_without_positive_relevance_are_points():
    maps = np.concatenate([-np.ones((3, 9, 9)), np.random.default_rng(0).random((4, 9, 9))])
    metric = GromovWasserstein()
    assert not metric.distances(maps)[:3, :3].any()
    assert set(metric.neighbours(maps, 2)[0]) == {1, 2}


def test_the_bounds_that_prune_pairs_are_lower_bounds():
    maps, metric = turned_digits(20), GromovWasserstein(max_points=40)
    points = second_lower_bound([each.fine for each in metric.shapes(maps)])
    assert (euclidean_distances(points) <= metric.distances(maps) + 1e-6).all()


def test_search_with_lower_bounds_loses_nothing_and_measures_less():
    points = np.random.default_rng(3).normal(size=(80, 3))
    distances = euclidean_distances(points)
    bounds = distances * np.random.default_rng(4).uniform(0.7, 1, distances.shape)
    measured = []

    def measure(pairs):
        measured.append(pairs)
        yield distances[pairs[:, 0], pairs[:, 1]]

    found = nearest_measured(np.minimum(bounds, bounds.T), 5, measure)
    np.testing.assert_array_equal(neighbours_in(found, 5), neighbours_in(distances, 5))
    pairs = np.concatenate(measured)
    assert len(np.unique(pairs, axis=0)) == len(pairs) < 80 * 79 / 2 / 2


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"mass": 0}, "mass must be above 0 and at most 1, got 0"),
        ({"doubt": 1.5}, "doubt must lie between 0 and 1, got 1.5"),
        ({"max_points": 0}, "max_points must be 1 or more, got 0"),
        ({"coarse_points": 0}, "coarse_points must be 1 or more, got 0"),
    ],
)
def test_parameters_out_of_range_are_one_sentence(knobs, sentence):
    with pytest.raises(ValueError, match=sentence):
        GromovWasserstein(**knobs)


def test_too_few_maps_and_vectors_are_one_sentence():
    with pytest.raises(ValueError, match="n_neighbors=3 must be at least 1 and smaller"):
        GromovWasserstein().neighbours(np.ones((3, 4, 4)), 3)
    with pytest.raises(ValueError, match=r"needs heatmaps of shape \(n, H, W\), got \(3, 16\)"):
        GromovWasserstein().distances(np.ones((3, 16)))
