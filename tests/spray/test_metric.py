from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import clone

from unhans.spray import SpRAy
from unhans.spray.metrics import Cosine, Euclidean, Metric
from unhans.spray.metrics.metric import METRICS, unit
from unhans.spray.spectral import neighbours_in


def noise(n=60, side=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side))


def quick(metric, **parameters):
    return SpRAy(metric=metric, projection=None, **parameters)


@dataclass(frozen=True)
class Manhattan:
    """A metric of one's own."""

    scale: float = 1.0

    def distances(self, maps):
        flat = maps.reshape(len(maps), -1)
        return self.scale * np.abs(flat[:, None] - flat).sum(axis=2)

    def neighbours(self, maps, k):
        return neighbours_in(self.distances(maps), k)

    def identical(self, maps):
        return not self.distances(maps).any()


def assert_same(one, two):
    for name in ("eigenvalues_", "labels_", "separability_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.affinity_.toarray(), two.affinity_.toarray())


@pytest.mark.parametrize("metric", [Euclidean(), Cosine(), Manhattan()])
def test_neighbours_are_those_of_the_distances(metric):
    assert isinstance(metric, Metric)
    maps = noise(40)
    np.testing.assert_array_equal(metric.neighbours(maps, 7), neighbours_in(metric.distances(maps), 7))


def test_cosine_equals_the_definition():
    maps = noise(12)
    distances = Cosine().distances(maps)
    for i in range(12):
        for j in range(12):
            cosine = (maps[i] * maps[j]).sum() / np.sqrt((maps[i] ** 2).sum() * (maps[j] ** 2).sum())
            assert distances[i, j] ** 2 == pytest.approx(2 - 2 * cosine, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine_knows_no_scale(dtype):
    maps = noise(60).astype(dtype)
    scaled = maps * np.exp2(np.random.default_rng(1).integers(-20, 20, size=60)).astype(dtype)[:, None, None]
    assert_same(quick("cosine").fit(maps), quick("cosine").fit(scaled))
    assert (quick("euclidean").fit(maps).affinity_ != quick("euclidean").fit(scaled).affinity_).nnz


def test_a_map_of_zeros_is_at_distance_one():
    maps = np.concatenate([noise(5), np.zeros((2, 8, 8))])
    distances = Cosine().distances(maps)
    np.testing.assert_allclose(distances[5:, :5], 1)
    assert not distances[5:, 5:].any()
    assert unit(maps.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(("n", "side"), [(60, 8), (60, 4)])  # fewer and more heatmaps than pixels
@pytest.mark.parametrize(("name", "metric"), [("euclidean", Euclidean()), ("cosine", Cosine())])
def test_a_name_an_object_a_function_and_a_matrix_agree(name, metric, n, side):
    maps = noise(n, side)
    by_name = quick(name).fit(maps)
    assert_same(by_name, quick(metric).fit(maps))
    assert_same(by_name, quick(metric.distances).fit(maps))
    assert_same(by_name, quick("precomputed").fit(metric.distances(maps)))


def test_an_object_of_ones_own():
    maps = noise()
    assert_same(quick(Manhattan()).fit(maps), quick(Manhattan().distances).fit(maps))
    assert clone(quick(Manhattan(3.0))).metric == Manhattan(3.0)


def test_every_name_is_a_metric():
    assert all(isinstance(metric(), Metric) for metric in METRICS.values())


@pytest.mark.parametrize(
    "metric",
    [
        "euclidean",
        "cosine",
        "wasserstein",
        "sliced_wasserstein",
        "gromov_wasserstein",
        Manhattan(),
        Manhattan().distances,
    ],
)
def test_maps_that_are_all_the_same_are_refused(metric):
    maps = np.ones((30, 3, 3))
    with pytest.raises(ValueError, match="all 30 heatmaps are identical by this metric: nothing to cluster"):
        quick(metric).fit(maps)
    maps[1, 0, 0] = 2
    assert quick(metric, n_clusters=(2,)).fit(maps).labels_.shape == (1, 30)


def test_distances_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="all 30 heatmaps are identical"):
        quick("precomputed").fit(np.zeros((30, 30)))


def test_maps_that_differ_only_in_scale_are_the_same_by_cosine():
    maps = np.ones((30, 16)) * 2.0 ** np.arange(30)[:, None]
    with pytest.raises(ValueError, match="all 30 heatmaps are identical"):
        quick("cosine").fit(maps)


def test_wrong_neighbours_of_an_object_are_refused():
    class Broken(Manhattan):
        def neighbours(self, maps, k):
            return np.zeros((len(maps), k), dtype=int)

    with pytest.raises(ValueError, match="a metric's neighbours must be 10 different samples"):
        quick(Broken()).fit(noise())


@pytest.mark.parametrize("metric", ["manhattan", None, 3])
def test_what_is_no_metric_is_named(metric):
    with pytest.raises(ValueError, match=f"metric must be one of .*, a callable or a Metric, got {metric!r}"):
        quick(metric).fit(noise())
