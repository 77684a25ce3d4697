import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from sklearn.base import clone

from unhans.spray import SpRAy, UmapProcess, umap_process
from unhans.spray.embedding import fisher_separability
from unhans.spray.euclidean import euclidean_distances
from unhans.spray.pooling import prepare
from unhans.spray.umap_process import umap_points


def quick(**parameters):
    return SpRAy(**{"projection": None} | parameters)


def blobs(sizes=(40, 40, 40, 40), spread=0.3, seed=0):
    rng = np.random.default_rng(seed)
    centres = 10 * np.eye(len(sizes), 9)
    return np.concatenate([spread * rng.normal(size=(n, 9)) + c for n, c in zip(sizes, centres, strict=True)])


def noise(n=60, side=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, side, side))


def test_four_blobs_have_four_zeros_and_a_gap():  # [000] fig. 2
    spray = quick(n_eigenvalues=4 + 4, n_clusters=(4,)).fit(blobs())
    np.testing.assert_allclose(spray.eigenvalues_[:4], 0, atol=1e-10)
    assert spray.eigenvalues_[4] > 0.02
    assert spray.eigengap_ == 4
    assert spray.eigengap_size_ == pytest.approx(spray.eigenvalues_[4])
    assert connected_components(spray.affinity_)[0] == 4


def test_blobs_are_the_clusters():
    labels = quick(n_eigenvalues=4, n_clusters=(4,)).fit(blobs()).labels_[0].reshape(4, 40)
    assert (labels == labels[:, :1]).all()
    assert len(np.unique(labels)) == 4


def test_overlapping_blobs_are_nearly_separate():
    values = quick().fit(blobs(spread=3.0)).eigenvalues_
    assert values[0] < 1e-10 < values[1] < 0.2


def test_shapes_and_ranges():
    spray = quick().fit(noise(60))
    assert spray.affinity_.shape == (60, 60)
    assert set(spray.affinity_.data) == {0.5, 1.0}
    assert spray.eigenvalues_.shape == (32,)
    assert (np.diff(spray.eigenvalues_) >= 0).all()
    assert 0 <= spray.eigenvalues_[0] < 1e-10
    assert spray.eigenvalues_[-1] <= 2
    assert spray.embedding_.shape == (60, 32)
    assert spray.n_clusters_.tolist() == list(range(2, 13))
    assert spray.labels_.shape == (11, 60)
    assert [len(np.unique(row)) for row in spray.labels_] == list(range(2, 13))
    assert spray.projection_ is None


def test_heatmaps_are_smoothed_before_they_are_pooled():
    found = quick(smoothing=1.5, pooling=4, normalisation="max").prepare(noise())
    np.testing.assert_array_equal(found, prepare(noise(), 4, "max", 1.5))
    assert np.abs(found - prepare(noise(), 4, "max")).max() > 0.1


def test_neighbours_are_said_to_be_exact_or_found_by_descent(monkeypatch):
    monkeypatch.setattr("unhans.spray.spray.APPROXIMATE", 60)
    assert [quick(n_clusters=(2,)).fit(noise(n)).exact_neighbours_ for n in (59, 60)] == [True, False]
    assert quick(metric="wasserstein", n_clusters=(2,)).fit(np.abs(noise(60))).exact_neighbours_


def test_tau_is_the_mean_of_the_fisher_criteria():
    spray = quick().fit(noise())
    each = [fisher_separability(spray.embedding_, labels) for labels in spray.labels_]
    np.testing.assert_allclose(spray.separability_per_k_, each)
    assert spray.separability_ == pytest.approx(np.mean(each))


def test_only_k_with_five_samples_per_cluster_are_used():
    spray = quick().fit(noise(17))
    assert spray.n_clusters_.tolist() == [2, 3]
    assert quick().fit(noise(12)).n_clusters_.tolist() == [2]
    spray = quick().fit(noise(12))
    assert spray.eigenvalues_.shape == (12,)


