"""`analyze.py analysis=faithfulness ckpts=…`: the checkpoints of one training, on the same images."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from running import command

from unhans.experiment.faithfulness import quality_over_epochs

TRAIN = (
    "train.py data.image_size=32 data.classes=[1,3] model.width=2 callbacks=none +callbacks.checkpoint.save_top_k=-1 "
    "trainer.max_epochs=2 artifact.val_coverage=0.5 correct=false logger=none seed=3"
)
FOLLOW = (
    "analyze.py analysis=faithfulness device=cpu analysis.per_class=3 analysis.steps=3 analysis.repeats=1 out=out "
    "analysis.regions=[border,planted]"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run of two epochs, and one of another width."""
    folder = tmp_path_factory.mktemp("runs")
    assert command(folder, f"{TRAIN} out=run") == 0
    assert command(folder, f"{TRAIN} out=wide model.width=3 trainer.max_epochs=1") == 0
    return folder


@pytest.fixture(autouse=True)
def pages(monkeypatch):
    """What pages are made of. Drawing takes longer than the rest, and the callbacks draw the same figures."""
    for name in ("quality_figure", "regions_figure"):
        monkeypatch.setattr(quality_over_epochs, name, lambda *_: None)
    monkeypatch.setattr(quality_over_epochs, "write_figure", lambda *_, **__: None)
    seen = []
    monkeypatch.setattr(quality_over_epochs, "write_quality_page", lambda *given: seen.append(given))
    return seen


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_checkpoints_is_followed_and_gone_on_with(runs, capsys, pages):
    assert command(runs, f"{FOLLOW} ckpts=run logger=csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "last.ckpt is left out: the same as epoch_001.ckpt." in said
    assert (
        "6 images, 2 checkpoints, from epoch_000.ckpt after 1 epoch of training to epoch_001.ckpt after 2 epochs. "
        "96 perturbed images pass the networks."  # 6 × 4 × 2 orders × 2
    ) in said
    path, sentences, points, by_class, files, regions, pictures, downloads = pages[-1]
    assert (path.name, files) == ("faithfulness.html", {1: "epoch_000.ckpt", 2: "epoch_001.ckpt"})
    assert [point.epoch for point in points] == [1, 2]
    assert (list(by_class), regions, list(downloads)) == (
        ["1", "3"],
        ["border", "planted"],
        ["quality.csv", "correlations.csv"],
    )
    assert list(pictures) == [
        "Quality of heatmaps, beside accuracy", "Relevance in regions", "Relevance in regions, class 1",
        "Relevance in regions, class 3",
    ]  # fmt: skip
    assert "AOPC minus random order: too few epochs to tell its course." in sentences
    correlations = table(runs / "out" / "correlations.csv")
    assert {(row["measure"], row["with"]) for row in correlations} >= {("minus_random", "accuracy"), ("gini", "epochs")}
    assert {row["epochs"] for row in correlations} == {"2"}
    rows = table(runs / "out" / "quality.csv")
    assert {(row["epochs"], row["class"]) for row in rows} == {(e, c) for e in "12" for c in ("", "1", "3")}
    found = {(row["epochs"], row["class"], row["measure"]): row for row in rows}
    for epoch in "12":
        with np.load(runs / "out" / "measures" / f"epoch_00{epoch}.npz") as file:
            mean = float(file["minus_random"].mean())
            right, count = file["accuracy"]
        assert float(found[epoch, "", "minus_random"]["mean"]) == pytest.approx(mean)
        assert float(found[epoch, "", "accuracy"]["mean"]) == pytest.approx(right / count)
        assert int(found[epoch, "", "share/planted/net"]["n"]) < 6 == int(found[epoch, "", "share/border/net"]["n"])
        assert ("1", "1", "accuracy") not in found
    times = {path.name: path.stat().st_mtime_ns for path in (runs / "out" / "measures").iterdir()}
    (runs / "out" / "measures" / "epoch_002.npz").write_bytes(b"half")
    assert command(runs, f"{FOLLOW} ckpts=[run/checkpoints/epoch_001.ckpt,run/checkpoints/epoch_000.ckpt]") == 0
    again = {path.name: path.stat().st_mtime_ns for path in (runs / "out" / "measures").iterdir()}
    assert [name for name in sorted(times) if times[name] != again[name]] == ["epoch_002.npz"]
    assert table(runs / "out" / "quality.csv") == rows
    assert next((runs / "out").rglob("metrics.csv")).read_text().startswith("quality/minus_random")


def test_other_images_to_count_right_ones_on_are_measured_anew(runs, monkeypatch):
    def accuracies():
        assert command(runs, f"{FOLLOW} ckpts=run out=counted analysis.regions=null") == 0
        return [
            (row["mean"], row["n"]) for row in table(runs / "counted" / "quality.csv") if row["measure"] == "accuracy"
        ]

    every = accuracies()
    monkeypatch.setattr(quality_over_epochs, "ACCURATE", 7)
    few = accuracies()
    assert {n for _, n in few} == {"7"} != {n for _, n in every}


LAST, FIRST, WIDE = (f"{run}/checkpoints/{name}.ckpt" for run, name in (
    ("run", "last"), ("run", "epoch_000"), ("wide", "last")))  # fmt: skip
SENTENCES = {
    f"ckpts=[{LAST}]": "checkpoints after two or more epochs, got those of one alone.",
    "ckpts=nowhere": "ckpts expects a list, or a folder with *.ckpt of one training, but nowhere does not exist.",
    f"ckpts=[{WIDE},{LAST}]": "is compared within one architecture, but",
    f"ckpts=[{LAST},run/checkpoints/epoch_001.ckpt]": "checkpoints after two or more epochs, got those of one alone.",
    f"ckpt={LAST}": "analysis.regions are followed over epochs; give ckpts=[a,b,…] of one training.",
    f"ckpts=[{FIRST},{LAST}] analysis.regions=[bordr]": "the region 'bordr' expects a word or a picture file",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence(options, runs, capsys):
    shutil.rmtree(runs / "bad", ignore_errors=True)
    assert command(runs, f"{FOLLOW} {options} out=bad") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not (runs / "bad" / "measures").exists()
