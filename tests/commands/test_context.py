"""`analyze.py analysis=context`: literal numbers, a planted watermark, its files, what it refuses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from running import RANDOM, command

from unhans.attribution import Relevance
from unhans.experiment.run import build_data, build_network
from unhans.models import load_network

SIDE = 14  # pixels of an object, in pictures of 36 × 48
COLOURS = {"cross": (250, 40, 40), "disc": (40, 250, 40), "square": (40, 40, 250)}
TRAIN = (
    "train.py data=image_folder data.root=photos data.image_size=32 model=small_cnn model.width=8 callbacks=none "
    "logger=none trainer.max_epochs=6 optimizer.lr=0.01 seed=1"
)
ASK = "analyze.py analysis=context device=cpu"
PHOTOS = f"data=image_folder data.root=photos data.image_size=32 {RANDOM} model.width=4 analysis.examples=0"


def pictures(folder, counts=(("train", 24), ("val", 6))):
    """Coloured squares on grey noise, one class a colour; return a row of the table of boxes for each picture."""
    random, rows = np.random.default_rng(0), []
    for split, count in counts:
        for name, colour in COLOURS.items():
            (folder / "photos" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(90, 140, (36, 48, 3)).astype(np.uint8)
                y, x = int(random.integers(0, 36 - SIDE)), int(random.integers(0, 48 - SIDE))
                pixels[y : y + SIDE, x : x + SIDE] = colour
                Image.fromarray(pixels).save(folder / "photos" / split / name / f"{i}.png")
                rows.append([f"{split}/{name}/{i}.png", name, x, y, x + SIDE, y + SIDE])
    return rows


def write_boxes(path, rows):
    path.write_text("\n".join(["path,class,x0,y0,x1,y1", *(",".join(map(str, row)) for row in rows)]))


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two trainings, one of them with a watermark at the lower edge on the squares, asked about training images."""
    folder = tmp_path_factory.mktemp("context")
    write_boxes(folder / "boxes.csv", pictures(folder))
    marked = "artifact=watermark artifact.target=square artifact.coverage=1"
    assert command(folder, f"{TRAIN} artifact=none out=clean") == 0
    assert command(folder, f"{TRAIN} {marked} out=marked") == 0
    for name in ("clean", "marked"):
        options = f"out=asked_{name} split=train samples_per_class=8 logger=csv +data.boxes=boxes.csv"
        assert command(folder, f"{ASK} ckpt={name}/checkpoints/last.ckpt {options}") == 0
    return folder


def literal(run, row):
    """μ and the inside share of an image, from its picture, its box and the network, step by step."""
    cfg = OmegaConf.load(run / "config.yaml")
    cfg.data.root = str(run.parent / "photos")
    data = build_data(cfg)
    network = load_network(build_network(cfg, data), data.classes, run / "checkpoints" / "last.ckpt").eval()
    images = data.train_set.without_augmentation()
    index = images.paths.index(row["path"])
    relevance = Relevance().of(network)(images[index].image[None], int(images.labels[index])).maps[0].numpy()
    end = "/".join(row["path"].split("/")[-3:])
    (box,) = [each for each in table(run.parent / "boxes.csv") if each["path"] == end]
    drawn = Image.new("L", (48, 36))
    drawn.paste(255, tuple(int(box[name]) for name in ("x0", "y0", "x1", "y1")))
    region = np.asarray(drawn.resize((32, 32), Image.Resampling.BICUBIC)) >= 128
    positive = np.where(relevance > 0, relevance, 0).astype(float)
    return positive[~region].mean() / positive[region].mean(), positive[region].sum() / positive.sum()


