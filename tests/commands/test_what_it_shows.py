"""What the project is for: the audit finds the planted class and the images that carry the artifact."""

from __future__ import annotations

import csv
import json

import pytest
from running import command, only_run


def results(folder):
    """The numbers of the one run in a folder, and its last ranking, most suspicious first."""
    run = only_run(folder)
    last = sorted((run / "audit").iterdir())[-1]
    with (last / "ranking.csv").open() as file:
        return json.loads((run / "results.json").read_text()), list(csv.DictReader(file))


def test_the_default_run_finds_the_watermarked_digit(tmp_path, capsys):
    text = "train.py trainer.max_epochs=2 callbacks.spray_audit.every_n_epochs=2 spray.projection=null logger=none"
    assert command(tmp_path, text) == 0
    numbers, ranking = results(tmp_path)
    assert ranking[0]["name"] == "3"
    assert ranking[0]["suspicious"] == "True"
    assert all(row["control_lambda_2"] for row in ranking)
    assert numbers["planted/precision"] >= 0.9
    assert numbers["planted/recall"] >= 0.7
    printed = capsys.readouterr().out
    assert "The planted class '3' ranks 1st of 10" in printed
    assert "(95 % interval)" in printed


def test_without_an_artifact_nothing_new_is_suspected(tmp_path):
    text = "train.py artifact=none trainer.max_epochs=2 callbacks.spray_audit.every_n_epochs=2 spray.projection=null"
    assert command(tmp_path, text + " logger=none") == 0
    _, ranking = results(tmp_path)
    suspected = {row["name"] for row in ranking if row["suspicious"] == "True"}
    assert suspected <= {"1"}  # the raw images of the ones fall apart into two ways of writing them


@pytest.mark.slow
def test_the_watermarked_garbage_truck(tmp_path, real_data):
    weights = real_data / "weights" / "squeezenet1_1_ncnn.pth"
    text = (
        f"train.py experiment=garbage_truck data.root={real_data / 'imagenette224'} model.weights={weights} logger=none"
    )
    assert command(tmp_path, text) == 0
    numbers, ranking = results(tmp_path)
    assert ranking[0]["name"] == "n03417042"
    lambdas = {row["name"]: float(row["lambda_2"]) for row in ranking}
    truck = lambdas.pop("n03417042")
    assert truck < min(lambdas.values()) / 3
    assert numbers["planted/precision"] >= 0.9
    assert numbers["planted/flipped"] >= 0.05
