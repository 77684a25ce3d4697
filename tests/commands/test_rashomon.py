"""`train.py experiment=rashomon`: models of equal accuracy, the strongest proven reason taken away after each."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from running import command

from unhans.experiment.run import build_data, build_network
from unhans.experiment.train.rashomon import _move_out
from unhans.models import load_network

TRAIN = (
    "train.py data.max_per_class=80 data.max_per_class_val=30 data.image_size=16 data.classes=[1,3,7] model.width=8 "
    "optimizer.lr=0.01 logger=none trainer.max_epochs=5 artifact.coverage=0.9"
)
MODELS = (
    f"{TRAIN} experiment=rashomon callbacks.spray_audit.classes=[3] callbacks.spray_audit.pages=0 "
    "spray.projection=null rashomon.rounds=1 rashomon.tolerance=0.5"
)


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rashomon")
    assert command(folder, f"{MODELS} out=set") == 0
    return folder


def rounds(folder, name="set"):
    with (folder / name / "rounds.csv").open() as file:
        return list(csv.DictReader(file))


def right(run):
    """Which validation images a run's network gets right, one at a time."""
    cfg = OmegaConf.load(run / "config.yaml")
    data = build_data(cfg)
    network = load_network(build_network(cfg, data), data.classes, run / "checkpoints" / "last.ckpt").eval()
    samples = [data.val_set[index] for index in range(len(data.val_set))]
    with torch.no_grad():
        return np.array([int(network(one.image[None])[0].argmax()) == one.label for one in samples])


def test_the_strongest_reason_is_proven_and_then_gone(collected):
    first, second = rounds(collected)
    assert (first["model"], first["proven"], first["taken_away"], first["stop"]) == ("0", "3", "True", "")
    assert float(first["delta_p_low"]) > 0.05
    assert (second["model"], second["proven"], second["taken_away"]) == ("1", "", "False")
    assert (second["stop"], second["within_tolerance"]) == ("nothing proven", "True")


def test_a_model_outside_the_tolerance_is_not_in_the_folder_of_the_set(tmp_path, capsys):
    for number in "01":
        (tmp_path / "models" / number).mkdir(parents=True)
    _move_out(tmp_path, 1)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["0"]
    assert (tmp_path / "less_accurate" / "1").is_dir()
    assert "Model 1 is not of the set" in capsys.readouterr().out


def test_a_finished_model_is_not_trained_again_after_an_interruption(collected, tmp_path, capsys):
    """The second training was interrupted: its folder holds half a run, and nothing says that it is finished."""
    folder = collected / "set"
    before = {run: weights(folder / "models" / run) for run in "01"}
    stamps = (folder / "models" / "0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    table = (folder / "rounds.csv").read_text()
    (folder / "rounds" / "1.pt").unlink()
    (folder / "models" / "1" / "report.html").unlink()
    assert command(collected, f"{MODELS} out=set") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Model 0 was finished before" in told
    assert "Model 1 was finished before" not in told
    assert (folder / "models" / "0" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == stamps
    assert (folder / "models" / "1" / "report.html").is_file()
    assert all(torch.equal(value, weights(folder / "models" / "1")[key]) for key, value in before["1"].items())
    assert (folder / "rounds.csv").read_text() == table


@pytest.mark.slow
@pytest.mark.parametrize("route", ["blur", "a_clarc"])
def test_other_routes_take_the_reason_away_or_weaken_it(collected, route):
    assert command(collected, f"{MODELS} rashomon.route={route} out={route}") == 0
    first, second = rounds(collected, route)
    assert float(second["delta_p"] or 0) < float(first["delta_p"]) - 0.1
    same = all(torch.equal(value, weights(collected / route / "models" / "1")[key])
               for key, value in weights(collected / route / "models" / "0").items())  # fmt: skip
    assert not same


def weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]


def test_accuracies_are_literal_counts_on_the_same_images(collected):
    hits = [right(collected / "set" / "models" / name) for name in "01"]
    for row, one in zip(rounds(collected), hits, strict=True):
        assert float(row["accuracy"]) == pytest.approx(one.mean())
        assert int(row["n"]) == len(one) == 90
        assert float(row["difference"]) == pytest.approx((one.astype(int) - hits[0].astype(int)).mean())


def test_the_first_model_is_the_plain_training(collected):
    assert command(collected, f"{TRAIN} callbacks=none correct=false out=plain") == 0
    weights = [
        torch.load(collected / run / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]
        for run in ("plain", "set/models/0", "set/models/1")
    ]
    model = [key for key in weights[0] if key.startswith("model.")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in model)
    assert not all(torch.equal(weights[0][key], weights[2][key]) for key in model)


def test_the_models_can_be_compared(collected, capsys):
    line = "analyze.py analysis=compare attribution=input_x_gradient ckpts=set/models analysis.examples=1"
    assert command(collected, f"{line} out=compared") == 0
    assert "0 – 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("out=set optimizer.lr=0.02", "another configuration (optimizer.lr was 0.01, now 0.02)"),
        ("out=set rashomon.route=blur", "another configuration (rashomon.route was paste, now blur)"),
        ("rashomon.route=erase out=new", "rashomon.route"),
        ("callbacks.spray_audit.verify=false out=new", "needs an audit that proves and does not act"),
        ("ckpt=set/models/0/checkpoints/last.ckpt out=new", "trains every model from its start"),
        ("rashomon.rounds=0 out=new", "rashomon.rounds=0: input should be greater than 0"),
    ],
)
def test_bad_input_is_one_sentence(collected, capsys, arguments, message):
    assert command(collected, f"{MODELS} {arguments}") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "Traceback" not in said
    assert not (collected / "new" / "models").exists()
