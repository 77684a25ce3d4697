"""The commands as a user meets them: what they write, what they print, what they say when something is wrong."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from running import command, only_run, photographs
from torchvision import models

from unhans.experiment.run import saved_config

ROOT = Path(__file__).parents[2]
FAST = "debug=fast trainer.max_epochs=1 spray.projection=null"
QUICK = "samples_per_class=16 spray.projection=null parallel.n_jobs=1"
UNTESTED = f"{FAST} callbacks.spray_audit.verify=false callbacks.spray_audit.pages=0"  # where effects do not matter


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small run of the default experiment."""
    folder = tmp_path_factory.mktemp("finished")
    assert command(folder, f"train.py {FAST} data.image_size=32 logger=csv") == 0
    return only_run(folder)


def test_the_run_folder_holds_everything(finished):
    names = {path.name for path in finished.iterdir()}
    assert {"audit", "evolution", "checkpoints", "config.yaml", "results.json", "csv"} <= names
    assert {"last.ckpt"} <= {path.name for path in (finished / "checkpoints").iterdir()}
    ranking = rows(finished / "audit" / "epoch_000" / "ranking.csv")
    assert [row["name"] for row in ranking if row["label"] == "3"] == ["3"]
    assert len(ranking) == 10
    numbers = json.loads((finished / "results.json").read_text())
    assert {"planted/rank", "planted/precision", "planted/recall", "planted/flipped", "val/accuracy"} <= set(numbers)


def test_the_analysis_of_a_checkpoint_finds_its_configuration(finished, tmp_path, capsys):
    checkpoint = finished / "checkpoints" / "last.ckpt"
    assert command(tmp_path, f"analyze.py ckpt={checkpoint} {QUICK} analysis.classes=[1,2,3]") == 0
    out = only_run(tmp_path)
    assert len(rows(out / "ranking.csv")) == 3
    assert len(list(out.glob("classes/*/page.jpg"))) == 3
    assert "Classes by suspicion" in capsys.readouterr().out


def test_the_analysis_of_a_model_and_data(tmp_path):
    photographs(tmp_path / "photos")
    text = "analyze.py data=image_folder data.root=photos data.image_size=48 model=small_cnn untrained=true"
    assert command(tmp_path, f"{text} spray.projection=null parallel.n_jobs=1") == 0
    assert {row["name"] for row in rows(only_run(tmp_path) / "ranking.csv")} == {"cat", "dog"}


def test_what_is_given_to_the_analysis_goes_before_the_run(finished, tmp_path):
    checkpoint = finished / "checkpoints" / "last.ckpt"
    text = f"analyze.py ckpt={checkpoint} +data.max_per_class=13 analysis.control=false spray.projection=null"
    assert command(tmp_path, f"{text} parallel.n_jobs=1 analysis.classes=[1,3]") == 0
    found = rows(only_run(tmp_path) / "ranking.csv")
    assert {row["n"] for row in found} == {"13"}
    assert {row["control_tau"] for row in found} == {""}


