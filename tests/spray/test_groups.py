"""Groups of samples in the graph of one view: planted ones are found, and what has none is unremarkable."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from unhans.spray.groups import groups_of, jaccard, k_means, smallest_group
from unhans.spray.groups import view_groups as groups
from unhans.spray.spectral import euclidean_neighbours, knn_affinity
from unhans.spray.suspicion import surprise

VIEW = "input relevance"


def cloud(n=150, d=20, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def planted(sizes=(45,), n=150, distance=10.0, seed=0):
    """One cloud; so many samples each are moved along an axis of their own."""
    points, carriers = cloud(n, seed=seed), np.zeros((len(sizes), n), dtype=bool)
    order = np.random.default_rng(seed + 1).permutation(n)
    for axis, size in enumerate(sizes):
        carriers[axis, order[:size]], order = True, order[size:]
        points[carriers[axis], axis] += distance
    return points, carriers


def found_in(points, n_neighbors=10, seed=0):
    return groups_of({VIEW: points}, n_neighbors, seed)


def best(found, carriers):
    return max(jaccard(one.members, carriers) for one in found)


@pytest.mark.parametrize("size", [14, 20, 45, 75])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_planted_group_is_the_first(size, seed):
    points, (carriers,) = planted((size,), seed=seed)
    first = found_in(points)[0]
    assert max(jaccard(first.members, carriers), jaccard(~first.members, carriers)) >= 0.95
    assert first.normalised_cut < 0.1
    assert first.stability > 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_fewer_carriers_than_neighbours_are_found_among_others(seed):
    points, (carriers,) = planted((8,), seed=seed)
    assert best(found_in(points), carriers) >= 0.8


def test_of_both_sides_the_one_that_is_alike_is_named():
    rng = np.random.default_rng(0)
    for few, many in ((0.1, 1.0), (1.0, 0.1)):
        points = np.concatenate([few * rng.normal(size=(40, 20)), many * rng.normal(size=(110, 20))])
        points[:40] += 10 * np.eye(1, 20)
        points[40:] += 10 * np.eye(1, 20, 1)
        np.testing.assert_array_equal(found_in(points)[0].members, (np.arange(150) < 40) == (few < many))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_groups_at_once_are_both_proposed(seed):
    points, carriers = planted((40, 30), distance=8, seed=seed)
    found = found_in(points, seed=seed)
    assert best(found, carriers[0]) >= 0.95
    assert best(found, carriers[1]) >= 0.95


@pytest.mark.parametrize("k", [3, 4])
def test_k_means_is_that_of_the_first_k_columns_scaled_by_the_degrees(k):
    """[Shi & Malik 2000]: the rows of D^-½Φ; without the scaling, or by all columns, clusters are others."""
    affinity = knn_affinity(euclidean_neighbours(cloud(120, 3), 6))
    _, vectors = np.linalg.eigh(_literal_laplacian(affinity.toarray()))
    scaled = np.diag(affinity.toarray().sum(1) ** -0.5) @ vectors[:, :6]
    found = next(k_means(affinity, vectors[:, :6], [k], 0))

    def clustered(points):
        return KMeans(k, n_init=1, random_state=0).fit(points).labels_

    np.testing.assert_array_equal(found, clustered(scaled[:, :k]))
    for wrong in (vectors[:, :k], scaled):
        assert adjusted_rand_score(found, clustered(wrong)) < 1


def _literal_laplacian(affinity):
    degree = affinity.sum(1)
    return np.eye(len(affinity)) - affinity / np.sqrt(np.outer(degree, degree))


def ring(n=150, seed=0):
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    return 10 * np.stack([np.cos(angle), np.sin(angle)], 1) @ cloud(2, 20) / 4 + cloud(n, seed=seed)


def strongest(points):
    return max(one.strength for one in found_in(points))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_cloud_has_groups_that_are_unremarkable(seed):
    assert surprise(VIEW, strongest(cloud(seed=seed))) < 1
    assert surprise(VIEW, strongest(planted((45,), seed=seed)[0])) > 6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_ring_has_cuts_but_far_larger_ones_than_a_group(seed):
    clear = strongest(planted((45,), seed=seed)[0])
    assert strongest(ring(seed=seed)) < 0.6 * clear


def test_at_most_three_groups_that_differ_in_the_order_of_their_strength():
    found = found_in(planted((40, 30))[0])
    assert 1 < len(found) <= 3
    strengths = [one.strength for one in found]
    assert strengths == sorted(strengths, reverse=True)
    for i, one in enumerate(found):
        for other in found[:i]:
            assert jaccard(one.members, other.members) < 0.9
            assert jaccard(one.members, ~other.members) < 0.9
        assert smallest_group(150) <= one.members.sum() <= 150 - smallest_group(150)


def test_the_same_seed_gives_the_same_groups():
    points, _ = planted((20,), distance=4)
    for one, other in zip(found_in(points), found_in(points), strict=True):
        np.testing.assert_array_equal(one.members, other.members)
        assert (one.strength, one.stability, one.method) == (other.strength, other.stability, other.method)


def test_the_order_of_the_samples_makes_no_difference():
    points, _ = planted((45,))
    order = np.random.default_rng(7).permutation(150)
    np.testing.assert_array_equal(found_in(points[order])[0].members, found_in(points)[0].members[order])


def test_neither_scale_nor_place_matters():
    points, _ = planted((45,))
    one, other = found_in(points)[0], found_in(1e-6 * (points + 5))[0]
    np.testing.assert_array_equal(one.members, other.members)
    assert one.strength == pytest.approx(other.strength)


def test_of_a_large_class_the_samples_that_are_not_compared_take_a_side(monkeypatch):
    monkeypatch.setattr(groups, "LARGEST", 120)
    points, (carriers,) = planted((120,), n=400)
    found = found_in(points)
    assert all(one.members.shape == (400,) for one in found)
    assert best(found, carriers) >= 0.95


@pytest.mark.parametrize("n", [11, 12, 13, 14, 20])
def test_a_class_just_above_the_number_of_neighbours(n):
    found = found_in(cloud(n))
    least = smallest_group(n)
    assert all(least <= one.members.sum() <= n - least for one in found)
    assert bool(found) <= (n >= 2 * least)


def test_a_class_of_two_small_groups():
    points = np.repeat(100 * np.eye(2, 20), 7, axis=0) + cloud(14)
    found = found_in(points, n_neighbors=5)
    assert max(best(found, np.arange(14) < 7), best(found, np.arange(14) >= 7)) == 1
    assert all(np.isfinite(one.strength) for one in found)


def test_points_that_are_all_the_same_are_no_error():
    for one in found_in(np.ones((60, 5))):
        assert np.isfinite(one.strength)
        assert np.isfinite(one.normalised_cut)


def test_two_different_points_are_two_groups():
    points = np.repeat(np.random.default_rng(0).normal(size=(2, 9)), 40, axis=0)
    first = found_in(points)[0]
    assert first.normalised_cut == 0
    assert first.members.sum() == 40
    assert len(set(first.members[:40])) == 1


def test_a_graph_in_pieces_is_no_stronger_than_one_with_a_few_edges_between():
    strength = found_in(planted((45,), distance=1000.0)[0])[0].strength
    assert strength == pytest.approx(-np.log10(groups.FLOOR))


@pytest.mark.parametrize(("n", "expected"), [(12, 6), (200, 6), (201, 7), (1000, 30)])
def test_the_smallest_group(n, expected):
    assert smallest_group(n) == expected


def test_jaccard():
    one, other = np.array([True, True, False, False]), np.array([False, True, True, False])
    assert jaccard(one, other) == pytest.approx(1 / 3)
    assert jaccard(~(one | ~one), ~(one | ~one)) == 0
