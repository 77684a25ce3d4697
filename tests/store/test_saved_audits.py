"""An audit comes back as it was."""

import dataclasses
import math

import h5py
import numpy as np
import pytest
from scipy.sparse import issparse

from unhans.spray import ClassAudit, Cluster, SpRAy
from unhans.store.virelay import load_audit, save_audit


@pytest.fixture(scope="module")
def audit():
    random = np.random.default_rng(0)
    maps = random.normal(size=(40, 6, 5)).astype(np.float32) * 10.0 ** random.integers(-20, 20, (40, 1, 1))
    maps = maps.astype(np.float32)
    maps[7] = 0
    spray = SpRAy(n_clusters=range(2, 6), normalisation="max", projection=None).fit(maps[:, ::2])
    spray.projection_ = random.normal(size=(40, 2))
    control = SpRAy(n_clusters=[2], n_neighbors=5, projection=None).fit(random.normal(size=(40, 7)))
    return ClassAudit(
        label=3,
        name="a/b 猫",
        index=np.arange(100, 140),
        heatmaps=maps,
        prediction=random.integers(0, 9, 40),
        rank=random.integers(0, 9, 40),
        spray=spray,
        control=control,
        clusters=(
            Cluster("kmeans", 3, 1, spray.labels_[1] == 1, 0.123456789, 0.1, 0.2, 0.3, math.nan, 0.5),
            Cluster("cut", 2, 0, spray.labels_[0] == 1, 0.0, 0.0, 1.0, 0.1, 0.2, 0.3),
        ),
        split=random.integers(0, 2, 40).astype(np.uint8),
        target=random.integers(0, 9, 40),
    )


def assert_same_spray(left, right):
    fitted = {name for name in vars(left) if name.endswith("_")}
    assert fitted == {name for name in vars(right) if name.endswith("_")}
    for name in fitted:
        ours, theirs = getattr(left, name), getattr(right, name)
        if issparse(ours):
            ours, theirs = ours.toarray(), theirs.toarray()
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
        assert isinstance(theirs, type(ours)), name


def test_every_array_and_number_comes_back(audit, tmp_path):
    save_audit(tmp_path / "a.h5", audit, precision="float32")
    found = load_audit(tmp_path / "a.h5")
    assert (found.label, found.name) == (3, "a/b 猫")
    for name in ("index", "heatmaps", "prediction", "rank", "split", "target"):
        np.testing.assert_array_equal(getattr(found, name), getattr(audit, name))
        assert getattr(found, name).dtype == getattr(audit, name).dtype
    assert len(found.clusters) == 2
    for theirs, ours in zip(found.clusters, audit.clusters, strict=True):
        np.testing.assert_equal(dataclasses.asdict(theirs), dataclasses.asdict(ours))
        assert theirs.members.dtype == bool
    assert_same_spray(audit.spray, found.spray)
    assert_same_spray(audit.control, found.control)


def test_the_estimator_comes_back_with_its_parameters_and_fits_again(audit, tmp_path):
    save_audit(tmp_path / "a.h5", audit)
    found = load_audit(tmp_path / "a.h5")
    expected = audit.spray.get_params() | {"n_clusters": [2, 3, 4, 5], "clusterings": []}
    assert found.spray.get_params() == expected
    again = found.spray.fit(audit.heatmaps[:, ::2])
    np.testing.assert_array_equal(again.labels_, audit.spray.labels_)


def test_half_precision_keeps_each_value_whatever_the_size_of_its_map(audit, tmp_path):
    save_audit(tmp_path / "a.h5", audit)
    found = load_audit(tmp_path / "a.h5").heatmaps
    for ours, theirs in zip(audit.heatmaps, found, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=2**-10, atol=2**-24 * np.abs(ours).max())
    assert not found[7].any()
    assert np.abs(audit.heatmaps).max() > 1e10  # float16 itself ends at 65504


def test_a_class_without_cluster_control_or_map_is_kept(audit, tmp_path):
    spray = SpRAy(n_clusters=[2], projection=None).fit(audit.heatmaps[:, ::2])
    bare = ClassAudit(3, "3", audit.index, audit.heatmaps, audit.prediction, audit.rank, spray, None, ())
    save_audit(tmp_path / "a.h5", bare)
    found = load_audit(tmp_path / "a.h5")
    assert found.clusters == ()
    assert found.control is found.split is found.target is None
    assert found.spray.projection_ is None


def test_other_clusterings_come_back(audit, tmp_path):
    spray = SpRAy(n_clusters=[2], projection=None).fit(audit.heatmaps[:, ::2])
    spray.clusterings_ = {"dbscan": np.arange(40) % 3 - 1, "agglomerative": np.arange(40) % 2}
    save_audit(tmp_path / "a.h5", dataclasses.replace(audit, spray=spray))
    found = load_audit(tmp_path / "a.h5").spray.clusterings_
    np.testing.assert_equal(found, spray.clusterings_)


def test_heatmaps_may_lie_on_disk(audit, tmp_path):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["maps"] = audit.heatmaps
        save_audit(tmp_path / "a.h5", dataclasses.replace(audit, heatmaps=file["maps"]), precision="float32")
    np.testing.assert_array_equal(load_audit(tmp_path / "a.h5").heatmaps, audit.heatmaps)


def test_a_file_of_another_version_says_so(audit, tmp_path):
    save_audit(tmp_path / "a.h5", audit)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["format"] = 9
    with pytest.raises(ValueError, match=r"a\.h5 was written by a newer version of unhans \(format 9; this is 1\)"):
        load_audit(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file.attrs["creator"]  # as earlier versions wrote it
        file.attrs["format"] = "unhans class audit 2"
    with pytest.raises(ValueError, match=r"a\.h5 was not written by unhans, or by an older version of it"):
        load_audit(tmp_path / "a.h5")


def test_a_metric_that_is_a_function_comes_back_as_its_name(audit, tmp_path):
    def cityblock(maps):
        flat = maps.reshape(len(maps), -1).astype(float)
        return np.abs(flat[:, None] - flat[None]).sum(-1)

    spray = SpRAy(metric=cityblock, n_clusters=[2], projection=None).fit(np.random.default_rng(0).normal(size=(40, 3)))
    save_audit(
        tmp_path / "a.h5",
        ClassAudit(0, "0", audit.index, audit.heatmaps, audit.prediction, audit.rank, spray, None, ()),
    )
    assert load_audit(tmp_path / "a.h5").spray.metric == "cityblock"


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_half_written_file_is_refused_in_one_sentence(audit, tmp_path, share):
    save_audit(tmp_path / "a.h5", audit)
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"a\.h5 is damaged") as caught:
        load_audit(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "a.h5").write_text("something else")
    with pytest.raises(ValueError, match="is damaged"):
        load_audit(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["data"] = [1, 2, 3]
    with pytest.raises(ValueError, match="was not written by unhans"):
        load_audit(tmp_path / "b.h5")


@pytest.mark.parametrize("part", ["heatmaps", "spray", "spray/eigenvalues_", "clusters", "clusters/members"])
def test_a_file_in_which_something_is_missing_is_refused(audit, tmp_path, part):
    save_audit(tmp_path / "a.h5", audit)
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file[part]
    with pytest.raises(ValueError, match="is damaged"):
        load_audit(tmp_path / "a.h5")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_audit(tmp_path / "a.h5")
