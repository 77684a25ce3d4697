"""Options of the graph, of τ and of the map: each against a literal version; without them all is as before."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from unhans.spray import SpRAy, neighbour_count
from unhans.spray.embedding import fisher_separability
from unhans.spray.euclidean import euclidean_distances
from unhans.spray.metrics import METRICS, edge_lengths
from unhans.spray.projection import UNCONNECTED, Projection, graph_neighbours
from unhans.spray.spectral import euclidean_neighbours, knn_affinity, neighbours_in


def quick(**parameters):
    return SpRAy(**{"projection": None, "n_clusters": (2, 3)} | parameters)


def maps(n=60, side=6, seed=0):
    found = np.random.default_rng(seed).normal(size=(n, side, side))
    found[: n // 3] += 2
    return found


def literal_affinity(points, k, combine, weigh=lambda distance: 1.0):
    n = len(points)
    directed = [[0.0] * n for _ in range(n)]
    for i in range(n):
        distance = [math.dist(points[i], other) for other in points]
        for j in sorted((j for j in range(n) if j != i), key=lambda j, row=distance: (row[j], j))[:k]:
            directed[i][j] = weigh(distance[j])
    return [[combine(directed[i][j], directed[j][i]) for j in range(n)] for i in range(n)]


@pytest.mark.parametrize(
    ("options", "combine", "weigh"),
    [
        ({"symmetrisation": "max"}, max, lambda distance: 1.0),
        ({"edges": "distance"}, lambda a, b: (a + b) / 2, lambda distance: distance),
        ({"symmetrisation": "max", "edges": "distance"}, max, lambda distance: distance),
    ],
)
def test_the_graph_is_that_of_a_double_loop(options, combine, weigh):
    found = quick(n_neighbors=4, **options).fit(maps(25)).affinity_.toarray()
    expected = literal_affinity(maps(25).reshape(25, -1), 4, combine, weigh)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize(
    "name", ["euclidean", "cosine", "wasserstein", "sliced_wasserstein", "gromov_wasserstein", "precomputed"]
)
def test_edges_are_as_long_as_the_distances_of_their_ends(name):
    metric, given = METRICS[name](), maps(12)
    given = euclidean_distances(given) if name == "precomputed" else given
    neighbours = metric.neighbours(given, 3)
    distances = given if name == "precomputed" else metric.distances(given)
    expected = np.take_along_axis(distances, neighbours, axis=1)
    np.testing.assert_allclose(edge_lengths(metric, given, neighbours), expected, atol=1e-12)


def test_equal_heatmaps_stay_joined_by_edges_of_no_length():
    doubled = np.repeat(maps(20), 3, axis=0)
    binary, weighed = (quick(n_neighbors=4, edges=edges).fit(doubled) for edges in ("binary", "distance"))
    np.testing.assert_array_equal(binary.affinity_.toarray() > 0, weighed.affinity_.toarray() > 0)
    assert np.isfinite(weighed.eigenvalues_).all()
    groups = knn_affinity(np.array([[1], [0], [3], [2]]), lengths=np.zeros((4, 1))).toarray()
    np.testing.assert_array_equal(groups, np.kron(np.eye(2), [[0, 1], [1, 0]]))  # nothing but equal ones: all weigh 1


def test_a_metric_that_measures_no_pairs_is_refused():
    class Own:
        def neighbours(self, points, k):
            return euclidean_neighbours(points, k)

        def identical(self, points):
            return False

    assert quick(metric=Own()).fit(maps()).affinity_.nnz
    with pytest.raises(ValueError, match='edges="distance" needs a metric with a method pair_distances'):
        quick(metric=Own(), edges="distance").fit(maps())


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 1), (3, 2), (20, 3), (21, 4), (1300, 8)])
def test_the_logarithm_of_the_samples(n, k):  # 1,300 images of an ImageNet class: 8
    assert neighbour_count("log", n) == k
    assert neighbour_count(10, n) == 10


def test_each_class_has_as_many_neighbours_as_its_logarithm():
    found, expected = quick(n_neighbors="log").fit(maps()), quick(n_neighbors=5).fit(maps())
    np.testing.assert_array_equal(found.affinity_.toarray(), expected.affinity_.toarray())


def test_several_directions_of_separability_are_those_of_equation_4():
    """W of the q leading generalized eigenvectors, put into tr((Wᵀ S_w W)⁻¹ Wᵀ S_b W)."""
    random = np.random.default_rng(3)
    points, labels = random.normal(size=(90, 5)), np.repeat([0, 1, 2, 3], [40, 20, 20, 10])
    points[:, 0] += labels
    within, between = np.zeros((5, 5)), np.zeros((5, 5))
    for label in range(4):
        own = points[labels == label]
        step = own.mean(0) - points.mean(0)
        between += np.outer(step, step)
        within += (own - own.mean(0)).T @ (own - own.mean(0))
    _, vectors = eigh(between, within)
    for q in (1, 2, 3):
        w = vectors[:, ::-1][:, :q]
        expected = np.trace(np.linalg.inv(w.T @ within @ w) @ (w.T @ between @ w))
        assert fisher_separability(points, labels, q) == pytest.approx(expected)
    assert quick(tau_directions=3).fit(maps()).separability_ > quick().fit(maps()).separability_


def test_without_options_the_map_is_as_it_was():
    """t-SNE with the settings of [003], and for UMAP nothing but its own defaults."""
    spray = quick(projection="tsne").fit(maps())
    seed = np.random.RandomState(0)
    drawn = [seed.randint(2**31 - 4) for _ in range(2)][1]
    reducer = TSNE(perplexity=7.0, early_exaggeration=6, init="pca", random_state=drawn)
    np.testing.assert_array_equal(spray.projection_, reducer.fit_transform(spray.embedding_).astype(np.float64))
    asked = Projection().points(spray.embedding_, spray.affinity_, 7, lambda *given, **options: (*given, options))
    assert asked[1:] == (7, {"near": 15, "min_dist": 0.1})


def test_neighbours_in_the_graph_are_those_of_all_its_distances():
    affinity = quick(n_neighbors=4).fit(maps(30)).affinity_
    distances = 1 / (affinity.toarray() + UNCONNECTED)
    for count in (2, 8, 29):
        found, lengths = graph_neighbours(affinity, count)
        np.testing.assert_array_equal(found, neighbours_in(distances, count))
        np.testing.assert_array_equal(lengths, np.take_along_axis(distances, found, axis=1))


def test_the_map_of_the_graph_by_t_sne_is_that_of_its_distances():
    spray = quick().fit(maps())
    distances = 1 / (spray.affinity_.toarray() + UNCONNECTED)
    np.fill_diagonal(distances, 0)
    start = PCA(2, svd_solver="randomized", random_state=3).fit_transform(spray.embedding_)
    start = (1e-4 * start / start[:, 0].std()).astype(np.float32)
    options = {"perplexity": 6, "early_exaggeration": 9, "random_state": 3}
    dense = TSNE(**options, metric="precomputed", init=start).fit_transform(distances)
    plane = Projection("tsne", "graph", tsne_perplexity=6, tsne_exaggeration=9)
    found = plane.points(spray.embedding_, spray.affinity_, 3)
    np.testing.assert_allclose(found, dense, atol=1e-3)


def test_umap_gets_its_settings_and_the_graph():
    spray = quick(n_neighbors=4).fit(maps(30))
    plane = Projection("umap", "graph", umap_neighbors=9, umap_min_dist=0.5)
    _, seed, options = plane.points(spray.embedding_, spray.affinity_, 7, lambda *given, **options: (*given, options))
    indices, distances = options["known"]
    assert (seed, options["near"], options["min_dist"]) == (7, 9, 0.5)
    np.testing.assert_array_equal(indices[:, 0], np.arange(30))  # UMAP counts a sample among its neighbours
    assert not distances[:, 0].any()
    expected = graph_neighbours(spray.affinity_, 8)
    np.testing.assert_array_equal(indices[:, 1:], expected[0])
    np.testing.assert_array_equal(distances[:, 1:], expected[1])


def test_results_of_earlier_versions_are_known_again():
    assert not {"symmetrisation", "edges", "tsne_perplexity", "tau_directions"} & set(SpRAy().settings())
    assert SpRAy(edges="distance", n_neighbors="log").settings() == SpRAy().settings() | {
        "edges": "distance", "n_neighbors": "log",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"n_neighbors": "lag"}, "n_neighbors must be a whole number from 1 up or \"log\", got 'lag'"),
        ({"symmetrisation": "min"}, 'symmetrisation must be "mean" or "max", got \'min\''),
        ({"edges": "weighted"}, 'edges must be "binary" or "distance", got \'weighted\''),
        ({"projection_of": "A"}, 'projection_of must be "spectrum" or "graph", got \'A\''),
        ({"umap_neighbors": 1}, "umap_neighbors must be a number from 2 up, got 1"),
        ({"umap_neighbors": 2.5}, "umap_neighbors must be a whole number, got 2.5"),
        ({"umap_min_dist": 1.5}, "umap_min_dist must lie between 0 and 1, got 1.5"),
        ({"tsne_perplexity": 0}, "tsne_perplexity must be a number from 1 up, got 0"),
        ({"tsne_exaggeration": "6"}, "tsne_exaggeration must be a number from 1 up, got '6'"),
        ({"tau_directions": 0}, "tau_directions must hold whole numbers from 1 up, got 0"),
    ],
)
def test_bad_options_are_one_sentence_before_anything_is_done(parameters, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        SpRAy(**parameters).check_parameters()
