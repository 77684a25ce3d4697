"""Repairs as a user meets them: one command to the comparison, what is kept, and what is said of bad input."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from running import command, only_run

from unhans.clarc import corrections_of
from unhans.experiment.repair import RepairOptions, several_processes
from unhans.experiment.repair.fine_tuning import HALFWAY, FineTuning
from unhans.repair import METHODS

SIDE = 32
PLANTED = f"data.classes=[1,3,7] data.image_size={SIDE} artifact=stripe artifact.target=1 artifact.val_coverage=0.5"
QUICK = "logger=none repair.seeds=[0]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The checkpoint of a run on three digits, half of the threes with a red stripe along the lower rim."""
    folder = tmp_path_factory.mktemp("trained")
    assert command(folder, f"train.py {PLANTED} callbacks=none logger=none trainer.max_epochs=4") == 0
    return only_run(folder) / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def compared(trained, tmp_path_factory):
    """A finished comparison of all methods."""
    folder = tmp_path_factory.mktemp("compared")
    text = f"analyze.py ckpt={trained} analysis=repair analysis.seeds=[0] device=cpu +trainer.max_epochs=2"
    assert command(folder, f"{text} logger=csv out={folder / 'out'}") == 0
    return folder / "out"


@pytest.fixture
def again(compared, tmp_path):
    """A copy of that run, to go on with."""
    return Path(shutil.copytree(compared, tmp_path / "out", copy_function=shutil.copy2))


def repeat(trained, out, more=""):
    text = f"analyze.py ckpt={trained} analysis=repair analysis.seeds=[0] device=cpu +trainer.max_epochs=2"
    return command(out.parent, f"{text} {more} out={out}")


def outcomes(out):
    return {path.parent.parent.name: json.loads(path.read_text()) for path in out.glob("repairs/*/seed_*/outcome.json")}


def marks(out):
    return {path.parent.parent.name: path.stat().st_mtime_ns for path in out.glob("repairs/*/seed_000/outcome.json")}


def test_every_method_is_assessed(compared):
    assert set(outcomes(compared)) == set(METHODS)
    numbers = json.loads((compared / "results.json").read_text())
    for method in METHODS:
        names = ("clean", "added", "removed", "worst", "effect", "relevance", "seconds")
        assert {f"{method}/{name}" for name in names} <= set(numbers)
    assert numbers["uncorrected/seconds"] == 0
    assert all(numbers[f"{method}/seconds"] > 0 for method in METHODS if method != "uncorrected")