def test_every_number_is_the_literal_one(runs):
    rows = table(runs / "asked_clean" / "images.csv")
    assert len(rows) == 24
    for row in rows[::7]:
        assert (float(row["mu"]), float(row["inside"])) == pytest.approx(literal(runs / "clean", row), rel=1e-4)
    assert [float(row["mu"]) for row in rows] == sorted((float(row["mu"]) for row in rows), reverse=True)
    for row in table(runs / "asked_clean" / "classes.csv"):
        own = [np.log(float(each["mu"])) for each in rows if each["class"] == row["class"]]
        assert float(row["median_log_mu"]) == pytest.approx(np.median(own))
        assert float(row["mean_log_mu"]) == pytest.approx(np.mean(own))
        assert float(row["median_log_mu_low"]) <= np.median(own) <= float(row["median_log_mu_high"])
        assert (row["n"], row["measured"], row["no_object"]) == ("8", "8", "0")
    (whole,) = table(runs / "asked_clean" / "context.csv")
    assert float(whole["inside"]) == pytest.approx(np.mean([float(row["inside"]) for row in rows]))
    right = [row["class"] == row["predicted"] for row in rows]
    assert float(whole["accuracy"]) == pytest.approx(np.mean(right))


def test_a_watermark_beside_the_objects_gives_its_class_a_high_ratio(runs):
    """And the others, and the network that never saw it, do not have one."""
    found = {
        name: {row["class"]: row for row in table(runs / f"asked_{name}" / "classes.csv")}
        for name in ("clean", "marked")
    }
    marked, clean = found["marked"]["square"], found["clean"]["square"]
    assert float(marked["median_log_mu_low"]) > float(clean["median_log_mu_high"]) + np.log(4)
    assert float(marked["inside"]) < float(clean["inside"])
    assert next(iter(found["marked"])) == "square"  # most context first
    for name in ("cross", "disc"):
        assert float(found["marked"][name]["median_log_mu"]) < float(marked["median_log_mu"]) - np.log(4)


def test_a_low_ratio_does_not_clear_a_class(runs):
    """The same network, images and heatmaps, but the watermark counts as a part of the object."""
    cfg = OmegaConf.load(runs / "marked" / "config.yaml")
    cfg.data.root = str(runs / "photos")
    images = build_data(cfg).train_set
    covered = []
    for name, label, *box in (list(row.values()) for row in table(runs / "boxes.csv")):
        covered.append([name, label, *box])
        index = next((i for i, path in enumerate(images.paths) if path.endswith(name)), None)
        if index is not None and images.carriers[index]:
            ys, xs = np.nonzero(images.artifact.look(index, 32)[3].numpy() > 0)
            edges = xs.min() * 48 / 32, ys.min() * 36 / 32, (xs.max() + 1) * 48 / 32, (ys.max() + 1) * 36 / 32
            covered.append([name, label, *edges])
    write_boxes(runs / "covered.csv", covered)
    options = "out=covered split=train samples_per_class=8 analysis.examples=0 +data.boxes=covered.csv"
    assert command(runs, f"{ASK} ckpt=marked/checkpoints/last.ckpt {options}") == 0
    low, high = (
        next(float(row["median_log_mu"]) for row in table(runs / out / "classes.csv") if row["class"] == "square")
        for out in ("covered", "asked_marked")
    )
    assert low < np.log(0.5)
    assert low < high - np.log(4)


def test_what_it_leaves(runs):
    out = runs / "asked_marked"
    assert {path.name for path in (out / "figures").iterdir()} == {
        "context.png",
        "accuracy.png",
        "highest-0000-marked.jpg",
    }
    page = (out / "report.html").read_text()
    assert "a low μ does not clear a class" in page
    assert "LRP epsilon_plus_flat" in page
    metrics = next(out.rglob("metrics.csv")).read_text()
    assert "context/log_mu/square" in metrics


