"""`analyze.py analysis=pairs`: its numbers, its files, folders in place of a table, and what it refuses."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from running import RANDOM, command, photographs

from unhans.data.sources import ImageFolder
from unhans.effects import PairAnswers, pair_effects
from unhans.experiment.pairs.pair_files import read_pairs
from unhans.models import SmallCNN
from unhans.report.html import write_pairs_page

DATA = f"data=image_folder data.root=photos data.image_size=16 data.resize=crop {RANDOM} model.width=2 device=cpu"
PAIRS = f"analyze.py {DATA} analysis=pairs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve pairs in folders and in a table; the first eight have a control."""
    folder = tmp_path_factory.mktemp("pairs")
    photographs(folder / "photos", size=24)
    random = np.random.default_rng(1)
    for kind in ("before", "after", "control"):
        (folder / kind).mkdir()
    lines = ["before,after,class,control,remark"]
    for i in range(12):
        pixels = random.integers(0, 256, (24, 30, 3), dtype=np.uint8)
        changes = {"before": pixels, "after": pixels.copy(), "control": pixels // 2}
        changes["after"][6:18, 9:21] = (255, 230, 0)
        for kind, array in changes.items():
            if kind != "control" or i < 8:
                Image.fromarray(array).save(folder / kind / f"{i}.png")
        lines.append(f"before/{i}.png,after/{i}.png,{'cat' if i % 3 else 'dog'},{f'control/{i}.png' * (i < 8)},good")
    (folder / "pairs.csv").write_text("\n".join(lines))
    return folder


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def logits_of(paths, folder):
    """What the network says of pictures that are copied into a data set of the same settings."""
    root = folder / "as_data"
    shutil.rmtree(root, ignore_errors=True)
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
    shutil.copy(paths[0], root / "train" / "cat" / "0.png")
    shutil.copy(paths[0], root / "train" / "dog" / "0.png")
    for i, path in enumerate(paths):
        shutil.copy(path, root / "val" / "cat" / f"{i:03d}.png")
    data = ImageFolder(root, image_size=16, resize="crop")
    data.setup()
    torch.manual_seed(0)
    network = SmallCNN(2, width=2).eval()
    with torch.no_grad():
        return network(torch.stack([data.val_set[i].image for i in range(len(paths))])).double().numpy()


def test_numbers_are_those_of_the_same_pictures_as_data(folder, capsys):
    assert command(folder, f"{PAIRS} analysis.pairs=pairs.csv analysis.examples=3 logger=csv out=out") == 0
    rows, said = table(folder / "out" / "pairs.csv"), " ".join(capsys.readouterr().out.split())
    files = {kind: [folder / row[kind] for row in rows if row[kind]] for kind in ("before", "after", "control")}
    before, after, control = (logits_of(paths, folder) for paths in files.values())
    targets = np.array([("cat", "dog").index(row["class"]) for row in rows])
    np.testing.assert_allclose([float(row["logit_after"]) for row in rows], after[np.arange(12), targets], atol=1e-5)
    controls = np.concatenate([control, np.full((4, 2), np.nan)])
    expected = pair_effects(PairAnswers(before, after, controls, targets, np.arange(12)))
    overall = [row for row in table(folder / "out" / "effects.csv") if row["class"] == "all"]
    assert [row["step"] for row in overall] == [one.step for one in expected]
    for row, one in zip(overall, expected, strict=True):
        assert float(row["delta_p"]) == pytest.approx(one.effect.probability, abs=1e-6)
        assert float(row["lost"]) == one.lost
        assert int(row["pairs"]) == one.pairs
    assert {row["class"] for row in table(folder / "out" / "effects.csv")} == {"all", "cat", "dog"}
    assert "12 pairs of pictures, 8 with a control, towards the class of each." in said
    assert "What such pairs cannot prove" in said
    assert "Columns of the table that are not used: remark." in said
    assert "What such pairs cannot prove" in (folder / "out" / "report.html").read_text()
    assert [path.name for path in (folder / "out" / "figures").iterdir()] == ["pairs_0.jpg"]
    assert "pairs/beyond_control/delta_p" in next((folder / "out").rglob("metrics.csv")).read_text()
    share = np.mean([float(row["changed_pixels"]) for row in rows])
    assert 0.25 <= share <= 0.5  # a quarter of the cropped square, and the rim that resizing mixes


def test_folders_are_paired_by_name_and_the_class_may_be_left_out(folder, capsys):
    text = f"{PAIRS} analysis.before=before analysis.after=after analysis.examples=0"
    assert command(folder, f"{text} analysis.control=control out=folders") == 0
    rows = table(folder / "folders" / "pairs.csv")
    assert [bool(row["control"]) for row in rows].count(True) == 8
    assert all(Path(row["before"]).name == Path(row["after"]).name for row in rows)
    assert all(row["class"] == row["predicted_before"] for row in rows)
    said = " ".join(capsys.readouterr().out.split())
    assert "No class was given" in said
    assert command(folder, f"{text} analysis.of=dog out=named") == 0
    assert {row["class"] for row in table(folder / "named" / "pairs.csv")} == {"dog"}
    said = " ".join(capsys.readouterr().out.split())
    assert "none with a control, towards 'dog'" in said
    assert "No pair has a control" in said


def test_a_broken_picture_and_equal_ones_are_told(folder, capsys):
    shutil.copy(folder / "before" / "0.png", folder / "same.png")
    Image.open(folder / "before" / "1.png").save(folder / "broken.jpg")
    whole = (folder / "broken.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    lines = ["before,after", "before/0.png,same.png", "before/1.png,broken.jpg", "before/0.png,after/0.png"]
    (folder / "few.csv").write_text("\n".join(lines))
    assert command(folder, f"{PAIRS} analysis.pairs=few.csv analysis.of=cat out=few") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Left out, as a picture cannot be read: 1." in said
    assert "Pairs whose pictures are the same to the network: 1." in said
    assert "2 pairs change 1 different pictures" in said
    assert "too few to say anything" in said


SENTENCES = {
    (): "analysis=pairs expects either",
    ("pairs.csv", "before"): "analysis=pairs expects either",
    (None, "before"): "analysis=pairs expects either",
    ("nowhere.csv",): "got no file at",
    ("empty.csv",): "at least one pair, got none",
    ("columns.csv",): "expects columns 'before' and 'after'; did you mean befor?",
    ("cell.csv",): "expects 'after' in every row, got an empty cell in row 2.",
    ("missing.csv",): "before/99.png and 1 more files",
    ("sizes.csv",): "expect one size, got 30 × 24 and 24 × 24 pixels",
    ("twice.csv",): "expects each pair once",
    ("itself.csv",): "expects different pictures",
    ("class.csv",): "got 'cow'",
    ("text.csv",): "an image file must be readable",
    (None, "before", "nothing"): "expects a folder of pictures, got no folder at",
    (None, "before", "photos"): "got 12 in before alone",
    (None, "before", "control"): "got 4 in before alone, such as 10.",
    (None, "control", "control", "before"): "got 4 in control alone, such as 10.",
}
TABLES = {
    "empty": "before,after\n",
    "columns": "befor,after\na.png,b.png\n",
    "cell": "before,after\nbefore/0.png,after/0.png\nbefore/1.png,\n",
    "missing": "before,after\nbefore/99.png,after/0.png\nbefore/1.png,after/99.png\n",
    "sizes": "before,after\nbefore/0.png,photos/val/cat/0.png\n",
    "twice": "before,after\nbefore/0.png,after/0.png\n./before/0.png,after/0.png\n",
    "itself": "before,after,control\nbefore/0.png,after/0.png,before/0.png\n",
    "class": "before,after,class\nbefore/0.png,after/0.png,cow\n",
    "text": "before,after\nbefore/0.png,pairs.csv\n",
}


@pytest.mark.parametrize("given", SENTENCES)
def test_bad_input_is_one_sentence(given, folder):
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text)
    table, *rest = [name and str(folder / name) for name in (*given, *[None] * (4 - len(given)))]
    folders = dict(zip(("before", "after", "control"), rest, strict=True))
    with pytest.raises((ValueError, OSError)) as raised:
        read_pairs(table, folders, None, ["cat", "dog"])
    assert SENTENCES[given] in str(raised.value)


def test_a_class_is_named_once_and_known(folder):
    for table, of, words in (("pairs.csv", "cat", "both name a class; leave one."), ("twice.csv", "cow", "got 'cow'")):
        with pytest.raises(ValueError, match=words):
            read_pairs(str(folder / table), {}, of, ["cat", "dog"])


def test_bad_input_comes_before_any_work(folder, capsys):
    assert command(folder, f"{PAIRS} analysis.before=before out=bad") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "analysis=pairs expects either" in said
    assert not (folder / "bad").exists()


def test_names_on_the_page_are_escaped(tmp_path):
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 12, 2))
    effects = pair_effects(PairAnswers(*logits, np.zeros(12, int), np.arange(12)))
    write_pairs_page(tmp_path / "p.html", ["a <b> & 'c'"], {"all": effects, '<i>"': effects}, {}, {})
    page = (tmp_path / "p.html").read_text()
    assert "a &lt;b&gt; &amp; &#39;c&#39;" in page
    assert "&lt;i&gt;&#34;: after − control" in page
