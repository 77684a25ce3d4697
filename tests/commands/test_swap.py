"""`analyze.py analysis=swap`: its numbers, its files, going on, other folders, and what it refuses."""

from __future__ import annotations

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from running import command, photographs
from torch import nn
from torchvision.transforms.v2.functional import ten_crop

from unhans.experiment.swap import swap_run
from unhans.experiment.swap.swap_run import SwapRun

TRAIN = (
    "train.py data=image_folder data.root=photos data.image_size=16 model.width=2 trainer.max_epochs=1 artifact=none "
    "callbacks=none logger=none correct=false data.classes=null trainer.accelerator=cpu"
)
CKPTS = "ckpts=[plain/checkpoints/last.ckpt,worse/checkpoints/last.ckpt]"
SWAP = f"analyze.py analysis=swap {CKPTS} device=cpu analysis.examples=0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swap")
    photographs(folder / "photos", size=24)
    assert command(folder, f"{TRAIN} out=plain") == 0
    assert command(folder, f"{TRAIN} data.degrade={{blur:2}} data.resize=crop out=worse") == 0
    return folder


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_all_is_written_and_agrees(runs, capsys):
    options = "analysis.examples=1 analysis.ordered=true logger=csv out=out"
    assert command(runs, f"{SWAP} {options}") == 0
    rows = table(runs / "out" / "swap.csv")
    names = ["resize squash, not degraded", "resize crop, blur 2"]
    names = [", ".join(name.split(", ")) for name in names]
    assert [(row["networks"], row["trained_on"], row["tested_on"]) for row in rows] == [
        ("plain", names[0], names[0]), ("plain", names[0], names[1]),
        ("worse", names[1], names[0]), ("worse", names[1], names[1]),
    ]  # fmt: skip
    images = table(runs / "out" / "images.csv")
    for row in rows:
        own = [one for one in images if (one["model"], one["tested_on"]) == (row["networks"], row["tested_on"])]
        assert len(own) == int(row["n"]) == 8
        assert float(row["accuracy"]) == np.mean([one["class"] == one["predicted"] for one in own])
        assert float(row["one_off"]) == 1  # of two classes
        taken = table(runs / "out" / "confusion.csv")
        taken = [one for one in taken if (one["networks"], one["tested_on"]) == (row["networks"], row["tested_on"])]
        right = sum(int(one["n"]) for one in taken if one["class"] == one["predicted"])
        assert right == int(row["n"]) * float(row["accuracy"])
        assert sum(int(one["n"]) for one in taken) == int(row["n"])
    labels = {(one["images"], one["class"]): int(one["n"]) for one in table(runs / "out" / "labels.csv")}
    assert labels == {("tested on: " + ", ".join(names), "cat"): 4, ("tested on: " + ", ".join(names), "dog"): 4,
                      ("trained on: plain, worse", "cat"): 14, ("trained on: plain, worse", "dog"): 14}  # fmt: skip
    cost = float(rows[0]["accuracy"]) - float(rows[1]["accuracy"])
    assert float(rows[1]["cost"]) == pytest.approx(cost)
    assert not rows[0]["cost"]
    assert {path.suffix for path in (runs / "out" / "figures").iterdir()} == {".png", ".jpg"}
    assert "Trained on × tested on" in (runs / "out" / "swap.html").read_text()
    said = " ".join(capsys.readouterr().out.split())
    assert "2 networks × 2 variants: 32 images pass a network, about " in said
    assert "2 networks, 2 variants, 8 val images each." in said
    assert "swap/worse/" in next((runs / "out").rglob("metrics.csv")).read_text()


def test_what_is_there_stays(runs, monkeypatch):
    text = f"{SWAP} analysis.variants={{plain:{{}},jpeg:{{jpeg:20}}}} out=again"
    assert command(runs, text) == 0
    before = (runs / "again" / "swap.csv").read_bytes()
    (broken,) = (runs / "again" / "answers").glob("*worse/*jpeg.npz")
    broken.write_bytes(b"half")
    asked = []
    asking = SwapRun._asked
    monkeypatch.setattr(SwapRun, "_asked", lambda self, *given: asked.append(given[1]) or asking(self, *given))
    assert command(runs, text) == 0
    assert asked == ["jpeg"]
    assert (runs / "again" / "swap.csv").read_bytes() == before
    assert [row["trained_on"] for row in table(runs / "again" / "swap.csv")] == ["plain", "plain", "", ""]


def test_the_same_images_of_a_copied_folder_are_paired_and_others_are_not(runs, capsys):
    shutil.copytree(runs / "photos", runs / "copied", dirs_exist_ok=True)
    (runs / "copied" / "val" / "cat" / "0.png").unlink(missing_ok=True)
    photographs(runs / "others", each=2, size=16)
    for path in sorted((runs / "others" / "val").glob("*/*.png")):
        path.rename(path.with_name(f"other{path.name}"))
    folders = ",".join(f"{name}:{{root:{runs / name}}}" for name in ("photos", "copied", "others"))
    assert command(runs, f"{SWAP} analysis.variants={{{folders}}} analysis.trained=[photos,null] out=folders") == 0
    rows = {row["tested_on"]: row for row in table(runs / "folders" / "swap.csv") if row["networks"] == "plain"}
    assert [(row["n"], row["paired"]) for row in rows.values()] == [("7", "True"), ("7", "True"), ("8", "False")]
    assert (rows["copied"]["cost"], rows["others"]["p"]) == ("0.0", "")
    said = " ".join(capsys.readouterr().out.split())
    assert "7 or 8 val images each. 1 more are left out, as not every variant has them." in said
    assert "Other images than those of the first variant, so not paired: others." in said
    assert "worse was trained on none of these variants" in said


