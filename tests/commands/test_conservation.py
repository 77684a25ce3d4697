"""`analyze.py analysis=conservation`: the table, the files, and what it refuses."""

from __future__ import annotations

import csv

import pytest
import torch
from omegaconf import OmegaConf
from running import RANDOM, command, only_run, photographs

from unhans.lrp import Conservation
from unhans.report.figures.quality import conservation_table

TINY = (
    f"analyze.py data=image_folder data.root=photos data.image_size=32 {RANDOM} model.width=4 "
    "analysis=conservation analysis.samples=5 batch_size=2"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conservation")
    photographs(folder / "photos")
    assert command(folder, TINY) == 0
    return only_run(folder)


def test_every_step_is_written(finished):
    with (finished / "conservation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["layer", "operation", "rule", "arrived", "passed", "bias", "epsilon", "other"]
    assert [row["operation"] for row in rows if row["rule"]][-1] == "dense"
    for row in rows:
        numbers = [float(row[key]) for key in ("passed", "bias", "epsilon", "other")]
        assert sum(numbers) == pytest.approx(float(row["arrived"]))
    assert (finished / "conservation.png").stat().st_size > 10_000


def test_the_caption_tells_what_cancels():
    report = Conservation(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 4.0]), [], torch.tensor([5.0, 8.0]))
    assert "Σ|R| is 2.6 times Σ |logits|" in conservation_table(report, "").caption


SENTENCES = {
    "attribution=saliency": "analysis=conservation needs attribution=lrp, got Saliency",
    "analysis.samples=0": "analysis.samples=0: input should be greater than 0",
    "attribution.layer=nothing": "attribution.layer",
    "attribution=lrp_by_place attribution.composite=[{match:{name:layer9},rule:flat},{match:dense,rule:flat}]": (
        "pattern name 'layer9' matches no layer; there are features.0.0"
    ),
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence(options, tmp_path, capsys):
    photographs(tmp_path / "photos", each=3)
    assert command(tmp_path, f"{TINY} {options}") == 1
    printed = capsys.readouterr().err
    assert SENTENCES[options] in printed
    assert "Traceback" not in printed


def test_the_effect_of_copied_borders_is_left_to_squaring(tmp_path, capsys):
    quick = "model.width=4 data.max_per_class=8 data.max_per_class_val=4 data.image_size=16 trainer.max_epochs=1"
    text = f"train.py {quick} callbacks=none logger=none artifact=edge_padding artifact.target=3"
    assert command(tmp_path, text) == 0
    printed = capsys.readouterr().out
    assert "is measured by analysis=squaring" in printed
    assert "could not be made" not in printed


def test_the_artifact_of_the_run_can_be_left_out(tmp_path, capsys):
    """By the command line, which alone tells `artifact=none` from nothing said."""
    quick = "model.width=4 data.max_per_class=8 data.max_per_class_val=4 data.image_size=16 trainer.max_epochs=1"
    assert command(tmp_path, f"train.py {quick} callbacks=none logger=none out=run") == 0
    printed = capsys.readouterr().out
    assert "No audit is made." in printed
    assert "will the audit find it" not in printed
    begin = "analyze.py ckpt=run/checkpoints/last.ckpt analysis=conservation analysis.samples=2"
    assert command(tmp_path, f"{begin} out=with") == command(tmp_path, f"{begin} artifact=none out=without") == 0
    planted = {out: OmegaConf.load(tmp_path / out / "config.yaml").artifact for out in ("with", "without")}
    assert planted["with"].target == "3"
    assert not planted["without"]
