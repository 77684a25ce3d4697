"""`analyze.py analysis=spray`: what it writes, that it goes on where it stopped, and what it says of bad input."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from running import RANDOM, command, photographs

from unhans.experiment.survey import worker as class_job
from unhans.experiment.survey.explanation import other_images
from unhans.spray.groups import ImageDescriptors
from unhans.store import atomic
from unhans.store.virelay import class_files, load_analysis, open_maps

ROOT = Path(__file__).parents[2]
DIGITS = f"data=digits artifact=none {RANDOM} data.classes=[1,2,3] samples_per_class=14"
SMALL = f"analyze.py {DIGITS} parallel.n_jobs=1 spray.projection=null device=cpu"
CLASSES = ("0000-1", "0001-2", "0002-3")


def rows(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(path):
    """What a file says: of HDF5 every value and attribute, of findings all but the seconds, of others the bytes."""
    if path.name == "finding.json":
        found = json.loads(path.read_bytes())
        return found | {"finding": found["finding"] | {"seconds": None}}
    if path.suffix != ".h5":
        return path.read_bytes()
    found = {}

    def note(name, node):
        attributes = {key: np.asarray(value).tolist() for key, value in node.attrs.items()}
        values = node[()] if isinstance(node, h5py.Dataset) else None
        found[name] = (attributes, values.tolist() if isinstance(values, np.ndarray) else values)

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def results(out):
    """Everything that a run wrote into its folder, by file, but for the configuration, which names the folder."""
    names = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    told = ("config.yaml", ".lock", "project.yaml")
    return {str(name): content(out / name) for name in names if name.name not in told}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert command(folder, f"{SMALL} out={folder / 'out'}") == 0
    return folder / "out"


@pytest.fixture
def again(whole, tmp_path):
    """A copy of that run, to go on with."""
    return Path(shutil.copytree(whole, tmp_path / "out", copy_function=shutil.copy2))


def test_the_folder_holds_what_the_readme_says(whole):
    names = {path.name for path in whole.iterdir()} - {".lock"}
    assert names == {
        "analysis.h5", "attribution.h5", "classes", "clusters.csv", "config.yaml", "dataset.h5", "label-map.json",
        "project.yaml", "ranking.csv", "ranking.png", "reference.npz", "report.html", "separability.csv",
        "separability.png", "suspects.csv",
    }  # fmt: skip
    assert sorted(path.name for path in (whole / "classes").iterdir()) == list(CLASSES)
    each = {path.name for path in (whole / "classes" / CLASSES[0]).iterdir()}
    assert each == {
        "attribution.h5", "dataset.h5", "analysis.h5", "page.jpg", "strip.jpg", "report.zlib", "finding.json"
    }  # fmt: skip
    assert {row["name"] for row in rows(whole / "ranking.csv")} == {"1", "2", "3"}
    assert {row["class"] for row in rows(whole / "clusters.csv")} <= {"1", "2", "3"}


def test_the_relevance_of_layers_is_stored_with_the_maps(whole):
    stored = open_maps(class_files(whole, 0, "1"))
    assert list(stored.latent) == stored.key["attribution"]["latent"]
    assert stored.latent
    for pooled in stored.latent.values():
        assert pooled.shape[:2] == (len(stored), 2)
        assert np.isfinite(pooled[:]).all()
        assert np.ptp(pooled[:], axis=0).any()


def test_the_reference_holds_images_of_all_classes(whole, again, tmp_path):
    with np.load(whole / "reference.npz") as stored:
        images, labels = stored["images"], stored["labels"]
    assert (images.shape, images.dtype) == ((300, 3, 48, 48), np.uint8)
    assert np.bincount(labels).tolist() == [100, 100, 100]
    others = other_images(whole / "reference.npz", 1)
    assert len(others) == 200
    expected = ImageDescriptors.of(images[labels != 1].astype(np.float32) / 255)
    np.testing.assert_array_equal(others.gradients, expected.gradients)


def test_maps_without_the_relevance_of_layers_are_computed_again(again, tmp_path, capsys):
    for path in again.glob("classes/*/finding.json"):
        found = json.loads(path.read_text())
        del found["key"]["attribution"]["latent"]
        path.write_text(json.dumps(found))
    assert command(tmp_path, f"{SMALL} out={again}") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "attribution.latent was absent, now" in said
    assert "there already" not in said


def test_groups_of_several_views_are_stored_as_candidates(whole):
    audits = [load_analysis(class_files(whole, label, name))[0] for label, name in enumerate("123")]
    assert all(audit.candidates for audit in audits)
    assert len({cluster.view for audit in audits for cluster in audit.candidates}) > 2


def test_tables_say_what_the_ranking_of_all_classes_says(whole):
    suspicious = {row["name"]: row["suspicious"] for row in rows(whole / "ranking.csv")}
    assert {row["class"] for row in rows(whole / "suspects.csv")} == {
        name for name, yes in suspicious.items() if yes == "True"
    }
    assert all(row["suspicious_class"] == suspicious[row["class"]] for row in rows(whole / "clusters.csv"))


def test_the_run_leaves_no_empty_folder(whole):
    assert not list(whole.parent.glob("outputs/*"))


def test_nothing_is_done_again_when_all_is_finished(again, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in (again / "classes").rglob("*")}
    assert command(tmp_path, f"{SMALL} out={again}") == 0
    assert "3 of 3 classes were finished before" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (again / "classes").rglob("*")} == before


class Killed(BaseException):
    """What no `except Exception` catches."""


SLOW = pytest.mark.slow


@pytest.mark.parametrize("writes", [*(pytest.param(each, marks=SLOW) for each in (1, 4, 9, 12, 20)), 24])
def test_a_run_that_ends_at_any_write_goes_on_to_the_same_files(writes, whole, tmp_path, monkeypatch):
    out, replace, left = tmp_path / "out", os.replace, [writes]

    def stop(*paths):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        replace(*paths)

    monkeypatch.setattr(atomic.os, "replace", stop)
    with pytest.raises(Killed):
        command(tmp_path, f"{SMALL} out={out}")
    monkeypatch.undo()
    assert command(tmp_path, f"{SMALL} out={out}") == 0
    assert results(out) == results(whole)


@pytest.mark.slow  # a process of its own; the same in this process above, a killed process in store/test_replacing
def test_a_killed_run_goes_on_to_the_same_files(whole, tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, ROOT / "analyze.py", *SMALL.split()[1:], f"out={out}"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (out / "classes" / CLASSES[0] / "finding.json").is_file():
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert command(tmp_path, f"{SMALL} out={out}") == 0
    assert results(out) == results(whole)
    assert not list(out.rglob("*.part"))


def test_other_clustering_keeps_the_heatmaps(again, tmp_path, capsys):
    maps = {path: path.stat().st_mtime_ns for path in again.glob("classes/*/attribution.h5")}
    assert command(tmp_path, f"{SMALL} out={again} spray.n_neighbors=8") == 0
    said = capsys.readouterr().out
    assert "Heatmaps that are there already (3 of 3 classes) are clustered only" in said
    assert "spray.n_neighbors was 10, now 8" in said
    assert {path: path.stat().st_mtime_ns for path in again.glob("classes/*/attribution.h5")} == maps


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            "attribution.composite=epsilon", "attribution.composite was epsilon_plus_flat, now epsilon", marks=SLOW
        ),
        ("seed=1", "model.weights has changed"),
        pytest.param("data.image_size=40", "data.content has changed", marks=SLOW),
        pytest.param("split=val", "data.split was train, now val", marks=SLOW),
        pytest.param("analysis.target=predicted", "target was label, now predicted", marks=SLOW),
    ],
)
def test_other_heatmaps_are_computed_again_and_it_says_why(change, reason, again, tmp_path, capsys):
    before = content(again / "classes" / CLASSES[0] / "attribution.h5")
    assert command(tmp_path, f"{SMALL} out={again} {change}") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert reason in said
    assert "there already" not in said
    assert content(again / "classes" / CLASSES[0] / "attribution.h5") != before


@pytest.mark.parametrize("name", [pytest.param("attribution.h5", marks=SLOW), "dataset.h5", "analysis.h5"])
def test_a_file_cut_in_half_is_made_again(name, again, whole, tmp_path, capsys):
    path = again / "classes" / CLASSES[1] / name
    os.truncate(path, path.stat().st_size // 2)
    assert command(tmp_path, f"{SMALL} out={again}") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 of 3 classes were finished before" in said
    assert "is damaged" in said
    assert results(again) == results(whole)


def test_a_file_of_a_newer_version_is_refused(again, tmp_path, capsys):
    path = again / "classes" / CLASSES[1] / "finding.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    assert command(tmp_path, f"{SMALL} out={again}") == 1
    assert "was written by a newer version of unhans (format 99; this is 3)" in capsys.readouterr().err


def test_a_class_of_an_older_version_is_clustered_again(again, whole, tmp_path, capsys):
    path = again / "classes" / CLASSES[1] / "finding.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    assert command(tmp_path, f"{SMALL} out={again}") == 0
    assert "Heatmaps that are there already (1 of 3 classes) are clustered only." in capsys.readouterr().out
    assert results(again) == results(whole)


def test_a_foreign_file_in_the_place_of_ours_is_refused(again, tmp_path, capsys):
    folder = again / "classes" / CLASSES[1]
    (folder / "finding.json").unlink()
    with h5py.File(folder / "attribution.h5", "w") as file:
        file["somebody's"] = 1
    assert command(tmp_path, f"{SMALL} out={again}") == 1
    assert "was not written by unhans" in capsys.readouterr().err


def test_two_runs_never_share_a_folder(again, tmp_path, capsys):
    code = f"from unhans.store import held\nwith held({str(again)!r}):\n    print('held', flush=True)\n    input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        assert command(tmp_path, f"{SMALL} out={again}") == 1
        other.communicate(b"\n")
    assert f"is in use by another run (process {other.pid}" in capsys.readouterr().err
    assert command(tmp_path, f"{SMALL} out={again}") == 0


def test_a_full_disk_loses_nothing(whole, tmp_path, monkeypatch, capsys):
    out, flush = tmp_path / "out", atomic._flush

    def full(path):
        if len(list(out.glob("classes/*/finding.json"))) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        flush(path)

    monkeypatch.setattr(atomic, "_flush", full)
    assert command(tmp_path, f"{SMALL} out={out}") == 1
    monkeypatch.undo()
    assert "No space left on device" in capsys.readouterr().err
    assert len(list(out.glob("classes/*/finding.json"))) == 2
    assert command(tmp_path, f"{SMALL} out={out}") == 0
    assert "2 of 3 classes were finished before" in capsys.readouterr().out
    assert results(out) == results(whole)


def test_the_union_marks_every_sample(tmp_path):
    text = SMALL.replace("samples_per_class=14", "samples_per_class=40") + " split=union data.max_per_class=30"
    assert command(tmp_path, f"{text} data.max_per_class_val=20 out={tmp_path / 'out'}") == 0
    stored = open_maps(class_files(tmp_path / "out", 0, "1"))
    assert set(stored.split) == {0, 1}
    for split in (0, 1):
        own = stored.index[stored.split == split]
        assert len(np.unique(own)) == len(own)
    assert len(stored.index) == len(set(stored.paths)) == 40


def test_classes_are_chosen_by_name(again, tmp_path, capsys):
    out = tmp_path / "chosen"
    assert command(tmp_path, f"{SMALL} out={out} analysis.classes=[3]") == 0
    assert [row["name"] for row in rows(out / "ranking.csv")] == ["3"]
    assert command(tmp_path, f"{SMALL} out={out} analysis.classes=[4]") == 1
    assert "classes names no class" in capsys.readouterr().err


def test_a_layer_of_features_is_clustered(tmp_path):
    assert command(tmp_path, f"{SMALL} attribution.layer=features.1 out={tmp_path / 'out'}") == 0
    with h5py.File(tmp_path / "out" / "classes" / CLASSES[0] / "attribution.h5") as file:
        assert file["attribution"].shape[2] < 64


def test_names_with_slashes_or_other_letters(tmp_path):
    names = ("Кошка", "a b, c")
    photographs(tmp_path / "photos", names)
    text = f"data=image_folder data.root=photos data.image_size=48 {RANDOM} spray.projection=null"
    assert command(tmp_path, f"analyze.py {text} parallel.n_jobs=1 out=out") == 0
    assert {row["name"] for row in rows(tmp_path / "out" / "ranking.csv")} == set(names)


def test_a_class_that_is_too_small_is_named_and_the_others_go_on(tmp_path, capsys):
    photographs(tmp_path / "photos")
    for path in sorted((tmp_path / "photos" / "train" / "cat").iterdir())[10:]:
        path.unlink()
    text = f"analyze.py data=image_folder data.root=photos data.image_size=48 {RANDOM} spray.projection=null"
    assert command(tmp_path, f"{text} parallel.n_jobs=1 out=out") == 0
    assert "'cat': it has 10 samples; SpRAy expects more than n_neighbors=10" in " ".join(
        capsys.readouterr().out.split()
    )
    assert [row["name"] for row in rows(tmp_path / "out" / "ranking.csv")] == ["dog"]


def test_identical_images_are_named(tmp_path, capsys):
    photographs(tmp_path / "photos")
    folder = tmp_path / "photos" / "train" / "cat"
    for path in folder.iterdir():
        path.write_bytes((folder / "0.png").read_bytes())
    text = f"analyze.py data=image_folder data.root=photos data.image_size=48 {RANDOM} spray.projection=null"
    assert command(tmp_path, f"{text} parallel.n_jobs=1 out=out") == 0
    assert "are identical" in " ".join(capsys.readouterr().out.split())


def test_an_error_in_one_class_is_told_with_its_trace_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    """It is no finding: the next run tries again."""
    photographs(tmp_path / "photos")
    text = f"data=image_folder data.root=photos data.image_size=48 {RANDOM} spray.projection=null"
    whole = class_job._write

    def broken(job, *rest):
        if job.name == "cat":
            raise TypeError("a figure went wrong")
        return whole(job, *rest)

    monkeypatch.setattr(class_job, "_write", broken)
    assert command(tmp_path, f"analyze.py {text} parallel.n_jobs=1 out=out") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "'cat': it failed (TypeError: a figure went wrong)" in printed
    assert "in broken" in printed
    assert [row["name"] for row in rows(tmp_path / "out" / "ranking.csv")] == ["dog"]
    monkeypatch.undo()
    assert command(tmp_path, f"analyze.py {text} parallel.n_jobs=1 out=out") == 0
    assert {row["name"] for row in rows(tmp_path / "out" / "ranking.csv")} == {"cat", "dog"}


def test_a_class_whose_files_could_not_be_read_is_tried_again(tmp_path, capsys):
    """As a network drive that was away for a while: names, sizes and times are as before."""
    photographs(tmp_path / "photos")
    files = sorted((tmp_path / "photos" / "train" / "cat").iterdir())
    kept = {path: (path.read_bytes(), path.stat()) for path in files}

    def write(contents):
        for path, (own, stat) in kept.items():
            path.write_bytes(contents(own))
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    text = f"data=image_folder data.root=photos data.image_size=48 {RANDOM} spray.projection=null"
    write(lambda own: own[:60] + bytes(len(own) - 60))  # the header is whole: only reading fails
    assert command(tmp_path, f"analyze.py {text} parallel.n_jobs=1 out=out") == 0
    assert "'cat': none of its images could be read" in " ".join(capsys.readouterr().out.split())
    write(lambda own: own)
    assert command(tmp_path, f"analyze.py {text} parallel.n_jobs=1 out=out") == 0
    assert {row["name"] for row in rows(tmp_path / "out" / "ranking.csv")} == {"cat", "dog"}


def test_wandb_gets_the_ranking_with_thumbnails(again, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path))  # where pictures of tables wait for their upload
    assert command(tmp_path, f"{SMALL} out={again} logger=wandb") == 0
    (folder,) = again.glob("wandb/offline-run-*/files")
    tables = {path.name.split("_")[0]: json.loads(path.read_text()) for path in folder.rglob("*.table.json")}
    assert tables["ranking"]["columns"][-1] == "striking cluster"
    assert [row[1] for row in tables["ranking"]["data"]] == [row["name"] for row in rows(again / "ranking.csv")]
    assert {row[-1] for row in tables["ranking"]["data"]} == {"Image"}
    assert len(list(tmp_path.glob("artifacts/staging/*"))) >= len(rows(again / "ranking.csv"))
    assert len(tables["clusters"]["data"]) == len(rows(again / "clusters.csv"))


def test_a_survey_in_this_process_leaves_its_priority_alone(tmp_path):
    before = os.nice(0)
    assert command(tmp_path, f"{SMALL} out={tmp_path / 'out'} analysis.classes=[3]") == 0
    assert os.nice(0) == before


def test_a_refused_run_changes_nothing_in_the_folder(again, tmp_path, capsys):
    before = (again / "config.yaml").read_bytes()
    assert command(tmp_path, f"{SMALL} out={again} spray.metric=manhattan") == 1
    assert command(tmp_path, f"{SMALL} out={again} analysis.classes=[9]") == 1
    assert command(tmp_path, f"{SMALL} out={again} attribution.layer=features.99") == 1
    said = capsys.readouterr()
    assert len([line for line in said.err.splitlines() if line.startswith("error: ")]) == 3
    assert "not ranked" not in said.out
    assert (again / "config.yaml").read_bytes() == before


def test_the_folder_of_a_training_run_is_refused(tmp_path, capsys):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "file").touch()
    assert command(tmp_path, f"{SMALL} out=run") == 1
    assert "out=run is the folder of a training run" in capsys.readouterr().err
    assert command(tmp_path, f"{SMALL} out=file/below") == 1
    assert "out expects a folder, but file is a file" in capsys.readouterr().err


def test_equal_reasons_are_said_once_and_small_classes_are_named(tmp_path, capsys):
    text = SMALL.replace("samples_per_class=14", "samples_per_class=5")
    assert command(tmp_path, f"{text} out={tmp_path / 'out'}") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("it has 5 samples") == 2
    assert "2 more of 3 classes" in said


def test_classes_that_the_ranking_lacks_are_counted(again, tmp_path, capsys):
    assert command(tmp_path, f"{SMALL} out={again} analysis.classes=[3]") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 more classes lie in" in said
    assert "1 of 1 classes have fewer than 50 samples" in said