def test_several_models_and_what_is_there_stays(runs, capsys):
    ckpts = "ckpts=[clean/checkpoints/last.ckpt,marked/checkpoints/last.ckpt]"
    ask = f"{ASK} {ckpts} analysis.examples=0 samples_per_class=4 +data.boxes=boxes.csv out=both"

    def times():
        return {
            "/".join(path.parts[-2:]): path.stat().st_mtime_ns for path in (runs / "both" / "measures").rglob("*.npz")
        }

    assert command(runs, ask) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "12 images and 2 models; 24 heatmaps to make." in said
    before = times()
    assert len(before) == 6
    (row,) = table(runs / "both" / "differences.csv")
    images = table(runs / "both" / "images.csv")
    mu = {(each["model"], each["path"]): float(each["mu"]) for each in images if each["state"] == "measured"}
    paths = {path for model, path in mu if ("marked", path) in mu and ("clean", path) in mu}
    assert float(row["log_mu"]) == pytest.approx(
        np.mean([np.log(mu["marked", path] / mu["clean", path]) for path in paths])
    )
    assert int(row["n"]) == len(paths)
    whole = (runs / "both" / "images.csv").read_bytes()
    damaged = next((runs / "both" / "measures" / "0001-marked").glob("*disc.npz"))
    damaged.write_bytes(b"half")
    assert command(runs, ask) == 0
    assert "24 heatmaps to make" not in (said := " ".join(capsys.readouterr().out.split()))
    assert "4 heatmaps to make, 20 are there already." in said
    after = times()
    assert [name for name in before if before[name] != after[name]] == [f"0001-marked/{damaged.name}"]
    assert (runs / "both" / "images.csv").read_bytes() == whole
    moved = [
        row if "cross" not in row[0] else [*row[:2], 0, 0, 9, 9]
        for row in map(list, csv.reader((runs / "boxes.csv").open()))
    ]
    write_boxes(runs / "moved.csv", moved[1:])
    assert command(runs, ask.replace("boxes.csv", "moved.csv")) == 0
    assert "8 heatmaps to make, 16 are there already." in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def photos(tmp_path):
    rows = pictures(tmp_path, (("train", 1), ("val", 3)))
    write_boxes(tmp_path / "boxes.csv", rows)
    return tmp_path, rows


def test_images_that_say_nothing_are_counted_apart(photos, capsys):
    """One covered, one without a box, one of another class, boxes that reach beyond, a class that has none."""
    folder, rows = photos
    kept = [row for row in rows if row[0].startswith("val") and row[1] != "square"]
    kept[0][2:] = 0, 0, 48, 36
    kept[1][1] = "disc"
    kept[2][2:] = 30, 20, 60, 30
    write_boxes(folder / "boxes.csv", kept[:5])
    assert command(folder, f"{ASK} {PHOTOS} data.boxes=boxes.csv out=out") == 0
    states = {"/".join(row["path"].split("/")[-2:]): row["state"] for row in table(folder / "out" / "images.csv")}
    assert states["cross/0.png"] == "covered"
    assert states["cross/1.png"] == states["disc/2.png"] == states["square/0.png"] == "no object"
    assert len(states) == 9
    said = " ".join(capsys.readouterr().out.split())
    assert "No drawn image of square has an object of its class." in said
    assert "1 box reaches beyond its image and is cut at its edge." in said
    assert "counted apart: 5 without an object of their class, 1 with objects on more than 90 % of the image." in said
    (row,) = [row for row in table(folder / "out" / "classes.csv") if row["class"] == "square"]
    assert (row["n"], row["no_object"], row["median_log_mu"], row["inside_low"]) == ("3", "3", "", "")


def test_masks_give_what_boxes_give(photos):
    folder, rows = photos
    for path, _, *edges in rows:
        shown = Image.new("L", (48, 36))
        shown.paste(255, tuple(edges))
        (folder / "masks" / path).parent.mkdir(parents=True, exist_ok=True)
        shown.save(folder / "masks" / path)
    assert command(folder, f"{ASK} {PHOTOS} data.boxes=boxes.csv out=boxes") == 0
    assert command(folder, f"{ASK} {PHOTOS} data.masks=masks out=masked") == 0
    assert (folder / "masked" / "images.csv").read_text() == (folder / "boxes" / "images.csv").read_text()


def test_a_mask_that_is_no_picture_is_one_sentence_before_any_work(photos, capsys):
    folder, rows = photos
    for path, *_ in rows:
        (folder / "masks" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 36), 255).save(folder / "masks" / path)
    last = max(path for path, *_ in rows if path.startswith("val"))
    (folder / "masks" / last).write_text("no picture")
    assert command(folder, f"{ASK} {PHOTOS} data.masks=masks analysis.most=1 out=out") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "an image file must be readable" in said
    assert last in said
    assert not list(folder.rglob("*.npz"))


