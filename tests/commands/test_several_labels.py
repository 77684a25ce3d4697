"""Images that may show several classes: the table, the split, training, average precision, and audits by class."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from rich.console import Console
from running import RANDOM, command
from sklearn.metrics import average_precision_score
from torch import nn

from unhans.data import (
    Arrays,
    ImageDataset,
    LabelVectors,
    SeveralLabels,
    TrainValUnion,
    has_several,
    once,
    rows_of,
    without_class,
)
from unhans.data.sources import LabelTable
from unhans.experiment.run import Classifier
from unhans.experiment.run.classifier import loss_of
from unhans.experiment.train.train_command import Corrections
from unhans.faithfulness import co_occurrence
from unhans.report.figures import Look
from unhans.report.files import HeatmapPages, Looked
from unhans.report.tables.quality import co_occurrence_table

NAMES = ["ring", "bar", "dot"]
PLACES = {"ring": (2, 2), "bar": (2, 10), "dot": (10, 2)}  # of a square of 4 pixels


def write_table(folder, n=90, split=True):
    """Images of 16 × 16 that show each of three squares by chance, and the table of what they show."""
    random = np.random.default_rng(0)
    folder.mkdir()
    held = random.random((n, 3)) < 0.5
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *(["split"] if split else []), *NAMES])
        for i, row in enumerate(held):
            pixels = random.integers(0, 80, (16, 16, 3), dtype=np.uint8)
            for name, shown in zip(NAMES, row, strict=True):
                if shown:
                    top, left = PLACES[name]
                    pixels[top : top + 4, left : left + 4] += 150
            Image.fromarray(pixels).save(folder / f"{i}.png")
            writer.writerow([f"{i}.png", *([["train", "val"][i % 3 == 0]] if split else []), *map(int, row)])
    return held


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    write_table(folder / "shapes", 240)
    return folder


def test_a_table_becomes_entries_by_class_and_each_image_trains_once(tmp_path):
    held = write_table(tmp_path / "shapes", 30, split=False)
    data = LabelTable(tmp_path / "shapes" / "labels.csv", image_size=16, batch_size=8)
    data.setup()
    parts = [LabelVectors(part) for part in (data.train_set, data.val_set)]
    paths = [path for part in parts for path in part.paths]
    assert sorted(paths) == sorted(str(tmp_path / "shapes" / f"{i}.png") for i in range(30))  # no image is in both
    for part, own in zip(parts, (data.train_set, data.val_set), strict=True):
        numbers = [int(path.rpartition("/")[2][:-4]) for path in part.paths]
        assert (part.labels == held[numbers]).all()
        for label in range(3):
            expected = sorted(path for path, row in zip(part.paths, part.labels, strict=True) if row[label])
            assert sorted(np.array(own.paths)[own.labels == label]) == expected
    images, labels, index = next(iter(data.train_dataloader()))
    assert (images.shape, labels.shape, labels.dtype) == ((8, 3, 16, 16), (8, 3), torch.float32)
    assert (parts[0].labels[index] == labels.numpy()).all()
    both = TrainValUnion(data.train_set, data.val_set)
    assert has_several(both)
    elsewhere = without_class(both, both.labels, 0)
    assert all(not held[int(both.paths[i].rpartition("/")[2][:-4]), 0] for i in np.flatnonzero(elsewhere))
    assert len(rows_of(both)) == len(both)


def test_choosing_classes_and_limits_keeps_images_whole():
    held = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1]], bool)
    images = Arrays(np.zeros((4, 2, 2), np.uint8), list("abcd"))
    whole = SeveralLabels.of(images, held, NAMES)
    assert list(zip(whole.images.paths, whole.labels.tolist(), strict=True)) == [
        ("a", 0), ("a", 1), ("b", 2), ("c", -2), ("d", 0), ("d", 2),
    ]  # fmt: skip
    assert whole.counts().tolist() == [2, 1, 2]
    some = whole.of_classes(["dot", "ring"])
    assert list(zip(some.images.paths, some.labels.tolist(), strict=True)) == [
        ("a", 1), ("b", 0), ("c", -2), ("d", 0), ("d", 1),
    ]  # fmt: skip
    few = whole.at_most(1, seed=0)
    kept = set(few.images.paths)
    assert [p for p in whole.images.paths if p in kept] == few.images.paths
    assert (few.counts() >= 1).all()


def test_an_image_with_several_labels_counts_once_and_not_among_the_others():
    held = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 0, 1]], bool)
    whole = SeveralLabels.of(Arrays(np.zeros((4, 2, 2), np.uint8), list("abcd")), held, NAMES)
    part = ImageDataset(whole, image_size=2, mean=[0.5] * 3, std=[0.5] * 3)
    others = once(part, np.flatnonzero(without_class(part, part.labels, 0)))
    assert [part.paths[i] for i in others] == ["b", "c"]
    assert once(part, np.arange(len(part))).tolist() == [0, 2, 4, 5]


def test_losses_in_closed_form():
    logits, labels = torch.tensor([[2.0, -0.5], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert float(loss_of(logits, labels, "hinge")) == pytest.approx((0 + 0.5 + 1 + 0) / 2)
    p = 1 / (1 + np.exp(-logits.numpy()))
    expected = -np.mean(np.where(labels.numpy() == 1, np.log(p), np.log(1 - p)))
    assert float(loss_of(logits, labels, "bce")) == pytest.approx(expected, rel=1e-5)


def test_average_precision_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    logits, labels = 8 * random.normal(size=(60, 3)) + 20, random.integers(0, 2, (60, 3))  # float32 sigmoids are 1
    labels[:, 2] = 0
    module = Classifier(nn.Identity(), NAMES, None, loss="bce")
    logged = {}
    module.log_dict, module.log = logged.update, lambda name, value, **options: logged.update({name: float(value)})
    for rows in np.split(np.arange(60), 4):
        module.validation_step((torch.tensor(logits[rows]), torch.tensor(labels[rows]).float()), 0)
    module.on_validation_epoch_end()
    expected = [average_precision_score(labels[:, i], logits[:, i]) for i in range(2)]
    assert [logged["val/ap/ring"], logged["val/ap/bar"]] == pytest.approx(expected)
    assert "val/ap/dot" not in logged  # no image shows it
    assert logged["val/map"] == pytest.approx(np.mean(expected))


TRAIN = (
    "train.py data=label_table data.table=shapes/labels.csv data.image_size=16 model.width=8 trainer.max_epochs=4 "
    "optimizer.lr=0.02 trainer.accelerator=cpu logger=none data.batch_size=16 data.classes=null"
)
PLANTED = "artifact=watermark artifact.target=ring artifact.coverage=0.5"
AUDIT = (
    "callbacks.spray_audit.verify=false callbacks.spray_audit.pages=0 callbacks.spray_audit.every_n_epochs=4 "
    "spray.n_neighbors=4 spray.projection=null"
)


def check_co_occurrence(folder, said):
    with (folder / "shapes" / "labels.csv").open() as file:
        images = [
            {name for name in NAMES if row[name] == "1"} for row in csv.DictReader(file) if row["split"] == "train"
        ]
    with (folder / "run" / "co_occurrence.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    for name in NAMES:
        own = [each for each in images if name in each]
        assert (int(rows[name]["images"]), int(rows[name]["alone"])) == (len(own), own.count({name}))
        for other in NAMES:
            expected = 100 * sum(other in each for each in own) / len(own)
            assert float(rows[name][other]) == pytest.approx(expected, abs=0.051)
    assert "Classes shown together" in said
    assert f"{images.count(set())} images show no class." in said


def test_a_proven_artifact_is_not_corrected_and_the_page_says_why(tmp_path):
    case, data = SimpleNamespace(proven=True), SimpleNamespace(several=True)
    found = Corrections(None, None, data, tmp_path).correct(case)
    assert found.error.startswith("A correction is judged by accuracy")


VOC = (
    "<annotation><filename>{}.png</filename><size><height>16</height><width>16</width></size>{}</annotation>",
    "<object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></object>",
)


def write_voc(folder, n=12):
    """VOC's two folders; every third picture shows nothing, the others one ring twice, or a ring and a bar."""
    for name in ("Annotations", "JPEGImages"):
        (folder / name).mkdir(parents=True)
    for i in range(n):
        Image.fromarray(np.full((16, 16, 3), 20 * i, dtype=np.uint8)).save(folder / "JPEGImages" / f"{i}.png")
        names = [[], ["ring", "ring"], ["ring", "bar"]][i % 3]
        text = VOC[0].format(i, "".join(VOC[1].format(name) for name in names))
        (folder / "Annotations" / f"{i}.xml").write_text(text)


