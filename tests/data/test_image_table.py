"""Images that a table lists, and digits of which a share is coloured."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image

from unhans.data.sources import ColouredDigits, Digits, ImageTable
from unhans.data.sources.datamodule import drawn_classes

LAYOUT = {"file": "images/{split}/{id}.png", "label": "sick", "names": {0: "well", 1: "ill"}, "image_size": 8}
ROWS = ("a,train,0", "b,train,1", "c,train,", "d,val,1", "e,test,0", "f,train,0", "g,val,0")


@pytest.fixture
def folder(tmp_path):
    """Seven rows: one without a label, one without a file, one of a third split."""
    (tmp_path / "labels.csv").write_text("id,split,sick\n" + "\n".join(ROWS) + "\n")
    for row in ROWS:
        name, split, _ = row.split(",")
        if name != "f":
            (tmp_path / "images" / split).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "images" / split / f"{name}.png")
    return tmp_path


def test_rows_become_images_with_names_of_their_classes(folder, caplog):
    with caplog.at_level(logging.WARNING):
        train, val = ImageTable(folder, **LAYOUT).load()
    assert train.classes == ["ill", "well"]
    assert [path.rpartition("/")[2] for path in train.images.paths] == ["a.png", "b.png"]
    assert [train.classes[label] for label in train.labels] == ["well", "ill"]
    assert [path.rpartition("/")[2] for path in val.images.paths] == ["d.png", "g.png"]
    assert "1 of 7 rows have no label" in caplog.text
    assert "1 of 7 rows have no file" in caplog.text
    assert "1 rows of other splits than train and val are left out" in caplog.text


def test_another_split_can_be_the_one_for_validation_and_none_is_split_off(folder):
    _, val = ImageTable(folder, validation="test", **LAYOUT).load()
    assert [path.rpartition("/")[2] for path in val.images.paths] == ["e.png"]
    every, nothing = ImageTable(folder, split=None, **LAYOUT).load()
    assert (len(every.labels), nothing) == (5, None)


def test_a_column_of_folds_gives_one_for_validation_and_the_others_for_training(folder):
    text = (folder / "labels.csv").read_text()
    (folder / "folds.csv").write_text(text.replace("id,split", "id,part,split").replace(",train,", ",1,train,")
                                      .replace(",val,", ",2,val,").replace(",test,", ",3,test,"))  # fmt: skip
    train, val = ImageTable(folder, table="folds.csv", **LAYOUT | {"split": "part", "validation": 2}).load()
    assert [[path.rpartition("/")[2] for path in part.images.paths] for part in (train, val)] == [
        ["a.png", "b.png", "e.png"], ["d.png", "g.png"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "ill"}, "one of id, split, sick, got 'ill'"),
        ({"file": "{name}.png"}, "columns of the table in braces"),
        ({"file": "other/{id}.png"}, "expects the path of an image"),
        ({"validation": "none"}, "got 'none'"),
        ({"split": "sick"}, "expects rows of train"),
    ],
)
def test_a_table_that_does_not_fit_is_one_sentence(folder, options, words):
    with pytest.raises(ValueError, match=words):
        ImageTable(folder, **(LAYOUT | options)).load()
    with pytest.raises(FileNotFoundError, match="no file at"):
        ImageTable(folder, table="none.csv", **LAYOUT).load()


def test_a_share_of_one_digit_is_coloured_and_nothing_else():
    plain, _ = ColouredDigits(share=0.0).load()
    coloured, _ = ColouredDigits(share=0.25, colour="lime", seed=1).load()
    pixels = [np.stack([np.asarray(each.images.read(k)) for k in range(400)]) for each in (plain, coloured)]
    changed = (pixels[0] != pixels[1]).any((1, 2, 3))
    assert set(plain.labels[:400][changed]) == {3}
    assert (pixels[1][changed][..., [0, 2]] == 0).all()
    assert np.array_equal(pixels[1][changed][..., 1], pixels[0][changed][..., 1])
    every = np.array([not np.array_equal(coloured.images.read(k), plain.images.read(k)) for k in range(1797)])
    assert every.sum() == round(0.25 * (plain.labels == 3).sum())


@pytest.mark.parametrize("options", [{"share": 2}, {"target": "x"}, {"colour": "no colour"}])
def test_what_cannot_be_coloured_is_refused(options):
    with pytest.raises(ValueError, match=r"share|digit|colo"):
        ColouredDigits(**options)


def test_random_classes_are_drawn_by_the_seed_beside_those_that_are_named():
    known = [str(k) for k in range(10)]
    draws = [drawn_classes(["3", "4 random"], known, seed) for seed in range(40)]
    assert all(len(set(draw)) == 5 and draw[0] == "3" for draw in draws)
    assert {name for draw in draws for name in draw} == set(known)
    assert len({tuple(draw) for draw in draws}) > 20
    assert draws[7] == drawn_classes(["3", "4 random"], known, 7)
    assert drawn_classes(["2 random", "1 random"], known, 0) == drawn_classes(["3 random"], known, 0)
    assert drawn_classes(["4 random", "a"], ["a", "4 random", "b"], 0) == ["4 random", "a"]
    data = Digits(image_size=8, classes=["3", "2 random"], seed=5)
    data.setup()
    assert data.classes == drawn_classes(["3", "2 random"], known, 5)
    with pytest.raises(ValueError, match="at most 9 random classes"):
        drawn_classes(["3", "10 random"], known, 0)
