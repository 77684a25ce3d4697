"""`analyze.py analysis=input_shift`: heatmaps under inputs that are normalised otherwise."""

from __future__ import annotations

import csv

import pytest
from running import RANDOM, command, only_run, photographs

TINY = (
    f"analyze.py data=image_folder data.root=photos data.image_size=32 {RANDOM} model.width=4 "
    "analysis=input_shift analysis.samples=3 analysis.examples=1"
)


def test_what_sees_the_shift_and_what_does_not(tmp_path, capsys):
    photographs(tmp_path / "photos", each=3)
    moved = "analysis.mean=0 analysis.std=[0.229,0.224,0.225]"
    assert command(tmp_path, f"{TINY} {moved}") == 0
    run = only_run(tmp_path)
    with (run / "input_shift.csv").open() as file:
        found = {row["method"]: float(row["largest_difference"]) for row in csv.DictReader(file)}
    equal = {name for name, difference in found.items() if difference < 1e-5}
    assert equal == {"LRP epsilon_plus_flat", "LRP, first layer flat", "LRP, first layer w_square",
                     "LRP, first layer z_box", "saliency"}  # fmt: skip
    assert found["LRP, first layer epsilon"] > 0.1
    assert found["input_x_gradient"] > 0.1
    assert len(list((run / "input_shift").iterdir())) == 1
    told = capsys.readouterr().out
    assert "by mean 0 and std 0.229, 0.224, 0.225 (B)" in told
    assert "z^B is left out" not in told
    assert "Measured on 3 images; pictures of 1 of them are in" in told
    assert "analysis.examples=3 draws all." in " ".join(told.split())


SENTENCES = {
    "analysis.std=0": "analysis.std expects a number or one for each of the 3 channels, above 0, got [0.0].",
    "analysis.mean=[0,1]": "analysis.mean expects a number or one for each of the 3 channels, got [0.0, 1.0].",
    "analysis.methods=[x]": "analysis.methods expects names of attributions",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence(options, tmp_path, capsys):
    photographs(tmp_path / "photos", each=2)
    assert command(tmp_path, f"{TINY} {options}") == 1
    assert SENTENCES[options] in capsys.readouterr().err