def test_objects_of_voc_are_labels(tmp_path):
    write_voc(tmp_path)
    data = LabelTable(tmp_path / "Annotations", image_size=16, val_share=0.25)
    data.setup()
    assert data.classes == ["bar", "ring"]
    parts = [LabelVectors(part) for part in (data.train_set, data.val_set)]
    rows = [each for part in parts for each in zip(part.paths, part.labels.tolist(), strict=True)]
    found = {path.rpartition("/")[2]: row for path, row in rows}
    assert found == {f"{i}.png": [int(i % 3 == 2), int(i % 3 > 0)] for i in range(12)}
    one = LabelTable(tmp_path / "Annotations", columns=["ring"])
    assert one.load()[0].classes == ["ring"]
    with pytest.raises(FileNotFoundError, match=r"data\.root expects the pictures of"):
        LabelTable(tmp_path / "Annotations", root=tmp_path).load()
    (tmp_path / "Annotations" / "0.xml").write_text(VOC[0].format(0, VOC[1].format("")))
    with pytest.raises(ValueError, match=r"expects objects with a name, got one without for 0\.png"):
        LabelTable(tmp_path / "Annotations").load()


def test_a_table_of_many_classes_fits_a_terminal():
    names = [f"class number {i}" for i in range(9)]
    console = Console(width=80, record=True)
    with console.capture() as said:
        console.print(co_occurrence_table(co_occurrence([set(names[: 2 + i % 8]) for i in range(40)]), 3))
    assert max(map(len, said.get().splitlines())) <= 80
    text = " ".join(said.get().split())
    assert "3 images show no class. The 6 most frequent of 9 classes; all are in co_occurrence.csv." in text


