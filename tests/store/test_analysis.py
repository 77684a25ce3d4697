"""An analysis comes back as it was, and ViRelAy finds in it what it looks for."""

import dataclasses
import pickle

import h5py
import numpy as np
import pytest
from scipy.sparse import issparse
from stored_class import KEY, NAMES, add_maps, audit_of

from unhans.spray import suspicion_of
from unhans.store import DamagedError, stored_key
from unhans.store.virelay import class_files, load_analysis, save_analysis


def saved(files, **parameters):
    add_maps(files, 0)
    audit = audit_of(files, 0, NAMES[0], **parameters)
    save_analysis(files, audit, suspicion_of(audit), KEY)
    return audit


def plain(parameters):
    return {name: list(value) if isinstance(value, range | tuple) else value for name, value in parameters.items()}


def assert_same(found, expected):
    if dataclasses.is_dataclass(expected):
        for field in dataclasses.fields(expected):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif hasattr(expected, "get_params"):
        assert plain(found.get_params()) == plain(expected.get_params())
        assert set(vars(found)) == set(vars(expected))
        for name in (name for name in vars(expected) if name.endswith("_")):
            assert_same(getattr(found, name), getattr(expected, name))
    elif issparse(expected):
        np.testing.assert_array_equal(found.toarray(), expected.toarray())
    elif isinstance(expected, tuple | list | dict):
        assert len(found) == len(expected)
        for one in range(len(expected)) if isinstance(expected, tuple | list) else expected:
            assert_same(found[one], expected[one])
    else:
        np.testing.assert_array_equal(found, expected)


def test_everything_comes_back(files):
    audit = saved(files, clusterings=("agglomerative", "dbscan"))
    back, suspicion = load_analysis(files)
    assert audit.clusters
    assert_same(back, audit)
    assert_same(suspicion, suspicion_of(audit))
    assert back.heatmaps.path == files.attribution
    assert stored_key(files.analysis) == stored_key(files.attribution)
    assert pickle.loads(pickle.dumps(back)).name == NAMES[0]


def test_a_class_without_clusters_control_split_and_target(files):
    add_maps(files, 0)
    audit = audit_of(files, 0, NAMES[0])
    one = audit.split == 0
    audit = dataclasses.replace(audit, clusters=(), control=None, target=None)
    save_analysis(files, audit, suspicion_of(audit), KEY)
    back, _ = load_analysis(files)
    assert (back.clusters, back.control, back.target) == ((), None, None)
    assert one.all()
    audit = dataclasses.replace(audit, split=None)
    save_analysis(files, audit, suspicion_of(audit), KEY)
    assert load_analysis(files)[0].split is None
    with h5py.File(files.analysis) as file:
        assert (file[f"{files.wordnet_id}/cluster/striking"][:] == 1).all()


def test_a_selection_in_another_order_has_its_own_heatmaps(files):
    maps, _, _ = add_maps(files, 0, precision="float32")
    audit = audit_of(files, 0, NAMES[0])
    rows = np.random.default_rng(0).permutation(40)
    audit = dataclasses.replace(
        audit, **{name: getattr(audit, name)[rows] for name in ("index", "split", "prediction", "rank", "target")}
    )
    save_analysis(files, audit, suspicion_of(audit), KEY)
    np.testing.assert_array_equal(load_analysis(files)[0].heatmaps[:], maps[rows])


def test_samples_without_stored_heatmaps_are_refused(files):
    add_maps(files, 0)
    audit = audit_of(files, 0, NAMES[0])
    audit = dataclasses.replace(audit, index=audit.index + 2)
    with pytest.raises(ValueError, match=r"holds samples whose heatmaps are not in .*attribution\.h5"):
        save_analysis(files, audit, suspicion_of(audit), KEY)
    assert not files.analysis.exists()


def test_virelay_finds_embeddings_with_eigenvalues_and_clusterings(files):
    audit = saved(files, projection="tsne", clusterings=("hdbscan",))
    with h5py.File(files.analysis) as file:
        assert list(file) == [files.wordnet_id]
        group = file[files.wordnet_id]
        np.testing.assert_array_equal(group["index"], np.arange(40))
        assert list(group["embedding"]) == ["tsne", "spectral"]
        shift = group["embedding/tsne"] - audit.spray.projection_
        np.testing.assert_allclose(shift - shift[0], 0, atol=1e-5)
        least, most = (side(group["embedding/tsne"][:], axis=0) for side in (np.min, np.max))
        np.testing.assert_allclose(least, -most, rtol=1e-4)
        np.testing.assert_allclose(group["embedding/spectral"], audit.spray.embedding_[:, ::-1], rtol=1e-6)
        for points in group["embedding"].values():
            np.testing.assert_allclose(
                points.attrs["eigenvalue"], audit.spray.eigenvalues_[::-1], rtol=1e-6, atol=1e-12
            )
        clusters = group["cluster"]
        assert list(clusters)[:4] == ["striking", "cut", "hdbscan", "k-means 02"]
        np.testing.assert_array_equal(clusters["striking"], 1 - audit.cluster.members)
        np.testing.assert_array_equal(clusters["hdbscan"], audit.spray.clusterings_["hdbscan"])
        np.testing.assert_array_equal(clusters["k-means 05"], audit.spray.labels_[3])


def test_names_are_the_same_in_a_small_class(files, tmp_path):
    saved(files)
    small = class_files(tmp_path, 2, "owl")
    add_maps(small, 2, n=16)
    audit = audit_of(small, 2, "owl")
    save_analysis(small, audit, suspicion_of(audit), KEY)
    assert audit.spray.n_clusters_.max() == 3
    with h5py.File(small.analysis) as file, h5py.File(files.analysis) as large:
        clusters = file["0002-owl/cluster"]
        assert list(clusters) == list(large[files.wordnet_id]["cluster"])
        assert (clusters["k-means 11"].attrs["k"], clusters["k-means 02"].attrs["k"]) == (3, 2)
        np.testing.assert_array_equal(clusters["k-means 11"], clusters["k-means 03"])


def test_without_a_projection_none_is_computed(files):
    saved(files, projection=None)
    with h5py.File(files.analysis) as file:
        assert list(file[files.wordnet_id]["embedding"]) == ["spectral"]


def test_a_cut_analysis_and_missing_heatmaps_are_named(files):
    with pytest.raises(FileNotFoundError, match=r"attribution\.h5"):
        load_analysis(files)
    saved(files)
    content = files.analysis.read_bytes()
    files.analysis.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedError, match=r"analysis\.h5 is damaged"):
        load_analysis(files)
    with pytest.raises(DamagedError, match=r"analysis\.h5 is damaged"):
        stored_key(files.analysis)
    files.analysis.unlink()
    assert stored_key(files.analysis) is None