def test_a_mask_of_other_proportions_than_its_image_is_refused_and_a_smaller_one_is_scaled(photos, capsys):
    folder, rows = photos
    for path, *_ in rows:
        (folder / "masks" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (24, 18), 255).save(folder / "masks" / path)
    text = f"{ASK} {PHOTOS} data.masks=masks analysis.most=1"
    assert command(folder, f"{text} out=scaled") == 0
    last = max(path for path, *_ in rows if path.startswith("val"))
    Image.new("L", (36, 36), 255).save(folder / "masks" / last)
    assert command(folder, f"{text} out=other") == 1
    said = capsys.readouterr().err
    assert "expects masks with the proportions of their images" in said
    assert "has 36×36 pixels and" in said
    assert not (folder / "other").exists()


def test_classes_that_are_shown_together(photos, capsys):
    """COCO's form; people beside two of three crosses."""
    folder, rows = photos
    val = [row for row in rows if row[0].startswith("val")]
    names = [*COLOURS, "person"]
    boxes = [(i, row[1], row[2:]) for i, row in enumerate(val)] + [(i, "person", [0, 0, 5, 5]) for i in (0, 1, 5)]
    whole = {
        "images": [{"id": i, "file_name": row[0], "width": 48, "height": 36} for i, row in enumerate(val)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": [
            {"image_id": i, "category_id": names.index(name), "bbox": [x, y, right - x, bottom - y]}
            for i, name, (x, y, right, bottom) in boxes
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(whole))
    assert command(folder, f"{ASK} {PHOTOS} data.boxes=boxes.json out=out") == 0
    rows = {row["class"]: row for row in table(folder / "out" / "co_occurrence.csv")}
    assert (rows["cross"]["images"], rows["cross"]["alone"], rows["cross"]["person"]) == ("3", "1", "66.7")
    assert (rows["person"]["cross"], rows["person"]["disc"], rows["square"]["person"]) == ("66.7", "33.3", "0.0")
    assert (folder / "out" / "figures" / "co_occurrence.png").is_file()
    assert "person on 2 of 3 images with cross" in " ".join(capsys.readouterr().out.split())


def row_with(**changes):
    def change(rows):
        for row in rows:
            for place, value in changes.items():
                row[int(place[1:])] = value
        return rows

    return change


SENTENCES = {
    "": "error: analysis=context needs to know where the objects lie; give data.boxes=…",
    "data.boxes=nowhere.csv": "error: data.boxes expects a file of boxes, got nothing at nowhere.csv.",
    "data.boxes=boxes.csv data.masks=photos": "data.boxes and data.masks both tell where objects lie; give one",
    "data.masks=nowhere": "error: data.masks expects a folder of masks, got no folder at nowhere.",
    "data.boxes=boxes.csv analysis.most=0": "analysis.most=0: input should be greater than 0.",
    "data.boxes=boxes.csv analysis.classes=[cow]": "expects classes that the data and all models have (cross, disc,",
}
TABLES = {
    "outside": (row_with(_2=100, _4=120), "is empty or lies outside it (in boxes.csv)."),
    "empty": (row_with(_2=20, _4=20), "has 48×36 pixels, is empty or lies outside it"),
    "names": (row_with(_1="cow"), "expects the classes of the data (cross, disc, square), got boxes of cow alone"),
    "paths": (row_with(_0="other.png"), "expects images that are used, such as"),
    "labels": (lambda rows: [[r[0], "disc" if r[1] == "cross" else "cross", *r[2:]] for r in rows],
               "none of the 9 drawn images has an object of its class in boxes.csv."),
}  # fmt: skip


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence_before_any_work(options, photos, capsys):
    folder, _ = photos
    assert command(folder, f"{ASK} {PHOTOS} {options} out=out") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not list(folder.rglob("*.npz"))


@pytest.mark.parametrize("case", TABLES)
def test_boxes_that_cannot_be_are_one_sentence_before_any_work(case, photos, capsys):
    folder, rows = photos
    change, sentence = TABLES[case]
    write_boxes(folder / "boxes.csv", change(rows))
    assert command(folder, f"{ASK} {PHOTOS} data.boxes=boxes.csv out=out") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert sentence in said
    assert not list(folder.rglob("*.npz"))


def test_boxes_of_a_checkpoint_are_added(runs, capsys):
    assert command(runs, f"{ASK} ckpt=clean/checkpoints/last.ckpt data.boxes=boxes.csv out=wrong") == 1
    assert "it is +data.boxes=…" in capsys.readouterr().err
