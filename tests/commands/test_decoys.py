"""`analyze.py analysis=decoys`: tables against literal counts, its files, folders of sweeps, and what it refuses."""

from __future__ import annotations

import csv
from math import hypot
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from running import command

from unhans.artifacts import EdgePadding
from unhans.comparison import ELSEWHERE
from unhans.experiment.analyses.analyze_command import sweep_checkpoints
from unhans.experiment.decoys.decoy_runs import DecoyRun, decoy_tests
from unhans.experiment.run import build_data, build_network
from unhans.models import load_network
from unhans.stats import wilson
from unhans.terminal import ConfigurationError

TRAIN = (
    "train.py experiment=decoys data.max_per_class=40 data.max_per_class_val=12 data.image_size=16 logger=none "
    "data.classes=[1,3,7] model.width=8 trainer.max_epochs=4 optimizer.lr=0.01"
)
SWEEP = TRAIN.replace("train.py", "train.py -m")
ASK = "analyze.py analysis=decoys analysis.effect_samples=24"
CLASSES = ("1", "3", "7")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A sweep of two coverages and two seeds, a run without an artifact, and one with another target."""
    folder = tmp_path_factory.mktemp("decoys")
    assert command(folder, f"{SWEEP} artifact.coverage=0,1 seed=0,1 hydra.sweep.dir=sweep") == 0
    assert command(folder, f"{TRAIN} artifact=none out=clean") == 0
    assert command(folder, f"{TRAIN} artifact.target='7' trainer.max_epochs=1 out=seven") == 0
    return folder


def ckpts(*names):
    return "ckpts=[{}]".format(",".join(f"{name}/checkpoints/last.ckpt" for name in names))


@pytest.fixture(scope="module")
def studied(runs):
    assert command(runs, f"{ASK} ckpts=sweep out=out logger=csv") == 0
    return runs / "out"


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def literal(folder):
    """Predictions of every validation image, one at a time: (without, with the artifact of its own place), labels."""
    cfg = OmegaConf.load(folder / "config.yaml")
    data = build_data(cfg)
    network = load_network(build_network(cfg, data), data.classes, folder / "checkpoints" / "last.ckpt").eval()
    images, found = data.val_set, []
    for index in range(len(images)):
        plain = images.clean(index)
        pair = [images._normalise(each) for each in (plain, images.artifact.paste(plain, index))]
        with torch.no_grad():
            found.append([data.classes[int(network(each[None])[0].argmax())] for each in pair])
    return np.array(found), np.array([data.classes[label] for label in images.labels])


def test_every_number_is_a_literal_count(runs, studied):
    """Every class's accuracy without and with the decoy, and how many are called the target, of one run."""
    predicted, truth = literal(runs / "sweep" / "2")
    rows = {row["class"]: row for row in table(studied / "decoys.csv") if row["models"] == "2"}
    means = []
    for name in CLASSES:
        own = predicted[truth == name]
        hits = {"accuracy_without": own[:, 0] == name, "accuracy_with": own[:, 1] == name}
        hits["called_target"] = own[:, 1] == "3"
        for column, right in hits.items():
            low, high = wilson(int(right.sum()), len(right))
            read = [float(rows[name][key]) for key in (column, f"{column}_low", f"{column}_high")]
            assert read == pytest.approx([right.mean(), low, high])
        assert int(rows[name]["n"]) == len(own) == 12
        if name != "3":
            means.append((hits["called_target"].mean(), *wilson(int(hits["called_target"].sum()), len(own))))
    mean = np.mean([share for share, _, _ in means])
    ends = [mean - hypot(*(p - low for p, low, _ in means)) / 2, mean + hypot(*(high - p for p, _, high in means)) / 2]
    other = rows[ELSEWHERE]
    assert float(other["called_target"]) == pytest.approx(mean)
    assert [float(other["called_target_low"]), float(other["called_target_high"])] == pytest.approx(
        np.clip(ends, 0, 1).tolist()
    )


def test_seeds_are_joined(runs, studied):
    rows = table(studied / "decoys.csv")
    joined = {(row["coverage"], row["class"]): row for row in rows if row["seeds"] == "2"}
    assert {row["models"] for row in joined.values()} == {"0 1", "2 3"}
    both = [literal(runs / "sweep" / name) for name in "23"]
    shares = [(found[truth == "3", 0] == "3").mean() for found, truth in both]
    assert float(joined["1.0", "3"]["accuracy_without"]) == pytest.approx(np.mean(shares))
    assert len({row["models"] for row in rows}) == 6, "each seed by itself as well"


def test_confusion_matrices_are_literal_counts(runs, studied):
    counts = {
        (row["models"], row["images"], row["true"], row["predicted"]): int(row["count"])
        for row in table(studied / "confusion.csv")
    }
    found = [literal(runs / "sweep" / name) for name in "23"]
    for images, column_of in (("decoy on every image", lambda t: 1), ("as trained", lambda t: int(t == "3"))):
        for true in CLASSES:  # at coverage 1 all of the target's images carry it
            for guess in CLASSES:
                wanted = sum(int((p[t == true, column_of(true)] == guess).sum()) for p, t in found)
                assert counts["2 3", images, true, guess] == wanted
    assert all(count == 0 for (*_, guess), count in counts.items() if guess == "another class")