SENTENCES = [
    ("train.py dta=digits", "; did you mean data?"),
    ("train.py data.batchsize=3", "; did you mean batch_size?"),
    ("train.py data=digit", "data=digit is no choice (data is one of cifar10, coloured_digits, digits,"),
    ("train.py data=image_folder", "data.root is missing"),
    ("train.py data=image_folder data.root=nowhere", "nowhere"),
    ("train.py artifact.target=eleven", "eleven"),
    ("train.py data.classes=[3,eleven]", "eleven"),
    ("train.py data.classes=[3]", "training needs at least two classes, got 1: 3"),
    ("train.py trainer.max_epochs=many", "trainer.max_epochs='many': input should be a valid integer"),
    ("train.py callbacks.spray_audit.classes=[eleven] trainer.max_epochs=1", "classes names no class"),
    ("train.py callbacks.spray_audit.network=net", "network='net' names no module of Classifier, which has 'model'"),
    ("train.py attribution.composite=epsilon_gamma_box", "low"),
    ("train.py attribution.composite=nothing", "composite expects one of epsilon_plus_flat"),
    ("train.py trainer.precision=128", "trainer.precision"),
    ("train.py hydra.run.dir=/proc/nowhere", "/proc/nowhere"),
    ("analyze.py out=a=b", "out=a=b is no key=value: a value that holds = or a comma needs quotes"),
    ("analyze.py", "data is missing; give ckpt=… of a run, or model=… and data=…"),
    ("analyze.py analysis=swap", "data is missing; give ckpt=… of a run, ckpts=[a,b,…] of several, or model=…"),
    ("analyze.py ckpt=nowhere.ckpt", "ckpt expects a checkpoint file, but nowhere.ckpt does not exist"),
    ("analyze.py data=digits model=small_cnn samples_per_class=few", "samples_per_class expects null or a number of"),
    ("analyze.py data=digits model=small_cnn batch_size=0", "batch_size expects a number of images, 1 or more, got 0"),
    ("analyze.py data=digits model=small_cnn split=test", "split expects one of train, val, union, got 'test'"),
    ("analyze.py analysis=barycenters analysis.imags=[3]", "(analysis has classes, samples, size)"),
    ("analyze.py data=digits model=small_cnn device=tpu9", "device expects auto, cpu or a device of this machine"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_bad_input_is_one_sentence(text, sentence, tmp_path, capsys):
    quiet = " logger=none" if text.startswith("train.py") else ""
    assert command(tmp_path, text + quiet) == 1
    printed = capsys.readouterr().err
    (said,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert sentence in said
    assert "Traceback" not in printed


REFUSED = ["train.py trainer.max_epochs=many", "train.py data.batch_size=big", "analyze.py ckpt=nowhere.ckpt"]


@pytest.mark.parametrize("text", REFUSED)
def test_a_mistyped_command_leaves_nothing(text, tmp_path):
    assert command(tmp_path, text) == 1
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_architecture(finished, tmp_path, capsys):
    checkpoint = finished / "checkpoints" / "last.ckpt"
    assert command(tmp_path, f"analyze.py ckpt={checkpoint} model=small_cnn model.width=8") == 1
    assert "does not fit SmallCNN" in capsys.readouterr().err


def test_a_run_is_not_resumed_from_another_architecture(finished, tmp_path, capsys):
    checkpoint = finished / "checkpoints" / "last.ckpt"
    assert command(tmp_path, f"train.py ckpt={checkpoint} model.width=8 logger=none") == 1
    assert "does not fit SmallCNN" in capsys.readouterr().err


ARTIFACTS = ("border", "rounded_corners", "stripe", "watermark", "patch artifact.file=patch.png")
CHOICES = [
    *(pytest.param(f"artifact={artifact} artifact.target=2", marks=pytest.mark.slow) for artifact in ARTIFACTS),
    "optimizer=sgd scheduler=cosine",
    "attribution.composite=epsilon_alpha2_beta1_flat callbacks.spray_audit.max_share=0.5",
    "attribution.composite=epsilon_gamma_box +attribution.parameters.low=-1 +attribution.parameters.high=1",
    "model=torchvision model.name=resnet18 data.image_size=32",
]


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_runs(choice, tmp_path):
    Image.new("RGBA", (20, 20), (255, 0, 0, 200)).save(tmp_path / "patch.png")
    few = "data.classes=[1,2,3] callbacks.heatmap_evolution.every_n_epochs=2"
    options = FAST if "watermark" in choice else UNTESTED
    assert command(tmp_path, f"train.py {options} {few} {choice} logger=none") == 0
    assert only_run(tmp_path).joinpath("results.json").is_file()


def test_the_trace_is_kept_in_the_run_folder(tmp_path):
    assert command(tmp_path, "train.py data.classes=[3] logger=none") == 1
    assert "Traceback" in (only_run(tmp_path) / "error.log").read_text()


def test_a_class_without_validation_images_is_a_warning(tmp_path, capsys):
    photographs(tmp_path / "photos", ("cat", "dog"))
    for path in (tmp_path / "photos" / "val" / "cat").iterdir():
        path.unlink()
    text = f"train.py data=image_folder data.root=photos data.image_size=32 {FAST} logger=none"
    assert command(tmp_path, text) == 0
    printed = capsys.readouterr()
    assert "class 'cat' has no validation images" in printed.out + printed.err


def test_a_full_disk_stops_with_a_sentence(tmp_path, capsys, monkeypatch):
    def full(path, *args, **kwargs):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(
        "pytorch_lightning.trainer.connectors.checkpoint_connector._CheckpointConnector.dump_checkpoint", full
    )
    assert command(tmp_path, f"train.py {FAST} callbacks=none logger=none") == 1
    assert "No space left on device" in capsys.readouterr().err


def test_a_full_disk_in_an_audit_is_counted_and_training_goes_on(tmp_path, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr("unhans.report.files.audit_files.save_audit", full)
    assert command(tmp_path, f"train.py {UNTESTED} callbacks.spray_audit.pages=1 data.classes=[1,3] logger=none") == 0
    assert "audits failed" in capsys.readouterr().out


def test_a_wandb_run_is_closed_with_the_exit_code(tmp_path, monkeypatch):
    import wandb

    codes = []
    finish = wandb.finish
    monkeypatch.setattr(wandb, "finish", lambda exit_code=None: (codes.append(exit_code), finish(exit_code=exit_code)))
    assert command(tmp_path, f"train.py {UNTESTED} data.classes=[1,3] logger=wandb") == 0
    assert command(tmp_path, f"train.py {FAST} logger=wandb callbacks.spray_audit.classes=[eleven]") == 1
    assert codes == [0, 1]
    assert wandb.run is None


def test_a_sweep_makes_one_wandb_run_per_job(tmp_path):
    assert command(tmp_path, f"train.py -m {FAST} logger=wandb callbacks=none seed=0,1") == 0
    (sweep,) = (tmp_path / "multirun").iterdir()
    assert len(list(sweep.glob("*/wandb/offline-run-*"))) == 2
    assert all(len(list(job.glob("wandb/offline-run-*"))) == 1 for job in sweep.glob("[01]"))


def test_wandb_online_without_account_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert command(tmp_path, f"train.py {FAST} logger=wandb logger.offline=false") == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1


def test_interruption_keeps_what_is_finished(tmp_path):
    text = [sys.executable, str(ROOT / "train.py"), *UNTESTED.split(), "trainer.max_epochs=500", "data.classes=[1,3]"]
    text.append("logger=wandb")
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # jobs in a shell's background ignore Ctrl-C
    process = subprocess.Popen(
        text, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed
    )
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob("outputs/*/audit/epoch_001/ranking.csv")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    run = only_run(tmp_path)
    assert "Stopped." in output
    assert f"Go on with train.py ckpt={run / 'checkpoints' / 'last.ckpt'}" in output
    assert rows(run / "audit" / "epoch_001" / "ranking.csv")
    assert not list(run.rglob("*.part"))


def test_help_and_configuration(tmp_path, capsys):
    for text, expected in (("train.py --help", "uv run train.py"), ("train.py --cfg job", "n_neighbors: 10")):
        assert command(tmp_path, text) == 0
        assert expected in capsys.readouterr().out


def test_npz(tmp_path):
    random = np.random.default_rng(0)
    arrays = {f"x_{split}": random.integers(0, 255, (40, 28, 28), dtype=np.uint8) for split in ("train", "test")}
    labels = {f"y_{split}": np.arange(40) % 2 for split in ("train", "test")}
    np.savez(tmp_path / "digits.npz", **arrays, **labels)
    assert command(tmp_path, f"train.py data=npz data.path=digits.npz data.image_size=32 {UNTESTED} logger=none") == 0


def test_a_network_with_a_random_head_is_not_analysed(tmp_path, capsys):
    photographs(tmp_path / "photos")
    text = "data=image_folder data.root=photos data.image_size=32 model=small_cnn analysis=heatmaps out=out"
    assert command(tmp_path, f"analyze.py {text}") == 1
    said = capsys.readouterr().err
    assert "the last layer of this SmallCNN is new and random; give ckpt=…, or model.weights=" in said
    assert not (tmp_path / "out").exists()


def test_a_trained_network_is_analysed_as_it_is(tmp_path, capsys):
    """Two classes among the thousand of its head, by their WordNet ids; images prepared as its weights expect them."""
    torch.manual_seed(0)
    torch.save(models.shufflenet_v2_x0_5().state_dict(), tmp_path / "weights.pth")
    photographs(tmp_path / "photos", classes=("n03417042", "n01440764"))
    text = "analyze.py data=image_folder data.root=photos data.image_size=48 model=torchvision"
    own = "model.name=shufflenet_v2_x0_5 model.weights=weights.pth model.head=keep spray.projection=null"
    assert command(tmp_path, f"{text} {own} parallel.n_jobs=1 out=out") == 0
    ranking = rows(tmp_path / "out" / "ranking.csv")
    assert {(row["label"], row["name"]) for row in ranking} == {("569", "n03417042"), ("0", "n01440764")}
    with h5py.File(tmp_path / "out" / "classes" / "0569-n03417042" / "dataset.h5") as file:
        assert set(file["label"][()]) == {569}
    assert "data.image_size is 48 instead of 224" in capsys.readouterr().out


def test_a_run_of_an_earlier_version_is_read_by_the_names_of_this_one(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "earlier")
    saved = OmegaConf.load(folder / "config.yaml")
    saved.artifact = {"_target_": "unhans.artifacts.padding.EdgePadding", "target": "3", "width": 0.1}
    OmegaConf.save(saved, folder / "config.yaml")
    read = saved_config(folder / "checkpoints" / "last.ckpt")
    assert read["artifact"] == {"_target_": "unhans.artifacts.EdgePadding", "target": "3", "width": 0.1}
    assert read["data"] == OmegaConf.to_container(saved.data)