def test_a_training_and_audits_by_class(folder, capsys):
    assert command(folder, f"{TRAIN} {PLANTED} {AUDIT} out=run") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "The planted class 'ring' ranks 1st of 3" in said
    assert "on 160 images of 3 classes for 4 epochs; validating on 80." in said
    assert "A correction is judged by accuracy, which images that may show several classes do not have: what" in said
    check_co_occurrence(folder, said)
    assert (folder / "run" / "report.html").is_file()
    text = "analyze.py ckpt=run/checkpoints/last.ckpt device=cpu spray.n_neighbors=4 spray.projection=null out=audit"
    assert command(folder, f"{text} parallel.n_jobs=1") == 0
    with (folder / "audit" / "ranking.csv").open() as file:
        assert set(NAMES) <= {value for row in csv.DictReader(file) for value in row.values()}


def test_heatmaps_and_conservation_leave_out_images_of_no_class(folder, tmp_path, capsys):
    text = f"analyze.py data=label_table data.table=shapes/labels.csv data.image_size=16 {RANDOM} device=cpu split=val"
    assert command(folder, f"{text} analysis=conservation analysis.samples=400 out={tmp_path / 'books'}") == 0
    with (folder / "shapes" / "labels.csv").open() as file:
        rows = [[int(row[name]) for name in NAMES] for row in csv.DictReader(file) if row["split"] == "val"]
    said, unshown = " ".join(capsys.readouterr().out.split()), sum(not any(row) for row in rows)
    assert f"{np.sum(rows)} val images" in said  # once for each class it shows
    assert f"{unshown} of {np.sum(rows) + unshown} images have no class and are left out" in said
    assert unshown
    asked = "analysis=heatmaps analysis.per_class=1 analysis.outputs=2"
    assert command(folder, f"{text} {asked} out={tmp_path / 'maps'}") == 0
    assert {path.name for path in (tmp_path / "maps" / "heatmaps").glob("0*.png")} == {
        "0000-ring.png", "0001-bar.png", "0002-dot.png"
    }  # fmt: skip
    data = LabelTable(folder / "shapes" / "labels.csv", image_size=16)
    data.setup()
    empty = int(np.flatnonzero(data.val_set.labels < 0)[0])
    assert command(folder, f"{text} analysis=heatmaps analysis.samples=[{empty}] out={tmp_path / 'none'}") == 1
    assert (
        f"samples expects images that show a class, whose heatmaps are drawn; {empty} shows" in capsys.readouterr().err
    )


def test_each_class_has_a_probability_of_its_own(tmp_path):
    pages = HeatmapPages(tmp_path, NAMES, "the label", "val", Look(), several=True)
    logits = torch.tensor([[1.0, 2.0, -3.0]])
    looked = Looked(0, torch.zeros(1, 3, 4, 4), np.array([7]), logits, [])
    assert pages._caption(looked, 0) == "sample 7 · p = 0.73, rank 2 · 2 classes predicted"
    assert [pages._is_wrong(replace(looked, label=label), 0) for label in range(3)] == [False, False, True]
    odds = pages._odds_of(pages._odds(logits[0]), [[0], [0, 1]])
    assert odds == pytest.approx([1 / (1 + np.exp(-1)), np.nan], nan_ok=True)


