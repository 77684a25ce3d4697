"""`analyze.py analysis=cleaning`: a new folder of images, the originals untouched."""

from __future__ import annotations

import csv
import hashlib

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from running import RANDOM, command, only_run

from unhans.data import native_mask
from unhans.data.image_io import resize
from unhans.experiment.run import build_data

SIDE = 32


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def listing(path, rows):
    path.write_text("path,split\n" + "".join(f"{name},{split}\n" for name, split in rows))
    return path


def hashes(folder):
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.fixture
def photos(tmp_path):
    """Oblong pictures of two classes with a red mark at the top left."""
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2)):
        for name in ("cat", "dog"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for i in range(count):
                picture = random.integers(100, 120, (48, 64, 3), dtype=np.uint8)
                picture[:12, :16] = (255, 0, 0)
                Image.fromarray(picture).save(tmp_path / "photos" / split / name / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def text(tmp_path, photos):
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[:8, :8] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rows = [(photos / "train" / "cat" / f"{i}.png", "") for i in (1, 4)] + [(photos / "val" / "dog" / "0.png", "val")]
    listing(tmp_path / "s.csv", rows)
    return (
        f"analyze.py analysis=cleaning data=image_folder data.root={photos} data.image_size={SIDE} {RANDOM} "
        "device=cpu out=out analysis.suspects=s.csv"
    )


LISTED = {"train/cat/1.png", "train/cat/4.png", "val/dog/0.png"}


def test_a_filter_leaves_listed_images_out_and_touches_nothing(photos, text, tmp_path):
    before = hashes(photos)
    assert command(tmp_path, f"{text} analysis.way=filter") == 0
    cleaned = tmp_path / "out" / "cleaned"
    assert {str(path.relative_to(cleaned)) for path in cleaned.rglob("*.png")} == set(before) - LISTED
    assert (pixels(cleaned / "train/dog/3.png") == pixels(photos / "train/dog/3.png")).all()
    assert hashes(photos) == before
    assert [row["outcome"] for row in table(tmp_path / "out" / "cleaning.csv")] == ["left out"] * 3


def test_a_drawn_mask_is_painted_over_at_the_size_of_the_pictures(photos, text, tmp_path):
    before = hashes(photos)
    assert command(tmp_path, f"{text} analysis.mask=mask.png") == 0
    cleaned = tmp_path / "out" / "cleaned"
    for name in before:
        old, new = pixels(photos / name), pixels(cleaned / name)
        assert old.shape == new.shape
        red = new[..., 0] - new[..., 1] > 100
        assert red.any() == (name not in LISTED)
        assert (old[16:, 20:] == new[16:, 20:]).all()
        assert name in LISTED or (old == new).all()
    assert hashes(photos) == before
    assert (tmp_path / "out" / "cleaning.png").is_file()


def test_an_interrupted_run_is_gone_on_with_and_other_settings_are_refused(photos, text, tmp_path, capsys):
    assert command(tmp_path, f"{text} analysis.mask=mask.png") == 0
    cleaned = tmp_path / "out" / "cleaned"
    finished = hashes(cleaned)
    for name in ("train/cat/1.png", "val/cat/0.png"):
        (cleaned / name).unlink()
    (cleaned / "train" / "cat" / f".{'0' * 32}.part").write_bytes(b"half")
    assert command(tmp_path, f"{text} analysis.mask=mask.png") == 0
    again = hashes(cleaned)
    assert {name: one[0] for name, one in again.items()} == {name: one[0] for name, one in finished.items()}
    assert again["train/cat/4.png"] == finished["train/cat/4.png"]
    capsys.readouterr()
    assert command(tmp_path, f"{text} analysis.way=filter") == 1
    assert "was inpaint, now filter" in capsys.readouterr().err
    assert hashes(cleaned) == again


SENTENCES = [
    ("analysis.way=blur", "analysis.way='blur': input should be 'inpaint' or 'filter'"),
    ("analysis.fill=truth", "analysis.fill expects one of telea, navier_stokes, blur, mean, got 'truth'"),
    ("", "analysis.way=inpaint needs the folder of analysis=effect"),
    ("analysis.effects=nowhere", "nowhere holds no artifacts/"),
    (
        "analysis.suspects=nowhere.csv",
        "analysis.suspects expects a table such as suspects.csv, but nowhere.csv does not exist",
    ),
    ("analysis.mask=mask.png analysis.effects=x", "leave analysis.effects out"),
    ("analysis.mask=mask.png out=photos/out", "lies in the data's own folder"),
    ("analysis.mask=nowhere.png", "analysis.mask expects a picture file"),
]


@pytest.mark.parametrize(("more", "sentence"), SENTENCES)
def test_bad_input_is_one_sentence_and_writes_no_image(more, sentence, text, tmp_path, capsys):
    assert command(tmp_path, f"{text} {more}") == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert sentence in said[0]
    assert not list(tmp_path.glob("out/cleaned/**/*.png"))


@pytest.mark.parametrize("how", ["squash", "crop", "pad", "mirror"])
@pytest.mark.parametrize("size", [(60, 90), (90, 60), (16, 20), (32, 32)])
def test_a_mask_finds_its_place_in_the_original(how, size):
    """A white spot, seen through `resize`, comes back as a mask that covers it, and little more."""
    height, width = size
    spot = np.zeros((*size, 3), dtype=np.uint8)
    rows, columns = slice(height * 3 // 8, height * 5 // 8), slice(width * 3 // 8, width * 5 // 8)
    spot[rows, columns] = 255
    seen = np.asarray(resize(Image.fromarray(spot), SIDE, how))[..., 0] > 60
    found = native_mask(seen, size, how)
    assert found.shape == size
    assert found[rows, columns].mean() > 0.95
    slack = 2 + 2 * max(size) // SIDE
    wide = np.zeros(size, dtype=bool)
    wide[rows.start - slack : rows.stop + slack, columns.start - slack : columns.stop + slack] = True
    assert not (found & ~wide).any()


@pytest.mark.slow
def test_a_network_trained_on_cleaned_data_is_free_of_the_planted_stripe(tmp_path):
    planted = f"data.classes=[1,3,7] data.image_size={SIDE} artifact=stripe artifact.target=1"
    quick = "callbacks=none logger=none trainer.max_epochs=6"
    assert command(tmp_path, f"train.py {planted} {quick}") == 0
    ckpt = only_run(tmp_path) / "checkpoints" / "last.ckpt"
    effect = "analysis=effect analysis.classes=[3] spray.projection=null parallel.n_jobs=1 device=cpu out=out"
    assert command(tmp_path, f"analyze.py ckpt={ckpt} {effect}") == 0
    listing(tmp_path / "more.csv", [(row["path"], "") for row in table(tmp_path / "out" / "suspects.csv")])
    dataset = build_data(OmegaConf.load(ckpt.parents[1] / "config.yaml")).train_set
    of_three = dataset.labels == dataset.classes.index("3")
    odd = [dataset.paths[np.flatnonzero(which)[0]] for which in (of_three & ~dataset.carriers, ~of_three)]
    with (tmp_path / "more.csv").open("a") as file:
        file.writelines(f"{path},\n" for path in odd)  # a three without the stripe; an image of a class not tested
    cleaning = "analysis=cleaning analysis.suspects=more.csv device=cpu out=out"
    assert command(tmp_path, f"analyze.py ckpt={ckpt} {cleaning}") == 0
    rows = table(tmp_path / "out" / "cleaning.csv")
    assert sum(row["outcome"] == "inpainted" for row in rows) > 60
    kept = [row for row in rows if row["path"] in odd]
    assert [row["outcome"] for row in kept] == ["unchanged"] * 2
    assert all(row["reason"] for row in kept)
    root = tmp_path / "out" / "cleaned"
    red = [path for path in root.rglob("*.png") if (pixels(path)[-1, :, 0] - pixels(path)[-1, :, 1]).mean() > 100]
    assert not red
    done = f"train.py data=image_folder data.root={root} data.image_size={SIDE} {quick} hydra.run.dir=clean"
    assert command(tmp_path, done) == 0
