"""Samples that a table lists are left out, and nothing else changes."""

from __future__ import annotations

import csv
import logging

import numpy as np
import pytest
from PIL import Image

from unhans.artifacts import Stripe
from unhans.data.sources import Digits, ImageFolder, Npz, TorchvisionData


def table(path, rows, columns=("path", "split")):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def digits(**options):
    data = Digits(classes=["1", "3", "7"], image_size=8, **options)
    data.setup()
    return data


def photographs(folder):
    for split, count in (("train", 5), ("val", 3)):
        for number, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (8, 8), (40 * i, 100 * number, 0)).save(folder / split / name / f"{i}.png")
    return folder


@pytest.fixture(params=["folder", "npz", "digits", "cifar10"])
def made(request, tmp_path, monkeypatch):
    """A function from options to a data module, of each kind."""
    if request.param == "folder":
        root = photographs(tmp_path / "photos")
        return lambda **options: ImageFolder(root, image_size=8, **options)
    if request.param == "digits":
        return lambda **options: Digits(image_size=8, **options)
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 255, (20, 8, 8, 3), dtype=np.uint8), np.arange(20) % 2
    if request.param == "npz":
        np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[:6], y_test=labels[:6])
        return lambda **options: Npz(tmp_path / "a.npz", image_size=8, **options)

    class Part:
        data, targets, classes = images, labels.tolist(), ["a", "b"]

    monkeypatch.setattr(TorchvisionData, "_open", lambda self, download: (Part, Part))
    return lambda **options: TorchvisionData("cifar10", tmp_path, image_size=8, **options)


def test_listed_samples_are_left_out_of_every_kind_of_data(made, tmp_path, caplog):
    whole = made()
    whole.setup()
    gone_train, gone_val = whole.train_set.paths[::4], whole.val_set.paths[1:3]
    rows = [(path, "") for path in gone_train] + [(path, "validation") for path in gone_val]
    part = made(exclude=str(table(tmp_path / "suspects.csv", rows)))
    with caplog.at_level(logging.WARNING):
        part.setup()
    assert part.train_set.paths == [path for path in whole.train_set.paths if path not in gone_train]
    assert part.val_set.paths == [path for path in whole.val_set.paths if path not in gone_val]
    n, m = len(whole.train_set), len(whole.val_set)
    said = f"{len(gone_train)} of {n} training images and 2 of {m} validation images are left out"
    assert said in caplog.text
    for index, path in enumerate(part.train_set.paths):
        old = whole.train_set.paths.index(path)
        assert part.train_set.labels[index] == whole.train_set.labels[old]
        assert part.train_set.plain(index).equal(whole.train_set.plain(old))


def test_a_sample_listed_for_training_stays_in_validation(tmp_path):
    whole = digits()
    rows = [(whole.train_set.paths[0], "train"), (whole.val_set.paths[0], "train"), (whole.val_set.paths[1], "")]
    part = digits(exclude=table(tmp_path / "s.csv", rows))
    assert part.train_set.paths == whole.train_set.paths[1:]
    assert part.val_set.paths == [path for i, path in enumerate(whole.val_set.paths) if i != 1]


@pytest.mark.parametrize("columns", [("path",), ("path", "split"), ("split", "path")])
def test_a_table_that_begins_as_spreadsheets_write_it(columns, tmp_path):
    """With a byte-order mark, which is no part of the first column's name."""
    whole = digits()
    rows = [{"path": part.paths[0], "split": "train"} for part in (whole.train_set, whole.val_set)]
    table(tmp_path / "plain.csv", [[row[name] for name in columns] for row in rows], columns)
    (tmp_path / "s.csv").write_text("\ufeff" + (tmp_path / "plain.csv").read_text(), encoding="utf-8")
    part = digits(exclude=tmp_path / "s.csv")
    assert part.train_set.paths == whole.train_set.paths[1:]
    assert part.val_set.paths == whole.val_set.paths["split" not in columns :]


def test_the_carriers_of_a_planted_artifact_stay_the_same(tmp_path):
    planted = {"artifact": Stripe("3", coverage=0.5, val_coverage=0.5), "max_per_class": 30}
    whole = digits(**planted)
    names = np.array(whole.train_set.paths)
    carriers = names[whole.train_set.carriers]
    gone = [*carriers[:9], *names[~whole.train_set.carriers][:4]]
    part = digits(**planted, exclude=table(tmp_path / "s.csv", [(path, None) for path in gone]))
    assert np.array(part.train_set.paths)[part.train_set.carriers].tolist() == carriers[9:].tolist()
    assert len(part.train_set) == len(whole.train_set) - 13
    assert part.val_set.carriers.tolist() == whole.val_set.carriers.tolist()


def test_limits_are_not_filled_up_again(tmp_path):
    whole = digits(max_per_class=10)
    part = digits(max_per_class=10, exclude=table(tmp_path / "s.csv", [(whole.train_set.paths[3], "")]))
    assert part.train_set.paths == whole.train_set.paths[:3] + whole.train_set.paths[4:]


def test_a_class_without_validation_images_is_a_warning(tmp_path, caplog):
    whole = digits()
    gone = [(path, "val") for path, label in zip(whole.val_set.paths, whole.val_set.labels, strict=True) if label == 1]
    part = digits(exclude=table(tmp_path / "s.csv", gone))
    assert 1 not in part.val_set.labels
    assert "data.exclude leaves no validation images of class '3'" in caplog.text


def of_class(label):
    whole = digits()
    return [(path, "") for path, own in zip(whole.train_set.paths, whole.train_set.labels, strict=True) if own == label]


BAD = {
    "missing": (lambda p: p / "nowhere.csv", "expects a table such as suspects.csv, got no file at"),
    "column": (lambda p: table(p / "s.csv", [("a", "b")], ("file", "split")), "a column 'path', got file, split in"),
    "empty": (lambda p: table(p / "s.csv", []), "expects samples in the column 'path', got none in"),
    "split": (lambda p: table(p / "s.csv", [("a", "test")]), "expects train or validation in the column 'split', got"),
    "nobody": (lambda p: table(p / "s.csv", [("x/1", "")]), "got none of them among the 1 in"),
    "class": (lambda p: table(p / "s.csv", of_class(2)), "leaves no training images of class '7': all 143 are listed"),
    "binary": (lambda p: Image.new("L", (3, 3)).save(p / "s.png") or p / "s.png", "expects a table of text, got"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_one_sentence(case, tmp_path):
    file, sentence = BAD[case]
    with pytest.raises((ValueError, OSError)) as caught:
        digits(exclude=file(tmp_path))
    assert str(caught.value).startswith("data.exclude")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_an_audit_is_understood(tmp_path):
    from unhans.report.tables import SUSPECT_COLUMNS
    from unhans.store import write_csv

    whole = digits()
    path = tmp_path / "suspects.csv"
    write_csv(path, SUSPECT_COLUMNS, [(whole.train_set.paths[5], 5, None, "3", "cut", 0.6, "3", 1)])
    assert len(digits(exclude=path).train_set) == len(whole.train_set) - 1