def test_images_that_a_network_was_trained_on_are_left_out(runs, capsys):
    shutil.rmtree(runs / "mixed", ignore_errors=True)
    for name in ("cat", "dog"):
        shutil.copytree(runs / "photos" / "train" / name, runs / "mixed" / name)
    text = TRAIN.replace("root=photos", "root=mixed")
    for seed in (0, 1):
        assert command(runs, f"{text} data.seed={seed} out=mixed{seed}") == 0
    ckpts = "ckpts=[mixed0/checkpoints/last.ckpt,mixed1/checkpoints/last.ckpt]"
    variants = "analysis.variants={plain:{},dark:{brightness:0.5}}"
    assert command(runs, f"analyze.py analysis=swap {ckpts} {variants} analysis.examples=0 device=cpu out=left") == 0
    said = " ".join(capsys.readouterr().out.split())
    kept, left = (int(said.split(after)[0].split()[-1]) for after in (" val images each", " more images are left out"))
    assert left > 0
    assert kept + left == 6  # a fifth of 14 images of each class
    assert [row["networks"] for row in table(runs / "left" / "swap.csv")][-1] == "mean of mixed0, mixed1"


def test_folds_are_asked_about_their_own_images_and_pooled(runs, capsys):
    for name in ("cat", "dog"):
        shutil.copytree(runs / "photos" / "train" / name, runs / "folded" / name)
    text = f"{TRAIN.replace('root=photos', 'root=folded')} data.val_share=0.5"
    for fold in (0, 1):
        assert command(runs, f"{text} data.fold={fold} out=fold{fold}") == 0
    ckpts = "ckpts=[fold0/checkpoints/last.ckpt,fold1/checkpoints/last.ckpt]"
    options = "analysis.variants={plain:{},dark:{brightness:0.5}} analysis.examples=1 device=cpu out=pooled"
    assert command(runs, f"analyze.py analysis=swap {ckpts} {options}") == 0
    assert "images of its own fold alone, of 2 folds" in " ".join(capsys.readouterr().out.split())
    rows = {(row["networks"], row["tested_on"]): row for row in table(runs / "pooled" / "swap.csv")}
    folds = [rows[f"fold{fold}", "dark"] for fold in (0, 1)]
    pooled = rows["2 folds: fold0, fold1", "dark"]
    assert [int(row["n"]) for row in (*folds, pooled)] == [14, 14, 28]
    assert float(pooled["accuracy"]) == pytest.approx(np.mean([float(row["accuracy"]) for row in folds]))
    paths = [row["path"] for row in table(runs / "pooled" / "images.csv") if row["tested_on"] == "plain"]
    assert len(paths) == len(set(paths)) == 28


class Brightest(nn.Module):
    def forward(self, images):
        bright = images.amax((1, 2, 3))
        return torch.stack([bright, 1 - bright], 1)


def test_ten_crops_by_hand():
    batch = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    run = SwapRun(SimpleNamespace(crops=10), None)
    found = run._probabilities(SimpleNamespace(network=Brightest()), batch, 4)
    for image, scores in zip(batch, found, strict=True):
        crops = [image[:, top : top + 4, left : left + 4] for top in (0, 2) for left in (0, 2)] + [image[:, 1:5, 1:5]]
        values = [Brightest()(crop[None]).softmax(1) for crop in crops] * 2  # mirrored ones are as bright
        assert torch.allclose(scores, torch.stack(values).mean(0)[0])
    assert swap_run.ten_crop is ten_crop


def test_ten_crops_are_cut_from_a_larger_image(runs):
    assert command(runs, f"{SWAP} analysis.crops=10 out=crops samples_per_class=2") == 0
    assert [row["n"] for row in table(runs / "crops" / "swap.csv")] == ["4"] * 4


SENTENCES = {
    "analysis.variants={a:{}}": "analysis.variants expects at least two",
    "analysis.variants={a:{},b:{jpg:20}}": "b expects options of the data, got 'jpg'; did you mean jpeg?",
    "analysis.variants={a:{},b:{jpeg:200}}": "data.degrade.jpeg expects a whole number from 1 to 100, got 200.",
    "analysis.variants={a:{},b:{resize:stretch}}": "data.resize must be one of squash, crop, pad, mirror",
    "analysis.variants={a:{},b:{root:nowhere}}": "got no folder at",
    "analysis.trained=[plain]": "analysis.trained expects a variant",
    "analysis.ordered=[cat]": "analysis.ordered expects every class once (cat, dog), got cat.",
    "analysis.classes=[cow]": "cow",
    "analysis.crops=5": "analysis.crops=5: input should be 1 or 10.",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence_and_comes_before_any_work(options, runs, tmp_path, capsys):
    assert command(runs, f"{SWAP} {options} out={tmp_path / 'out'}") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not (tmp_path / "out").exists()


def test_one_preparation_of_all_runs_is_nothing_to_swap(runs, capsys):
    text = "analyze.py analysis=swap ckpts=[plain/checkpoints/last.ckpt] device=cpu out=nothing"
    assert command(runs, text) == 1
    assert "all of these networks were trained on images of one preparation" in capsys.readouterr().err
