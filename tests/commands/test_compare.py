"""`analyze.py analysis=compare`: several checkpoints on the same images, its files, and what it refuses."""

from __future__ import annotations

import csv

import pytest
from running import command

TRAIN = (
    "train.py data.max_per_class=60 data.max_per_class_val=24 data.image_size=16 data.classes=[1,3,7] model.width=4 "
    "trainer.max_epochs=2 callbacks=none logger=none correct=false"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three seeds of one training, and one without the artifact."""
    folder = tmp_path_factory.mktemp("compare")
    for seed in (0, 1, 2):
        assert command(folder, f"{TRAIN} seed={seed} out=marked{seed}") == 0
    assert command(folder, f"{TRAIN} artifact=none out=clean") == 0
    return folder


ALL = "ckpts=[{}]".format(
    ",".join(f"{name}/checkpoints/last.ckpt" for name in ("marked0", "marked1", "marked2", "clean"))
)
SMALL = "analysis=compare attribution=input_x_gradient spray.n_neighbors=5 analysis.examples=2 batch_size=16"


@pytest.fixture(scope="module")
def compared(runs):
    assert command(runs, f"analyze.py {SMALL} {ALL} +artifact.val_coverage=0.5 out=out") == 0
    return runs / "out"


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_pair_is_held_against_the_twins(compared):
    rows = table(compared / "agreement.csv")
    pairs = {(row["first"], row["second"]): row["twins"] for row in rows}
    assert len(pairs) == 6
    assert sorted(name for pair, twins in pairs.items() if twins == "True" for name in pair) == (
        sorted(2 * ["marked0", "marked1", "marked2"])
    )
    assert {row["class"] for row in rows} == {"all", "1", "3", "7"}
    assert {row["measure"] for row in rows} == {"cosine", "rank correlation", "top overlap"}
    assert {row["reasons"] for row in rows} <= {"different", "as twins", "unsure among many", "twins disagree as much"}


def test_everything_is_written(compared):
    names = {path.relative_to(compared).as_posix() for path in compared.rglob("*") if path.is_file()}
    assert names >= {
        "report.html", "config.yaml", "models.csv", "predictions.csv", "agreement.csv", "disagreements.csv",
        "effects.csv", "effect_differences.csv", "detection.csv", "matrices.png", "classes.png", "spectra.png",
        "eigenvalues.png", "eigenvalues.csv", "complexity.csv",
        "mean_maps.jpg", "models/0000.npz", "models/0003.npz",
    }  # fmt: skip
    assert len([name for name in names if name.startswith("heatmaps/")]) == 3
    (seed,) = {row["seed"] for row in table(compared / "models.csv") if row["model"] == "clean"}
    assert seed == "0"
    assert {row["artifact"] for row in table(compared / "models.csv")} == {"Watermark", "none"}
    assert len(table(compared / "effects.csv")) == 4
    assert len(table(compared / "effect_differences.csv")) == 6
    listed = table(compared / "disagreements.csv")
    assert {row["class"] for row in listed} == {"1", "3", "7"}
    assert any(row["carries"] == "True" for row in listed)
    page = (compared / "report.html").read_text()
    assert "Every two models" in page
    assert "seed twins" in page


def test_artifacts_that_were_isolated_are_measured_in_every_model(runs, capsys):
    """The furthest group of difference maps is isolated; its folder is taken by the next comparison."""
    two = "ckpts=[marked0/checkpoints/last.ckpt,clean/checkpoints/last.ckpt]"
    base = f"analyze.py {SMALL} {two} +artifact.val_coverage=0.5 out=apart analysis.effect_samples=20"
    assert command(runs, f"{base} analysis.isolate=1") == 0
    out = runs / "apart"
    assert {row["artifact"] for row in table(out / "effects.csv")} - {"watermark"}
    folder = sorted((out / "isolated").iterdir())[0]
    capsys.readouterr()
    assert command(runs, f"{base} analysis.artifacts=[apart/isolated/{folder.name}]") == 0
    rows = table(out / "effects.csv")
    given = {row["artifact"] for row in rows} - {"watermark"}
    assert given
    assert all(name.startswith(f"{folder.name}/") for name in given)
    assert len(rows) == 2 * (1 + len(given))
    told = " ".join(capsys.readouterr().out.split())
    assert "the same command with analysis.isolate=1" in told
    assert "analyze.py analysis=effect ckpt=" in told
    listed = table(out / "furthest_group.csv")
    assert len({(row["first"], row["second"], row["class"], row["group"]) for row in listed}) == 1


def test_what_was_measured_is_taken_again(runs, compared, capsys):
    kept = {path: path.stat().st_mtime_ns for path in (compared / "models").iterdir()}
    assert command(runs, f"analyze.py {SMALL} {ALL} +artifact.val_coverage=0.5 out=out analysis.names=[a,b,c,d]") == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "a – b" in capsys.readouterr().out


def test_without_twins_it_is_said_what_cannot_be_said(runs, capsys):
    two = "ckpts=[marked0/checkpoints/last.ckpt,clean/checkpoints/last.ckpt]"
    assert command(runs, f"analyze.py {SMALL} {two} out=two analysis.effect_samples=0") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "There are no seed twins" in said
    assert "No artifact was tested in them" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "analysis=compare ckpts=[marked0/checkpoints/last.ckpt]",
            "takes two or more checkpoints, ckpts=[a,b,…], or ckpts=FOLDER",
        ),
        ("analysis=compare ckpt=marked0/checkpoints/last.ckpt", "got ckpt=marked0/checkpoints/last.ckpt."),
        (
            "analysis=compare ckpt=clean/checkpoints/last.ckpt ckpts=[a,b]",
            "give either ckpt= or ckpts=, got ckpt=clean",
        ),
        (
            "analysis=compare ckpts=clean/checkpoints/last.ckpt",
            "is a file; a list of one is ckpts=[clean/checkpoints/last",
        ),
        ("analysis=compare ckpts=[clean,marked0]", "clean is a folder; did you mean clean/checkpoints/last.ckpt?"),
        ("analysis=spray ckpts=[a,b]", "this analysis takes one checkpoint, ckpt=…; got ckpts=['a', 'b']."),
        ("analysis=compare ckpts=[marked0/checkpoints/last.ckpt,none.ckpt]", "none.ckpt does not exist"),
        (f"analysis=compare {ALL} analysis.names=[a]", "one for each of 4 models, got 1"),
        (f"analysis=compare {ALL} analysis.classes=[cat]", "got 'cat'"),
        (f"analysis=compare {ALL} analysis.twins=[[x,y]]", "groups of two or more names of models"),
        (f"analysis=compare {ALL} analysis.artifacts=[nowhere]", "got no file at nowhere"),
        (f"analysis=compare {ALL} analysis.isolate=1 analysis.effect_samples=0", "analysis.isolate needs effects"),
    ],
)
def test_bad_input_is_one_sentence(runs, capsys, arguments, message):
    assert command(runs, f"analyze.py {arguments} attribution=input_x_gradient out=bad") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert message in said
    assert "Traceback" not in said
