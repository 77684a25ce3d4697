"""A run's folder reads as one data set, wherever it lies."""

import json
import os
import shutil

import h5py
import numpy as np
import pytest
import yaml
from stored_class import KEY, NAMES, add_maps, audit_of

from unhans.spray import suspicion_of
from unhans.store import DamagedError
from unhans.store.virelay import class_files, open_maps, save_analysis, write_project


@pytest.fixture
def moved(run_folder, tmp_path, monkeypatch):
    """A copy of the run under another name, seen from elsewhere."""
    shutil.copytree(run_folder, tmp_path / "moved" / "here")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "moved" / "here"


def test_the_classes_follow_one_another_in_a_folder_that_was_moved(moved):
    cats, dogs = (open_maps(class_files(moved, label, NAMES[label])) for label in (0, 1))
    with h5py.File(moved / "dataset.h5") as file:
        np.testing.assert_array_equal(file["data"], np.concatenate([cats.images, dogs.images]))
        np.testing.assert_array_equal(file["label"], [0] * 40 + [1] * 16)
    with h5py.File(moved / "attribution.h5") as file:
        assert file["attribution"].shape == (56, 3, 6, 5)
        assert "index" not in file
        np.testing.assert_array_equal(file["prediction"], np.concatenate([cats.logits, dogs.logits]))
        np.testing.assert_allclose(np.abs(file["attribution"]).max((1, 2, 3)), 1)
        assert not file["attribution"][:, 1:].any()
        whole = file["attribution"][40:, 0]
        np.testing.assert_allclose(whole, dogs.maps[:] / np.abs(dogs.maps[:]).max((1, 2), keepdims=True), rtol=1e-6)
    with h5py.File(moved / "analysis.h5") as file:
        assert list(file) == ["0000-cat_dog", "n02105855"]
        np.testing.assert_array_equal(file["n02105855/index"], np.arange(40, 56))
        assert file["n02105855/cluster/k-means 02"].shape == (16,)
        assert file["0000-cat_dog/embedding/spectral"].shape == (40, 32)


def test_no_file_of_the_run_names_its_place(run_folder):
    for path in run_folder.rglob("*.*"):
        assert os.fsencode(run_folder) not in path.read_bytes()


def test_the_project_names_what_virelay_asks_for(run_folder):
    project = yaml.safe_load((run_folder / "project.yaml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], project["model"], project["dataset"]["name"]) == ("run 7", "small net", "three")
    assert project["attributions"] == {
        "attribution_method": "LRP ε",
        "attribution_strategy": "true_label",
        "sources": ["attribution.h5"],
    }
    assert project["analyses"] == [{"analysis_method": "SpRAy", "sources": ["analysis.h5"]}]
    assert (project["dataset"]["input_width"], project["dataset"]["input_height"]) == (10, 12)
    assert json.loads((run_folder / "label-map.json").read_text(encoding="utf-8")) == [
        {"index": 0, "word_net_id": "0000-cat_dog", "name": "cat/dog 猫"},
        {"index": 1, "word_net_id": "n02105855", "name": "n02105855"},
        {"index": 2, "word_net_id": "0002-owl", "name": "owl"},
    ]


def test_a_run_that_goes_on_is_written_anew(moved):
    files = class_files(moved, 2, NAMES[2])
    add_maps(files, 2, n=20)
    audit = audit_of(files, 2, NAMES[2])
    save_analysis(files, audit, suspicion_of(audit), KEY)
    write_project(moved, "run 7", "small net", NAMES, [2, 0], "LRP ε")
    with h5py.File(moved / "analysis.h5") as file:
        assert list(file) == ["0002-owl", "0000-cat_dog"]  # as listed
        np.testing.assert_array_equal(file["0000-cat_dog/index"], np.arange(20, 60))
    assert not list(moved.rglob("*.part"))


def test_nothing_is_written_without_a_class(tmp_path):
    write_project(tmp_path, "run", "net", NAMES, [], "LRP")
    assert not os.listdir(tmp_path)


def test_classes_of_other_shapes_missing_and_damaged_ones_are_named(moved):
    files = class_files(moved, 1, NAMES[1])
    with pytest.raises(FileNotFoundError, match=r"0002-owl.attribution\.h5"):
        write_project(moved, "run", "net", NAMES, [0, 2], "LRP")
    assert not (moved / "project.yaml").exists()  # the files it names may not fit together
    add_maps(files, 1, precision="float32")
    with pytest.raises(
        ValueError, match=r"n02105855.attribution\.h5 has .* float32, but .* float16: give classes of one"
    ):
        write_project(moved, "run", "net", NAMES, [0, 1], "LRP")
    files.dataset.write_bytes(b"")
    with pytest.raises(DamagedError, match=r"dataset\.h5"):
        write_project(moved, "run", "net", NAMES, [1], "LRP")
