import numpy as np
import pytest
from scipy.sparse import csr_array

from unhans.spray import pooling as parts
from unhans.spray.cluster_measures import dispersion
from unhans.spray.cluster_ranking import smallest_cluster
from unhans.spray.spectral import sweep_cut


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
    cut, side = sweep_cut(csr_array(affinity), vector, least=3)
    best = min(every, key=lambda pair: pair[0])
    assert cut == pytest.approx(best[0])
    np.testing.assert_array_equal(side, best[1])


def test_a_large_cut_needs_no_dense_matrix():
    n = 60_000
    place = np.arange(n)
    ring = csr_array((np.ones(n), (place, (place + 1) % n)), shape=(n, n))
    affinity = (ring + ring.T) / 2
    cut, side = sweep_cut(affinity, np.cos(2 * np.pi * (place + 0.25) / n), least=10)  # dense: 29 GB
    assert cut == pytest.approx(4 / n)  # two edges of ½, either side half the volume
    assert side.sum() == n / 2


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


def test_equal_values_are_not_cut_apart():
    affinity = csr_array(np.ones((12, 12)) - np.eye(12))
    vector = np.repeat([-1.0, 0.5, 0.5 + 1e-12, 2.0], [3, 3, 4, 2])
    _, side = sweep_cut(affinity, vector, least=2)
    assert side.sum() in (3, 10)
    cut, side = sweep_cut(affinity, vector, least=3)
    assert side.sum() == 3
    assert cut == pytest.approx(literal_ncut(affinity.toarray(), side))
    assert sweep_cut(affinity, vector, least=4) is None


def test_the_dispersion_of_maps_of_zeros_is_infinite():
    assert np.isinf(dispersion(np.zeros((3, 4)), np.ones((1, 3), dtype=bool)))


@pytest.mark.parametrize(("n", "expected"), [(12, 11), (220, 11), (221, 12), (1000, 50)])
def test_a_cluster_has_more_samples_than_neighbours_and_a_twentieth_of_the_class(n, expected):
    assert smallest_cluster(10, n) == expected
