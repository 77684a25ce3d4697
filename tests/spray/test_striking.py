import math

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from unhans.spray import SpRAy, parts, striking_cluster
from unhans.spray.striking import dispersion, smallest_cut


def maps(n, share, strength, seed=0, size=24):
    """Smooth random heatmaps; a share of them has a blob in the lower left corner in addition."""
    rng = np.random.default_rng(seed)
    coarse = rng.gamma(1, size=(n, 6, 6))
    found = np.kron(coarse, np.ones((size // 6, size // 6))) + 0.3 * rng.normal(size=(n, size, size))
    carriers = rng.permutation(n) < share * n
    found[carriers, -6:-1, 2:9] += strength * rng.uniform(0.8, 1.2, size=(carriers.sum(), 1, 1))
    return found, carriers


def literal_ncut(affinity, side):
    n = len(affinity)
    cut = sum(affinity[i, j] for i in range(n) for j in range(n) if side[i] and not side[j])
    inside = sum(affinity[i, j] for i in range(n) for j in range(n) if side[i])
    outside = sum(affinity[i, j] for i in range(n) for j in range(n) if not side[i])
    return cut / inside + cut / outside


def test_the_cut_is_the_smallest_of_all_places():
    rng = np.random.default_rng(0)
    affinity = rng.integers(0, 3, size=(14, 14)) / 2.0
    affinity = np.triu(affinity, 1) + np.triu(affinity, 1).T
    vector = rng.normal(size=14)
    order = np.argsort(vector / np.sqrt(affinity.sum(1)))
    every = []
    for size in range(3, 12):
        side = np.zeros(14, bool)
        side[order[:size]] = True
        every.append((literal_ncut(affinity, side), side))
    cut, side = smallest_cut(csr_array(affinity), vector, least=3)
    best = min(every, key=lambda pair: pair[0])
    assert cut == pytest.approx(best[0])
    np.testing.assert_array_equal(side, best[1])


def test_a_large_cut_needs_no_dense_matrix():
    n = 60_000
    place = np.arange(n)
    ring = csr_array((np.ones(n), (place, (place + 1) % n)), shape=(n, n))
    affinity = (ring + ring.T) / 2
    cut, side = smallest_cut(affinity, np.cos(2 * np.pi * (place + 0.25) / n), least=10)  # dense: 29 GB
    assert cut == pytest.approx(4 / n)  # two edges of ½, either side half the volume
    assert side.sum() == n / 2


def test_a_piece_of_the_graph_is_found_whichever_it_is():
    rng = np.random.default_rng(0)
    for sizes in ((30, 90), (90, 30), (40, 40, 40), (50, 12, 12, 46)):
        piece = np.repeat(np.arange(len(sizes)), sizes)
        heatmaps = 100 * np.eye(len(sizes), 20)[piece] + rng.normal(size=(len(piece), 20))
        heatmaps[piece == 1] -= 0.5 * (heatmaps[piece == 1] - 100 * np.eye(len(sizes), 20)[1])  # the most alike
        spray = SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps)
        assert connected_components(spray.affinity_)[0] == len(sizes)
        cluster = striking_cluster(spray, heatmaps)
        assert cluster.normalised_cut == 0
        np.testing.assert_array_equal(cluster.members, piece == 1)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.85])
@pytest.mark.parametrize("seed", [0, 1])
def test_finds_the_carriers_whether_few_or_many(share, seed):
    heatmaps, carriers = maps(120, share, strength=6, seed=seed)
    spray = SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps)
    cluster = striking_cluster(spray, heatmaps)
    assert carriers[cluster.members].mean() >= 0.95
    assert cluster.members[carriers].mean() >= 0.95
    assert cluster.normalised_cut == pytest.approx(literal_ncut(spray.affinity_.toarray(), cluster.members))


def test_works_on_what_spray_compares():
    heatmaps, carriers = maps(120, 0.5, strength=6)
    heatmaps = heatmaps * np.random.default_rng(1).uniform(0.1, 10, size=(120, 1, 1))  # scale hides it
    spray = SpRAy(projection=None, n_clusters=(2,), normalisation="sum", pooling=6).fit(heatmaps)
    members = striking_cluster(spray, heatmaps).members
    assert (members == carriers).mean() >= 0.95