def test_everything_is_written(studied):
    names = {path.relative_to(studied).as_posix() for path in studied.rglob("*") if path.is_file()}
    assert names >= {
        "report.html", "config.yaml", "decoys.csv", "dose_response.csv", "confusion.csv", "dose_response.png",
        "confusion.png", "models/0000-0.json", "models/0003-3.json",
    }  # fmt: skip
    page = (studied / "report.html").read_text()
    assert "the smallest coverage" in page or "at no coverage" in page
    assert "All trainings see the same 36 validation images of 3 classes." in page
    measures = {(row["measure"], row["on"]) for row in table(studied / "dose_response.csv")}
    assert {on for measure, on in measures if measure == "decoy only called target"} == {
        "blurred images", "mean image", "noise", "other classes",
    }  # fmt: skip


def test_the_decoy_on_classes_that_no_network_knows_is_a_literal_count(runs, studied):
    """data.classes=[1,3,7] leaves seven digits out: 100 of their validation images, with the decoy and without."""
    folder = runs / "sweep" / "2"
    cfg = OmegaConf.load(folder / "config.yaml")
    artifact, known = build_data(cfg).artifact, build_data(cfg).classes
    cfg.data.classes = None
    cfg.artifact = None
    data = build_data(cfg)
    network = load_network(build_network(OmegaConf.load(folder / "config.yaml"), SimpleNamespace(num_classes=3)), known,
                           folder / "checkpoints" / "last.ckpt").eval()  # fmt: skip
    rows = {row["measure"]: row for row in table(studied / "dose_response.csv")
            if row["models"] == "2" and row["on"] == "other classes"}  # fmt: skip
    images = data.val_set
    index = [i for i in range(len(images)) if data.classes[images.labels[i]] not in known]
    assert len(index) == 84 < 100, "all of them: fewer than a hundred"
    for measure, change in (
        ("decoy only called target", artifact.paste),
        ("called target without decoy", lambda x, i: x),
    ):
        with torch.no_grad():
            seen = [network(images._normalise(change(images.clean(i), i))[None])[0].argmax() for i in index]
        assert float(rows[measure]["value"]) == pytest.approx(
            np.mean([known[int(each)] == "3" for each in seen]), abs=0.02
        )
        assert int(rows[measure]["n"]) in (83, 84), "images that are the same count once"


def test_copied_borders_are_refused_as_they_are_no_picture(runs):
    run = DecoyRun("pads", None, SimpleNamespace(artifact=EdgePadding("3")), {}, {})
    with pytest.raises(ConfigurationError, match="'pads' are made of each image's own pixels; analysis=squaring"):
        decoy_tests([run])


def test_what_was_asked_is_taken_again(runs, studied, capsys):
    kept = {path: path.stat().st_mtime_ns for path in (studied / "models").iterdir()}
    assert command(runs, f"{ASK} ckpts=sweep out=out") == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "Measured again" not in capsys.readouterr().out
    assert command(runs, f"{ASK} ckpts=sweep out=out analysis.effect_samples=20") == 0
    assert "samples was 24, now 20" in " ".join(capsys.readouterr().out.split())


def test_a_run_without_an_artifact_is_coverage_0_and_real_images_may_be_given(runs):
    (runs / "only").mkdir()
    for number in range(3):
        Image.new("RGB", (20, 30), (90 * number, 0, 255)).save(runs / "only" / f"{number}.png")
    line = f"{ASK} {ckpts('clean', 'sweep/2')} out=real analysis.decoy_only=only"
    assert command(runs, line) == 0
    rows = table(runs / "real" / "dose_response.csv")
    assert {row["models"]: row["coverage"] for row in rows} == {"clean": "0.0", "2": "1.0"}
    alone = [row for row in rows if row["measure"] == "decoy only called target"]
    assert [(row["on"], row["n"]) for row in alone if row["on"] == "real images"] == [("real images", "3")] * 2
    assert {row["on"] for row in alone} == {"real images", "other classes"}


def test_runs_of_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10", "9", "2_b", "2_a", "x"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "checkpoints" / "last.ckpt").touch()
    (tmp_path / "jobs").mkdir()
    names = [path.split("/")[-3] for path in sweep_checkpoints(str(tmp_path))]
    assert names == ["2_a", "2_b", "9", "10", "x"]
    with pytest.raises(ConfigurationError, match="or a folder of runs with"):
        sweep_checkpoints(str(tmp_path / "jobs"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "this analysis takes ckpts=[a,b,…], or ckpts=FOLDER of their runs; got none."),
        ("ckpts=nowhere", "ckpts expects a list, or a folder of runs with */checkpoints/last.ckpt"),
        (ckpts("sweep/2", "seven"), "expects trainings with one target, got '3' in '2' and '7' in 'seven'"),
        (ckpts("clean"), "at least one training with a planted artifact"),
        (ckpts("clean", "sweep/2") + " analysis.decoy_only=none", "expects a folder with images, got none"),
    ],
)
def test_bad_input_is_one_sentence(runs, capsys, arguments, message):
    assert command(runs, f"{ASK} {arguments} out=bad") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "Traceback" not in said