def test_what_is_written(compared):
    names = {str(path.relative_to(compared)) for path in compared.rglob("*") if path.is_file()}
    figures = {f"figures/{name}.png" for name in ("methods", "trade_off", "relevance", "evolution")}
    assert {"report.html", "repair.csv", "repair_runs.csv", "repair_table_two.csv", "config.yaml", *figures} <= names
    with (compared / "repair.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == list(METHODS)
    assert not [name for name in names if HALFWAY in name or "begun" in name]


def test_the_curves_of_trained_methods(compared):
    for method, content in outcomes(compared).items():
        points = content["outcome"]["curve"]
        trains = method not in ("uncorrected", "p_clarc", "reactive")
        assert [point["epoch"] for point in points] == ([0, 1, 2] if trains else [])
        assert all(0 <= point["relevance"] <= 1 and 0 <= point["added"] <= 1 for point in points)


def test_all_methods_begin_with_the_same_network(compared):
    first = {str(c["outcome"]["curve"][0]) for c in outcomes(compared).values() if c["outcome"]["curve"]}
    assert len(first) == 1
    assert len({content["key"]["weights"] for content in outcomes(compared).values()}) == 1


def test_the_corrected_network_does_better_than_the_uncorrected(compared):
    numbers = json.loads((compared / "results.json").read_text())
    assert abs(numbers["augmented/effect"]) < abs(numbers["uncorrected/effect"])
    assert numbers["augmented/added"] >= numbers["unaltered/added"]


def test_only_above_the_layer_is_fine_tuned(compared):
    before = weights(compared / "repairs" / "uncorrected" / "seed_000" / "model.ckpt")
    after = weights(compared / "repairs" / "a_clarc" / "seed_000" / "model.ckpt")
    layer = outcomes(compared)["a_clarc"]["outcome"]["concept"]["layer"]
    assert layer.startswith("features")
    assert torch.equal(before["model.features.0.0.weight"], after["model.features.0.0.weight"])
    assert not torch.equal(before["model.classifier.1.weight"], after["model.classifier.1.weight"])
    assert set(before) == set(after)


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize("method", [pytest.param("augmented", marks=pytest.mark.slow), "p_clarc"])
def test_a_repaired_network_is_audited_without_further_options(method, compared, tmp_path):
    checkpoint = compared / "repairs" / method / "seed_000" / "model.ckpt"
    quick = "samples_per_class=16 spray.projection=null parallel.n_jobs=1 analysis.control=false device=cpu"
    assert command(tmp_path, f"analyze.py ckpt={checkpoint} {quick}") == 0
    with (only_run(tmp_path) / "ranking.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3


def test_the_corrected_checkpoint_is_the_corrected_network(compared):
    from omegaconf import OmegaConf

    from unhans.experiment.run import build_data, build_network
    from unhans.models import load_network

    folder = compared / "repairs" / "p_clarc" / "seed_000"
    cfg = OmegaConf.load(folder / "config.yaml")
    data = build_data(cfg)
    found = load_network(build_network(cfg, data), data.classes, folder / "model.ckpt").eval()
    assert len(corrections_of(found)) == 1
    with torch.no_grad():
        images = torch.stack([data.val_set.scale.to_model(data.val_set.clean(i)) for i in range(len(data.val_set))])
        right = int((found(images).argmax(1).numpy() == data.val_set.labels).sum())
    clean = outcomes(compared)["p_clarc"]["outcome"]["assessment"]["clean"]
    assert (right, len(images)) == (clean["correct"], clean["n"])


def test_nothing_finished_is_repeated(again, trained, capsys):
    before = marks(again)
    assert repeat(trained, again) == 0
    assert marks(again) == before
    assert "7 of 7 repairs were finished before." in capsys.readouterr().out


def test_other_settings_repeat_what_depends_on_them(again, trained):
    before = marks(again)
    assert repeat(trained, again, "analysis.strength=0.5 analysis.methods=[uncorrected,augmented,p_clarc]") == 0
    after = marks(again)
    assert [method for method in before if after[method] != before[method]] == ["p_clarc"]


class Interruption:
    """Stops a training, as Ctrl-C does, once it was called so often."""

    def __init__(self, after, monkeypatch):
        from unhans.callbacks import ValidationCurve

        self.left = after
        whole = ValidationCurve.on_train_epoch_start

        def stopping(callback, trainer, module):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            whole(callback, trainer, module)

        monkeypatch.setattr(ValidationCurve, "on_train_epoch_start", stopping)


@pytest.mark.parametrize(
    "epochs", [pytest.param(2, id="between A and B", marks=pytest.mark.slow), pytest.param(3, id="in the middle of B")]
)
def test_an_interruption_keeps_what_is_finished(epochs, trained, again, tmp_path, monkeypatch):
    out, methods = tmp_path / "stopped", "analysis.methods=[unaltered,augmented]"
    with monkeypatch.context() as patch:
        Interruption(epochs, patch)
        assert repeat(trained, out, methods) == 130
    kept = marks(out)
    assert list(kept) == ["unaltered"]
    halfway = out / "repairs" / "augmented" / "seed_000" / HALFWAY / "last.ckpt"
    assert halfway.is_file() == (epochs == 3)
    trainings = []
    tuned = FineTuning.tuned
    monkeypatch.setattr(FineTuning, "tuned", lambda self, *a: (trainings.append(a[-1].parent.name), tuned(self, *a))[1])
    assert repeat(trained, out, methods) == 0
    assert trainings == ["augmented"]
    assert marks(out)["unaltered"] == kept["unaltered"]
    assert not halfway.exists()
    for name, value in weights(again / "repairs" / "augmented" / "seed_000" / "model.ckpt").items():
        resumed = weights(out / "repairs" / "augmented" / "seed_000" / "model.ckpt")[name]
        assert torch.equal(value, resumed), name


def test_from_nothing_to_table_two(tmp_path, capsys):
    text = f"train.py experiment=augment {PLANTED} {QUICK} trainer.max_epochs=1 trainer.accelerator=cpu"
    assert command(tmp_path, f"{text} out={tmp_path / 'out'}") == 0
    printed = capsys.readouterr().out
    assert "B (artifact on all)" in printed
    start = (tmp_path / "out" / "start" / "model.ckpt").stat().st_mtime_ns
    assert command(tmp_path, f"{text} out={tmp_path / 'out'} repair.seeds=[0,1]") == 0
    assert "2 of 4 repairs were finished before." in capsys.readouterr().out
    assert (tmp_path / "out" / "start" / "model.ckpt").stat().st_mtime_ns == start


@pytest.mark.parametrize(
    ("keep", "epochs", "kept"),
    [
        (None, 5, (0, 1, 5)),
        (None, 2, (0, 1, 2)),
        (None, 12, (0, 1, 5, 10, 12)),
        (None, -1, (0, 1, 5, 10)),
        ((3,), 5, (3, 5)),
        ((10,), 5, (5, 10)),  # it was asked for, and MaskRelevance warns
    ],
)
def test_no_epoch_is_promised_that_training_does_not_have(keep, epochs, kept):
    assert RepairOptions(keep=keep).kept(epochs) == kept


def test_training_finds_the_configuration_of_a_checkpoint(trained, tmp_path):
    text = f"train.py experiment=p_clarc ckpt={trained} {QUICK} repair.layer=features.2 trainer.accelerator=cpu"
    assert command(tmp_path, f"{text} data.batch_size=16 out={tmp_path / 'out'}") == 0
    from omegaconf import OmegaConf

    cfg = OmegaConf.load(tmp_path / "out" / "config.yaml")
    assert (cfg.data.image_size, cfg.data.batch_size, cfg.artifact._target_) == (SIDE, 16, "unhans.artifacts.Stripe")
    assert not (tmp_path / "out" / "start").exists()
    found = outcomes(tmp_path / "out")
    assert set(found) == {"uncorrected", "p_clarc", "reactive"}
    assert found["p_clarc"]["outcome"]["concept"]["layer"] == "features.2"


GIVEN = "analysis.artifact=small.png analysis.classes=[7]"  # a class without a planted artifact
ANALYSIS = "analyze.py ckpt={ckpt} analysis=repair device=cpu"
SENTENCES = [
    (f"{ANALYSIS} analysis.methods=[a_clark]", "got 'a_clark'; did you mean a_clarc?"),
    (f"{ANALYSIS} analysis.seeds=[]", "seeds expects one or more numbers"),
    (
        f"{ANALYSIS} analysis.layer=features.9",
        "layer 'features.9' does not exist in this SmallCNN; near names: features",
    ),
    (
        f"{ANALYSIS} analysis.layer=classifier.1",
        "or tokens (n, N, C) on a grid of patches, but the output of 'classifier.1'",
    ),
    (f"{ANALYSIS} analysis.artifact=large.png analysis.classes=[3]", "large"),
    (f"{ANALYSIS} analysis.artifact=small.png", "one class, which must be named"),
    (f"{ANALYSIS} analysis.artifact=small.png analysis.classes=[3,7]", "an artifact belongs to one class"),
    (f"{ANALYSIS} analysis.artifact=small.png analysis.classes=[cat]", "'cat'"),
    (
        f"{ANALYSIS} {GIVEN}",
        "right_reasons needs training images that are known",
    ),
    (
        f"{ANALYSIS} {GIVEN} analysis.methods=[p_clarc] analysis.concept=found",
        "needs two or more affected training images of class '7', got 0",
    ),
    (
        f"{ANALYSIS} +artifact.coverage=1.0 analysis.concept=found",
        "needs two or more unaffected training images of class '3', got 0",
    ),
    (f"{ANALYSIS} +data.flip=true", "data.flip=true mirrors them"),
    (f"{ANALYSIS} +trainer.devices=2", "on one device; expected trainer.devices=1"),
    (f"{ANALYSIS} +trainer.devices=[0,1]", "on one device; expected trainer.devices=1"),
    (f"{ANALYSIS} +trainer.devices='0,1'", "on one device; expected trainer.devices=1"),
    (f"{ANALYSIS} +data.classes=[1,3,8]", "was trained on the classes"),
    (f"{ANALYSIS} analysis.estimator=best", "analysis.estimator='best'"),
    ("analyze.py analysis=repair data=digits model=small_cnn", "optimizer is missing; give ckpt=… of a run"),
    ("train.py experiment=augment artifact=none logger=none", "there is no artifact to repair"),
    ("train.py experiment=augment ckpt=nowhere.ckpt logger=none", "nowhere.ckpt does not exist"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_bad_input_is_one_sentence_before_any_training(text, sentence, trained, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(FineTuning, "tuned", lambda *arguments: pytest.fail("a training was begun"))
    pixels = np.full((SIDE + 8, SIDE + 8, 4), 200, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    Image.fromarray(pixels[:6, :6]).save(tmp_path / "small.png")
    assert command(tmp_path, text.format(ckpt=trained)) == 1
    printed = capsys.readouterr().err
    (said,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert sentence in said
    assert "Traceback" not in printed
    assert not list(tmp_path.rglob("outcome.json"))


@pytest.mark.parametrize(
    ("trainer", "several"),
    [
        ({}, False),
        ({"devices": 1}, False),
        ({"devices": "1"}, False),
        ({"devices": [3]}, False),
        ({"devices": 2}, True),
        ({"devices": [0, 1]}, True),
        ({"devices": "0,1"}, True),
        ({"strategy": "ddp_spawn"}, True),
        ({"num_nodes": 2}, True),
        ({"devices": "auto"}, True),  # two GPUs, below
        ({"devices": -1}, True),
        ({"devices": "auto", "accelerator": "gpu"}, True),
        ({"devices": "auto", "accelerator": "cpu"}, False),
        ({"devices": 2, "accelerator": "cpu"}, True),
    ],
)
def test_several_processes_are_known_in_every_spelling(trainer, several, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert several_processes(OmegaConf.create(trainer)) is several


def test_all_devices_of_an_accelerator_that_is_given_count(monkeypatch):
    """As by device=cpu, whatever GPUs the machine has."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert not several_processes(OmegaConf.create({"devices": "auto"}), "cpu")
    assert several_processes(OmegaConf.create({"devices": "auto", "accelerator": "cpu"}), "gpu")
