"""Heatmaps as clouds of points: which pixels, which weights, and the coarse cloud."""

from __future__ import annotations

import numpy as np
import pytest

from unhans.spray import SpRAy
from unhans.spray.euclidean import equal_up_to_rounding
from unhans.spray.metrics import cloud, coarsen
from unhans.spray.metrics.gromov_wasserstein import gromov_wasserstein
from unhans.spray.metrics.point_cloud import Cloud, levels, scale_cloud


def literal_cloud(heatmap, mass):
    """Pixel after pixel, starting with the largest, until the share of the positive sum is reached."""
    positive = {(y, x): value for (y, x), value in np.ndenumerate(heatmap) if value > 0}
    taken, held = [], 0.0
    for place in sorted(positive, key=positive.get, reverse=True):
        if held >= mass * sum(positive.values()):
            break
        taken.append(place)
        held += positive[place]
    return taken


def test_pixels_are_taken_in_descending_order_until_the_mass_is_reached():
    heatmap = np.random.default_rng(0).normal(size=(12, 9))
    for mass in (0.5, 0.9, 0.99):
        taken = literal_cloud(heatmap, mass)
        found = cloud(heatmap, mass)
        assert found.points.tolist() == [list(map(float, place)) for place in taken]
        values = np.array([heatmap[place] for place in taken])
        np.testing.assert_allclose(found.weights, values / values.sum())


@pytest.mark.parametrize("side", [28, 90])  # 90 × 90 pixels are pooled before they are merged
def test_no_more_than_max_points_and_they_hold_the_mass(side):
    heatmap = np.random.default_rng(0).random((side, side))
    whole, found = cloud(heatmap, max_points=side**2), cloud(heatmap, max_points=100)
    held = [heatmap[tuple(place)] for place in whole.points.astype(int)]
    assert 0.99 <= sum(held) / heatmap.sum() < 0.99 + 1 / side
    assert len(found.weights) == 100 < len(whole.weights)
    assert found.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.weights @ found.points, whole.weights @ whole.points)
    assert found.weights @ found.spread == pytest.approx(whole.weights @ whole.spread, rel=0.03)


def test_a_shifted_map_is_merged_the_same():
    heatmap = np.random.default_rng(2).random((50, 50))
    here, there = (cloud(np.pad(heatmap, ((at, 5 - at), (5 - at, at)))) for at in (0, 5))
    np.testing.assert_allclose(there.points - here.points, np.tile([5.0, -5.0], (100, 1)), atol=1e-9)
    np.testing.assert_allclose(here.weights, there.weights)


def test_merged_points_are_nearer_to_all_points_than_the_largest_ones():
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:20, :20]
    first, second = (
        np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / s) + 0.1 * random.random((20, 20))
        for r, c, s in ((6, 6, 9), (12, 9, 30))
    )

    def distance(*clouds):
        return gromov_wasserstein(*(coarsen(each, 25) for each in clouds))

    def largest(heatmap):
        whole = cloud(heatmap, max_points=400)
        return Cloud(whole.points[:60], whole.weights[:60] / whole.weights[:60].sum())

    true = distance(cloud(first, max_points=400), cloud(second, max_points=400))
    ours = distance(cloud(first, max_points=60), cloud(second, max_points=60))
    before = distance(largest(first), largest(second))
    assert abs(ours - true) < 0.25 * true
    assert abs(ours - true) < 0.5 * abs(before - true)


def test_a_whole_map_is_taken_for_the_whole_mass_but_no_pixel_without():
    heatmap = np.array([[0.1, 0.2, 0.0], [0.3, -5.0, 0.7]])
    assert len(cloud(heatmap, mass=1.0).weights) == 4


@pytest.mark.parametrize("heatmap", [np.zeros((3, 4)), -np.ones((3, 4))])
def test_a_map_without_positive_relevance_is_a_single_point(heatmap):
    assert cloud(heatmap).points.shape == (1, 2)
    assert cloud(heatmap).weights.tolist() == [1]


def test_the_scale_of_relevance_changes_nothing():
    heatmap = np.random.default_rng(1).random((8, 8))
    np.testing.assert_array_equal(cloud(heatmap).points, cloud(1e-30 * heatmap).points)


def test_levels_of_equal_shares_are_the_sorted_values():
    values = np.random.default_rng(2).random(20)
    np.testing.assert_allclose(levels(values, np.full(20, 0.05), 20), np.sort(values))
    np.testing.assert_allclose(levels(values, np.full(20, 3.0), 4), np.sort(values).reshape(4, 5).mean(axis=1))


def test_levels_keep_the_mean_whatever_the_weights():
    random = np.random.default_rng(3)
    values, weights = random.random(30), random.random(30)
    assert levels(values, weights, 7).mean() == pytest.approx(np.average(values, weights=weights))


def test_parts_hold_the_weight_of_their_points_at_the_centre_of_mass():
    fine = cloud(np.random.default_rng(4).random((12, 12)))
    found = coarsen(fine, 25)
    assert found.coarse.points.shape == (25, 2)
    assert set(found.part) == set(range(25))
    for part in range(25):
        inside = found.part == part
        assert found.coarse.weights[part] == pytest.approx(fine.weights[inside].sum())
        centre = np.average(fine.points[inside], axis=0, weights=fine.weights[inside])
        np.testing.assert_allclose(found.coarse.points[part], centre)


def test_a_small_cloud_is_its_own_coarse_one():
    fine = cloud(np.eye(5))
    assert coarsen(fine, 25).coarse is fine


def test_scaled_clouds_have_a_root_mean_square_distance_of_one():
    found = scale_cloud(cloud(np.random.default_rng(5).random((9, 9))))
    mean = (found.weights[:, None] * found.weights * found.distances**2).sum()
    assert mean == pytest.approx(1)
    point = Cloud(np.ones((1, 2)), np.ones(1))
    assert scale_cloud(point) is point


@pytest.mark.parametrize("metric", ["wasserstein", "gromov_wasserstein"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiples_of_one_heatmap_are_identical(metric, dtype):
    random = np.random.default_rng(0)
    one = np.zeros((14, 14))
    one[3:7, 2:9] = random.random((4, 7))
    maps = (one * random.uniform(1, 2, size=(30, 1, 1))).astype(dtype)
    for same in (maps, -maps):  # without positive relevance
        with pytest.raises(ValueError, match="all 30 heatmaps are identical"):
            SpRAy(metric=metric, projection=None).fit(same)


def test_points_are_equal_up_to_rounding_of_what_they_were_computed_from():
    points = np.random.default_rng(0).normal(size=(20, 5))
    assert not equal_up_to_rounding(points, np.float32, 100)
    assert equal_up_to_rounding(points[:1] + 1e-7 * points, np.float32, 100)
    assert not equal_up_to_rounding(points[:1] + 1e-7 * points, np.float64, 100)
