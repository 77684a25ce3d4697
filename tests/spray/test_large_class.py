"""What changes with the number of heatmaps: memory, the search for neighbours, and how often k-means starts again."""

import tracemalloc

import numpy as np
import pytest

from unhans.spray import SpRAy
from unhans.spray import euclidean as distance
from unhans.spray import spray as estimator
from unhans.spray.spectral import knn_graph as neighbours


def heatmaps(n, share, seed=0):
    """Smooth random maps of 12 x 12; a share of them relies on a patch in addition."""
    rng = np.random.default_rng(seed)
    maps = np.kron(rng.gamma(1, size=(n, 6, 6)), np.ones((2, 2))) + 0.3 * rng.normal(size=(n, 12, 12))
    carriers = rng.permutation(n) < round(share * n)
    maps[carriers, -3:, 1:5] += 6 * rng.uniform(0.7, 1.3, size=(carriers.sum(), 1, 1))
    return maps.astype(np.float32)


def quick(**parameters):
    return SpRAy(**{"projection": None, "n_clusters": range(2, 6), "n_eigenvalues": 12} | parameters)


def small_blocks(monkeypatch, rows):
    for module in (distance, neighbours):
        monkeypatch.setattr(module, "ROWS", rows)


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
def test_no_matrix_of_all_distances_is_ever_held(name, monkeypatch):
    n = 3000
    small_blocks(monkeypatch, 64)
    maps = heatmaps(n, 0.3)
    quick(metric=name).fit(maps[:200])  # what is imported on the way does not count
    tracemalloc.start()
    spray = quick(metric=name).fit(maps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * n / 3
    assert spray.eigenvalues_[1] < 0.05


def test_blocks_change_nothing(monkeypatch):
    maps = heatmaps(300, 0.3)
    expected = quick().fit(maps)
    small_blocks(monkeypatch, 64)
    found = quick().fit(maps)
    np.testing.assert_array_equal(found.affinity_.toarray(), expected.affinity_.toarray())
    np.testing.assert_array_equal(found.labels_, expected.labels_)


@pytest.mark.parametrize(("least", "restarts"), [(100, 1), (101, estimator.RESTARTS)])
def test_k_means_of_a_large_class_starts_once(least, restarts, monkeypatch):
    seen, normal = [], estimator.KMeans
    monkeypatch.setattr(estimator, "APPROXIMATE", least)
    monkeypatch.setattr(estimator, "KMeans", lambda k, **kwargs: seen.append(k) or normal(k, **kwargs))
    found = quick().fit(heatmaps(100, 0.3))
    assert seen == np.repeat(found.n_clusters_, restarts).tolist()


@pytest.mark.slow
def test_a_large_class_gets_the_spectrum_of_the_exact_search(monkeypatch):
    maps = heatmaps(2500, 0.3)
    exact = quick().fit(maps)
    monkeypatch.setattr(neighbours, "APPROXIMATE", 1000)
    spray = quick().fit(maps)
    shared = (spray.affinity_ != 0).multiply(exact.affinity_ != 0).sum() / exact.affinity_.count_nonzero()
    assert shared > 0.95
    np.testing.assert_allclose(spray.eigenvalues_[:8], exact.eigenvalues_[:8], atol=0.02)