def test_of_two_sides_cut_off_alike_the_more_consistent_is_taken():
    rng = np.random.default_rng(0)
    patterns = 20 * np.eye(2, 30)
    for noise, members in (((0.1, 1.0), slice(0, 40)), ((1.0, 0.1), slice(40, None))):
        heatmaps = np.concatenate([s * rng.normal(size=(n, 30)) for s, n in zip(noise, (40, 80), strict=True)])
        heatmaps += np.repeat(patterns, (40, 80), axis=0)
        cluster = striking_cluster(SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps), heatmaps)
        assert cluster.normalised_cut == 0
        assert cluster.members[members].all()
        assert cluster.members.sum() == len(heatmaps[members])
        assert (cluster.name, cluster.k, cluster.label) == ("cut", 2, int(cluster.members[0]))
        assert math.isnan(cluster.score)


@pytest.mark.parametrize(("n", "found"), [(21, False), (22, True)])
def test_a_class_too_small_for_two_sides_has_no_cluster(n, found):
    heatmaps = np.random.default_rng(0).normal(size=(n, 9))
    spray = SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps)
    assert (striking_cluster(spray, heatmaps) is not None) == found


def test_dispersion_is_the_mean_squared_distance_to_the_mean_over_its_square():
    maps = np.array([[1.0], [3.0], [1.0], [-1.0], [0.0], [0.0]])
    members = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [1, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=bool)
    np.testing.assert_allclose(dispersion(maps, members), [1 / 4, np.inf, 0, np.inf])


def test_dispersion_has_no_scale_and_does_not_depend_on_how_maps_are_read(monkeypatch):
    heatmaps = np.random.default_rng(0).normal(size=(8, 5, 2)) + 1
    everyone = np.ones((1, 8), dtype=bool)
    expected = dispersion(heatmaps, everyone)
    assert dispersion(3 * heatmaps, everyone) == pytest.approx(expected)
    monkeypatch.setattr(parts, "ELEMENTS", 30)  # three maps at once
    assert dispersion(heatmaps, everyone) == pytest.approx(expected)


@pytest.mark.parametrize("others", [6, 10])  # fewer and more pieces than eigenvectors that are cut at least
def test_of_many_pieces_the_most_alike_is_found_in_any_order(others):
    rng = np.random.default_rng(5)
    blobs = [100 * rng.normal(size=25) + 8 * rng.normal(size=(40, 25)) for _ in range(others)]
    heatmaps = np.concatenate([*blobs, 100 * rng.normal(size=25) + 0.01 * rng.normal(size=(35, 25))])
    for order in (np.arange(len(heatmaps)), rng.permutation(len(heatmaps)), rng.permutation(len(heatmaps))):
        found = striking_cluster(SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps[order]), heatmaps[order])
        np.testing.assert_array_equal(found.members, order >= 40 * others)
        assert found.normalised_cut == 0


def test_equal_values_are_not_cut_apart():
    affinity = csr_array(np.ones((12, 12)) - np.eye(12))
    vector = np.repeat([-1.0, 0.5, 0.5 + 1e-12, 2.0], [3, 3, 4, 2])
    _, side = smallest_cut(affinity, vector, least=2)
    assert side.sum() in (3, 10)
    cut, side = smallest_cut(affinity, vector, least=3)
    assert side.sum() == 3
    assert cut == pytest.approx(literal_ncut(affinity.toarray(), side))
    assert smallest_cut(affinity, vector, least=4) is None


def test_pieces_that_are_all_too_small_have_no_cut():
    heatmaps = np.repeat(100 * np.eye(25), 12, axis=0) + 0.1 * np.random.default_rng(0).normal(size=(300, 25))
    assert striking_cluster(SpRAy(projection=None, n_clusters=(2,)).fit(heatmaps), heatmaps) is None


def test_the_dispersion_of_maps_of_zeros_is_infinite():
    assert np.isinf(dispersion(np.zeros((3, 4)), np.ones((1, 3), dtype=bool)))