OBJECTS = {"ring": (0, 0, 6, 6), "bar": (0, 0, 7, 1), "dot": (0, 0, 2, 2)}


def write_objects(folder, n=330, side=24):
    """Noisy images with a faint ring, bar and dot, each by chance and anywhere, and the table of what they show."""
    random = np.random.default_rng(0)
    folder.mkdir()
    lines = ["path,split,ring,bar,dot"]
    for i, row in enumerate(random.random((n, 3)) < 0.45):
        picture = Image.new("L", (side, side))
        draw = ImageDraw.Draw(picture)
        for name, shown in zip(OBJECTS, row, strict=True):
            box = np.array(OBJECTS[name]) + np.tile(random.integers(1, side - 9, 2), 2)
            if shown:
                draw.ellipse(box.tolist(), outline=60) if name == "ring" else draw.rectangle(box.tolist(), fill=60)
        pixels = random.integers(20, 110, (side, side, 3)) + np.asarray(picture)[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png,{['train', 'val'][i % 3 == 0]},{','.join(map(str, row.astype(int)))}")
    (folder / "labels.csv").write_text("\n".join(lines))


FOUND = (
    f"{TRAIN} {AUDIT} data.image_size=24 trainer.max_epochs=6 optimizer.lr=0.01 callbacks.spray_audit.every_n_epochs=6 "
    "callbacks.spray_audit.verify=true callbacks.spray_audit.classes=[ring] "
)
EFFECT = "analyze.py device=cpu analysis=effect analysis.classes=[ring] parallel.n_jobs=1 spray.n_neighbors=4 "


TRUTH = r"was found in (\d+) samples, (\d+) of the (\d+) with the artifact among them, .* IoU of (\d\.\d+)"


def only_case(folder):
    (path,) = folder.rglob("cases.json") if (folder / "audit").is_dir() else [folder / "effects.json"]
    found = json.loads(path.read_text())
    (case,) = [each for each in (found if isinstance(found, list) else found["cases"]) if each["class"] == "ring"]
    return case


def test_a_watermark_on_one_of_several_labels_is_isolated_and_proven_by_both_commands(tmp_path, capsys):
    write_objects(tmp_path / "shapes")
    assert command(tmp_path, f"{FOUND} artifact=watermark artifact.target=ring artifact.coverage=0.7 out=run") == 0
    said = [" ".join(capsys.readouterr().out.split())]
    assert command(tmp_path, f"{EFFECT} ckpt=run/checkpoints/last.ckpt spray.projection=null out=effect") == 0
    said.append(" ".join(capsys.readouterr().out.split()))
    for folder, text in zip(("run", "effect"), said, strict=True):
        assert only_case(tmp_path / folder)["verdict"] == "proven", text
        found, right, carriers, iou = re.search(TRUTH, text).groups()
        assert int(right) >= 0.9 * max(int(carriers), int(found))
        assert float(iou) > 0.7


def test_without_a_watermark_nothing_is_proven(tmp_path, capsys):
    write_objects(tmp_path / "shapes")
    assert command(tmp_path, f"{FOUND} artifact=none out=run") == 0
    assert only_case(tmp_path / "run")["verdict"] != "proven", capsys.readouterr().out


DIGITS = "train.py data.max_per_class=5 artifact=none callbacks=none logger=none"
SENTENCES = {
    f"{TRAIN} artifact=none callbacks=none loss=cross_entropy": "loss expects bce or hinge, as images may show several",
    f"{DIGITS} loss=bce": "loss expects cross_entropy, got",
    f"{TRAIN} artifact=none callbacks=none data.columns=[cow]": "data.table expects a column 'cow'",
    f"{TRAIN} artifact=none callbacks=none data.columns=[path,ring]": "the column 'path' of a class expects 0 or 1",
    f"{TRAIN} {PLANTED} experiment=augment": "repair needs images of one class each",
    f"{TRAIN} {PLANTED} experiment=rashomon": "experiment=rashomon needs images of one class each",
    f"{TRAIN} artifact=none callbacks=none data.table=no.csv": "data.table must be a CSV file, got no file at",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_bad_input_is_one_sentence(text, folder, tmp_path, capsys):
    assert command(folder, f"{text} out={tmp_path / 'out'}") == 1
    assert SENTENCES[text] in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.ckpt"))  # nothing was trained