def test_equal_rows_of_the_embedding_limit_k_without_a_warning():
    cliques = np.repeat(np.random.default_rng(0).normal(size=(4, 9)), 11, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spray = quick(n_eigenvalues=4).fit(cliques)
    assert spray.n_clusters_.tolist() == [2, 3, 4]


def test_heatmaps_and_vectors_are_the_same():
    maps = noise()
    np.testing.assert_array_equal(quick().fit(maps).labels_, quick().fit(maps.reshape(60, -1)).labels_)


def test_same_seed_same_result():
    maps = noise(30)
    one, two = (SpRAy(projection="tsne").fit(maps) for _ in range(2))
    for name in ("eigenvalues_", "embedding_", "labels_", "separability_", "projection_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (quick(random_state=1).fit(maps).labels_ != one.labels_).any()


def test_numpys_random_state_is_left_alone():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    SpRAy(projection="tsne").fit(noise(20))
    assert np.random.rand() == expected  # noqa: NPY002


def test_is_a_scikit_learn_estimator():
    spray = SpRAy(n_neighbors=5, pooling=(4, 2), n_clusters=range(2, 7), metric=euclidean_distances)
    twin = clone(spray)
    assert twin is not spray
    assert twin.get_params() == spray.get_params()
    assert twin.set_params(n_neighbors=7).n_neighbors == 7
    assert "n_neighbors=5" in repr(spray)
    assert not [name for name in vars(spray) if name.endswith("_")]
    assert twin.set_params(projection=None).fit(noise()) is twin
    assert twin.get_params()["n_clusters"] == range(2, 7)


def test_the_metrics_agree():
    maps = noise()
    expected = quick().fit(maps)
    distances = euclidean_distances(maps)
    for spray in (quick(metric="precomputed").fit(distances), quick(metric=euclidean_distances).fit(maps)):
        np.testing.assert_array_equal(spray.affinity_.toarray(), expected.affinity_.toarray())
        assert spray.separability_ == expected.separability_


def test_further_clusterings_of_the_embedding():
    assert quick().fit(blobs()).clusterings_ == {}
    spray = quick(n_eigenvalues=4, clusterings=("agglomerative", "hdbscan")).fit(blobs())
    assert list(spray.clusterings_) == ["agglomerative", "hdbscan"]
    for labels in spray.clusterings_.values():
        assert labels.shape == (160,)
        assert labels.dtype == np.int64
    groups = spray.clusterings_["agglomerative"].reshape(4, 40)  # as many as the eigengap suggests
    assert (spray.eigengap_, spray.eigengap_size_) == (4, 0)  # all of them are zero: no gap, but four pieces
    assert len(np.unique(groups)) == 4
    assert (groups == groups[:, :1]).all()


def test_further_clusterings_change_nothing_else():
    one, two = quick().fit(noise()), quick(clusterings=["dbscan"]).fit(noise())
    np.testing.assert_array_equal(one.labels_, two.labels_)
    assert list(two.clusterings_) == ["dbscan"]


def test_heatmaps_on_a_disk_are_read_in_blocks():
    class Reader:
        shape = (60, 8, 8)

        def __getitem__(self, rows):
            assert isinstance(rows, slice)
            return noise()[rows]

    found = quick(pooling=4).fit(Reader())
    np.testing.assert_array_equal(found.labels_, quick(pooling=4).fit(noise()).labels_)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_half_precision_and_bytes_are_clustered_by_their_values(dtype):
    maps = (40 * noise() + 120).clip(0, 255).astype(dtype)
    found, expected = quick().fit(maps), quick().fit(maps.astype(np.float64))
    np.testing.assert_array_equal(found.affinity_.toarray(), expected.affinity_.toarray())


def test_a_metric_gets_prepared_heatmaps():
    seen = []

    def metric(maps):
        seen.append(maps)
        return euclidean_distances(maps)

    quick(metric=metric, pooling=4, normalisation="sum").fit(noise())
    assert seen[0].shape == (60, 4, 4)
    np.testing.assert_allclose(np.abs(seen[0]).sum((1, 2)), 1)


def test_normalisation_removes_scale_and_its_absence_keeps_it():
    maps = noise()
    scaled = maps * np.random.default_rng(1).uniform(0.01, 100, size=(60, 1, 1))
    for way in ("max", "sum"):
        one, two = (quick(normalisation=way).fit(x).affinity_ for x in (maps, scaled))
        assert (one != two).nnz == 0
    assert (quick().fit(maps).affinity_ != quick().fit(scaled).affinity_).nnz


def test_duplicates_and_empty_maps_are_ordinary_samples():
    maps = np.concatenate([noise(30), np.repeat(noise(1, seed=5), 15, axis=0), np.zeros((5, 8, 8))])
    for way in (None, "max", "sum"):
        spray = quick(normalisation=way).fit(maps)
        assert not spray.affinity_.diagonal().any()
        assert np.isfinite(spray.embedding_).all()
        assert np.isfinite(spray.separability_)


def check_projection(method, n, of="spectrum"):
    """Project few samples, or a graph in pieces; a warning is an error."""
    maps = noise(12) if n == 12 else blobs((11, 11, 11, 11))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImportWarning)  # Python shows it to nobody
        spray = SpRAy(projection=method, projection_of=of, n_clusters=(2, 3)).fit(maps)
    assert spray.projection_.shape == (n, 2)
    assert np.isfinite(spray.projection_).all()


def check_process():
    """A process of its own finds the same points, and is gone when it is closed."""
    beside, embedding = UmapProcess(), np.random.default_rng(0).random((12, 4))
    process = beside._process
    np.testing.assert_array_equal(beside(embedding, 3), umap_points(embedding, 3))
    assert process.poll() is None
    beside.close()
    assert process.poll() is not None


@pytest.mark.parametrize("executable", ["no such program", sys.executable])
def test_without_its_process_umap_is_found_here(executable, monkeypatch):
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(umap_process, "umap_points", lambda embedding, seed: embedding + seed)
    monkeypatch.setattr(umap_process, "__file__", os.devnull)  # a script that ends at once
    np.testing.assert_array_equal(UmapProcess()(np.ones((5, 2)), 3), np.full((5, 2), 4))


@pytest.mark.parametrize("n", [12, 44])
def test_tsne_of_few_samples_or_a_graph_in_pieces_says_nothing(n, capfd):
    for of in ("spectrum", "graph"):
        check_projection("tsne", n, of)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow  # the imports of a process of its own
def test_umap_of_few_samples_or_a_graph_in_pieces_says_nothing():
    """In a process of its own without numba's compiler, which takes longer than so few samples."""
    code = (
        "from test_spray_estimator import check_process, check_projection as check;"
        "check_process(); check('umap', 12); check('umap', 44)"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, env=env, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("parameters", "maps", "sentence"),
    [
        ({}, noise(10), "n_neighbors=10 must be at least 1 and smaller than the number of heatmaps, 10"),
        ({}, np.ones((30, 4, 4)), "all 30 heatmaps are identical"),
        ({}, np.zeros((30, 16)), "all 30 heatmaps are identical"),
        ({"normalisation": "max"}, np.zeros((30, 16)), "all 30 heatmaps are identical"),
        ({}, np.where(np.arange(16) == 3, np.nan, np.ones((30, 16))), "30 of 30 hold NaN or infinity, first number 0"),
        ({}, np.ones(30), r"must have shape \(n, H, W\) or \(n, d\)"),
        ({"n_clusters": (40, 50)}, noise(30), r"n_clusters=\(40, 50\) holds no number up to 6"),
        ({"n_clusters": (1, 2)}, noise(30), "n_clusters must hold whole numbers from 2 up, got 1"),
        ({"n_clusters": ()}, noise(30), r"n_clusters=\(\) holds no number up to 6"),
        ({"n_neighbors": 2.5}, noise(30), "n_neighbors must hold whole numbers from 1 up, got 2.5"),
        ({"n_eigenvalues": 1}, noise(30), "n_eigenvalues must hold whole numbers from 2 up, got 1"),
        ({"metric": "manhattan"}, noise(30), "metric must be one of euclidean, .* or a Metric, got 'manhattan'"),
        ({"clusterings": ("ward",)}, noise(30), "clusterings must be names among agglomerative, .* got 'ward'"),
        ({}, np.zeros((0, 4, 4)), r"must have shape \(n, H, W\) or \(n, d\) without an empty axis, got \(0, 4, 4\)"),
        ({"metric": "precomputed"}, np.zeros((0, 0)), "smaller than the number of heatmaps, 0"),
        ({"normalisation": "signed"}, noise(30), "normalisation must be .* got 'signed'"),
        ({"projection": "pca"}, noise(30), "projection must be .* got 'pca'"),
        ({"pooling": 4}, noise(30).reshape(30, -1), "pooling needs heatmaps of shape"),
        ({"metric": "precomputed"}, noise(30).reshape(30, -1), r"must have shape \(n, n\), got \(30, 64\)"),
        ({"smoothing": -1.0}, noise(30), "smoothing must be a number of pixels, 0 or more, got -1.0"),
        ({"metric": "precomputed", "smoothing": 1}, noise(30), "smoothing and normalisation need heatmaps"),
        ({"metric": "precomputed", "pooling": 4}, noise(30), "pooling, smoothing and normalisation need heatmaps"),
        ({"metric": lambda maps: maps}, noise(30), r"must have shape \(n, n\)"),
        ({"projection": "tsne", "n_neighbors": 2, "n_clusters": (2,)}, noise(3), "needs at least 4 heatmaps, got 3"),
    ],
)
def test_bad_input_gives_one_sentence(parameters, maps, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        quick(**parameters).fit(maps)
    assert not re.search(r"\n", str(caught.value))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", [{"metric": "cosine"}, {"normalisation": "max"}, {"normalisation": "sum"}])
@pytest.mark.parametrize("n", [40, 80])  # fewer and more heatmaps than pixels
def test_multiples_of_one_heatmap_are_identical_where_they_are_scaled(n, given, dtype):
    random = np.random.default_rng(0)
    multiples = (random.normal(size=(1, 7, 7)) * random.uniform(0.1, 10, size=(n, 1, 1))).astype(dtype)
    with pytest.raises(ValueError, match=f"all {n} heatmaps are identical"):
        quick(**given).fit(multiples)
    assert quick().fit(multiples).affinity_.shape == (n, n)


@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e-6), (np.float32, 1.0)])
def test_small_differences_of_large_values_are_no_rounding(dtype, size):
    changes = size * np.random.default_rng(0).normal(size=(60, 25))
    assert quick().fit((1e6 + changes).astype(dtype)).affinity_.shape == (60, 60)


def test_equal_rows_of_a_wide_embedding_are_no_noise():
    rng = np.random.default_rng(0)
    spray = quick(clusterings=("dbscan",)).fit(np.repeat(rng.normal(size=(18, 25)), 11, axis=0))
    assert spray.eigengap_ == 18
    np.testing.assert_array_equal(spray.clusterings_["dbscan"], np.repeat(np.arange(18), 11))


@pytest.mark.parametrize("given", [iter([2, 3]), (k for k in (2, 3)), 5])
def test_numbers_of_clusters_that_cannot_be_read_twice_are_refused(given):
    with pytest.raises(ValueError, match="n_clusters must be a list, a range or an array, got"):
        quick(n_clusters=given).fit(noise())
