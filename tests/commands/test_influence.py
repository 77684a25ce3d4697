"""`analyze.py analysis=influence`: rankings against literal gradients, its files, going on, and what it refuses."""

from __future__ import annotations

import csv
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from running import RANDOM, command, only_run, photographs
from sklearn.metrics import average_precision_score

from unhans.experiment.influence import influence_command
from unhans.terminal import ConfigurationError

LAYERS = ("features.2", "classifier")
NAMED = f"analysis.layers=[{','.join(LAYERS)}]"
PLANTED = "artifact=stripe artifact.target=cat artifact.coverage=0.5 artifact.val_coverage=0.5"
TINY = (
    f"analyze.py data=image_folder data.root=photos data.image_size=32 {RANDOM} model.width=2 analysis=influence "
    f"batch_size=5 device=cpu out=out seed=1 {NAMED}"
)


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def listing(path, names, split="train", label="cat"):
    path.write_text("path,split,class\n" + "".join(f"{name},{split},{label}\n" for name in names))


@pytest.fixture
def photos(tmp_path):
    return photographs(tmp_path / "photos", size=32)


def gradients(network, dataset):
    """The gradient of every image's loss by the parameters of the layers, one after the other (n, parameters)."""
    parameters = [p for layer in LAYERS for p in network.get_submodule(layer).parameters()]
    rows = []
    for image, label, _ in (dataset[i] for i in range(len(dataset))):
        loss = F.cross_entropy(network(image[None].double()), torch.tensor([label]))
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(rows)


def test_rankings_are_those_of_literal_gradients(photos, tmp_path, monkeypatch):
    """Scores, order, precision and average precision of every query, written again in float64, one image at a time."""
    seen = []
    drawing = influence_command.influence_samples
    monkeypatch.setattr(influence_command, "influence_samples", lambda *given: seen.append(given[0]) or drawing(*given))
    assert command(tmp_path, f"{TINY} {PLANTED} analysis.k=[3,9] analysis.examples=2") == 0
    (subject,) = seen
    network = subject.network.double()
    train, val = (part.without_augmentation() for part in (subject.data.train_set, subject.data.val_set))
    units = [F.normalize(gradients(network, part), dim=1) for part in (train, val)]
    with np.load(tmp_path / "out" / "scores.npz") as stored:
        found = dict(stored)
    assert found["training_index"].tolist() == list(range(28))
    rows = table(tmp_path / "out" / "influence.csv")
    assert len(rows) == len(found["scores"]) == 8 + 7  # all validation images, and the training images with a stripe
    top = table(tmp_path / "out" / "top.csv")
    for place, row in enumerate(rows):
        part, dataset = (0, train) if row["split"] == "train" else (1, val)
        index = int(row["index"])
        assert row["path"] == dataset.paths[index]
        expected = (units[0] @ units[part][index]).numpy()
        np.testing.assert_allclose(found["scores"][place], expected, atol=2e-5)
        others = [i for i in range(28) if part == 1 or i != index]
        order = sorted(others, key=lambda i: -expected[i])
        own = [one for one in top if one["query"] == row["path"]]
        assert [one["path"] for one in own] == [train.paths[i] for i in order[:3]]
        labels = [dataset.classes[train.labels[i]] for i in order]
        assert float(row["same_class_at_9"]) == pytest.approx(np.mean([name == row["class"] for name in labels[:9]]))
        if row["class"] == "dog":
            assert row["carries"] == row["precision_at_3"] == row["average_precision"] == ""
            continue
        carries = [bool(train.carriers[i]) for i in order]
        assert row["carries"] == str(bool(dataset.carriers[index]))
        assert float(row["precision_at_3"]) == pytest.approx(np.mean(carries[:3]))
        assert float(row["precision_at_9"]) == pytest.approx(np.mean(carries[:9]))
        known = average_precision_score(train.carriers[others], expected[others])
        assert float(row["average_precision"]) == pytest.approx(known)
        assert float(row["chance_overall"]) == pytest.approx(np.mean(train.carriers[others]))
        assert float(row["chance_of_class"]) == pytest.approx(np.mean(train.carriers[[i for i in others if i < 14]]))
    _the_list_is_in_the_order_of_the_mean_influence(table(tmp_path / "out" / "cleaning_list.csv"), units, train, val)
    assert {path.suffix for path in (tmp_path / "out" / "influence").iterdir()} == {".png", ".jpg"}


def _the_list_is_in_the_order_of_the_mean_influence(rows, units, train, val):
    """Of the class, as many as carry it; a carrier's influence on itself does not count."""
    cluster = [(0, i) for i in np.flatnonzero(train.carriers)] + [(1, i) for i in np.flatnonzero(val.carriers)]
    mean = {
        i: np.mean([float(units[0][i] @ units[part][j]) for part, j in cluster if (part, j) != (0, i)])
        for i in range(14)
    }
    order = sorted(mean, key=lambda i: -mean[i])[:7]
    assert [row["path"] for row in rows] == [train.paths[i] for i in order]
    np.testing.assert_allclose([float(row["influence"]) for row in rows], [mean[i] for i in order], atol=2e-5)
    assert [row["carries"] for row in rows] == [str(bool(train.carriers[i])) for i in order]


def test_what_is_there_stays_and_what_depends_on_a_change_is_done_again(photos, tmp_path, capsys):
    small = f"{TINY} {PLANTED} analysis.examples=0 analysis.memory=20000"  # every class by itself
    assert command(tmp_path, small) == 0
    scores = tmp_path / "out" / "scores"
    before = {path.name: path.stat().st_mtime_ns for path in scores.iterdir()}
    assert set(before) == {"0000-cat.npz", "0000-cat-clusters.json", "0001-dog.npz"}
    first = (tmp_path / "out" / "influence.csv").read_bytes()
    (scores / "0001-dog.npz").write_bytes(b"half")
    assert command(tmp_path, small) == 0
    after = {path.name: path.stat().st_mtime_ns for path in scores.iterdir()}
    assert [name for name in before if before[name] != after[name]] == ["0001-dog.npz"]
    assert (tmp_path / "out" / "influence.csv").read_bytes() == first
    capsys.readouterr()
    assert command(tmp_path, f"{small} analysis.memory=2e9") == 0  # no number depends on it
    assert "0 queries, 28 training images, read 0 times" in " ".join(capsys.readouterr().out.split())
    assert command(tmp_path, f"{small} analysis.of=predicted") == 0
    again = {path.name: path.stat().st_mtime_ns for path in scores.iterdir()}
    assert not [name for name in after if after[name] == again[name]]


def test_what_cannot_be_read_is_left_out_and_said(photos, tmp_path, capsys):
    broken = photos / "train" / "cat" / "2.png", photos / "val" / "dog" / "1.png"
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    assert command(tmp_path, f"{TINY} analysis.memory=20000") == 0
    with np.load(tmp_path / "out" / "scores.npz") as found:
        gone = sorted((photos / "train" / "cat").iterdir()).index(broken[0])
        assert found["training_index"].tolist() == [i for i in range(28) if i != gone]
        assert found["scores"].shape == (7, 27)
    said = "".join(capsys.readouterr())
    assert all(str(path) in said for path in broken)
    assert {row["path"] for row in table(tmp_path / "out" / "influence.csv")}.isdisjoint(map(str, broken))


def test_without_a_truth_precision_is_not_reported_and_that_is_said(photos, tmp_path, capsys):
    assert command(tmp_path, f"{TINY} analysis.classes=[dog] logger=csv") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "so precision is not reported" in said
    assert "P@" not in said.replace("P@k", "")
    rows = table(tmp_path / "out" / "influence.csv")
    assert {row["class"] for row in rows} == {"dog"}
    assert {row["precision_at_2"] for row in rows} == {""}  # a tenth of 28
    assert not list((tmp_path / "out").glob("*cl*.csv"))
    assert "influence/same_class/dog/validation" in next((tmp_path / "out").rglob("metrics.csv")).read_text()
    page = (tmp_path / "out" / "influence.html").read_text()
    assert "What the most influential training images are" in page
    assert "data:image/jpeg" in page


def test_listed_images_count_as_carriers_and_their_list_can_be_cleaned(photos, tmp_path, capsys):
    listing(tmp_path / "s.csv", [photos / "train" / "cat" / f"{i}.png" for i in range(5)])
    assert command(tmp_path, f"{TINY} {PLANTED} analysis.suspects=s.csv analysis.most=6") == 0
    rows = table(tmp_path / "out" / "influence.csv")
    assert sum(row["carries"] == "True" for row in rows) == 5
    listed = table(tmp_path / "out" / "cleaning_list.csv")
    assert len(listed) == 6
    right = sum(row["carries"] == "True" for row in listed)
    said = f"cleaning_list.csv; {right} of them are known to carry it."
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (tmp_path / "out" / "influence.html").read_text()
    assert {(row["split"], row["class"]) for row in listed} == {("train", "cat")}
    cleaning = TINY.split(" analysis=")[0] + " analysis=cleaning analysis.way=filter device=cpu out=clean"
    assert command(tmp_path, f"{cleaning} analysis.suspects=out/cleaning_list.csv") == 0
    assert len(list((tmp_path / "clean" / "cleaned" / "train" / "cat").iterdir())) == 14 - 6


def test_images_in_which_an_isolated_artifact_is_found_count_as_carriers(photos, tmp_path, monkeypatch, capsys):
    """Classes without one have no truth; without any, that is the sentence."""
    asked = []

    def affected(subject, folder, label):
        asked.append((folder, label))
        if label != 1:
            raise ConfigurationError("no artifact was isolated.")
        carriers = {"train": np.arange(28) >= 23, "val": np.arange(8) >= 6}
        return SimpleNamespace(carriers=carriers)

    monkeypatch.setattr(sys.modules["unhans.experiment.influence.influence_samples"], "affected_of", affected)
    assert command(tmp_path, f"{TINY} analysis.effects=effects analysis.k=[4]") == 0
    assert asked == [("effects", 0), ("effects", 1)]
    carries = [(row["class"], row["split"], row["carries"]) for row in table(tmp_path / "out" / "influence.csv")]
    counts = {each: carries.count(each) for each in carries}
    assert counts == {
        ("cat", "validation", ""): 4,
        ("dog", "validation", "False"): 2,
        ("dog", "validation", "True"): 2,
        ("dog", "train", "True"): 5,
    }
    assert command(tmp_path, f"{TINY} analysis.effects=effects analysis.classes=[cat]") == 1
    assert "no artifact was isolated" in capsys.readouterr().err


SENTENCES = {
    "analysis.layers=[features.9]": "layers: 'features.9' is no module with parameters of this network",
    "analysis.layers=[features,features.1]": "layers: 'features.1' is given twice, as part of 'features'",
    "analysis.classes=[cow]": "analysis.classes names no class: expected one of 2 class names, got 'cow'",
    "analysis.k=[3,28]": "analysis.k expects numbers below that of the training images, 28, got [3, 28]",
    "analysis.of=logit": "analysis.of='logit': input should be 'loss', 'label' or 'predicted'",
    "analysis.queries=0": "analysis.queries=0: input should be greater than 0",
    "analysis.suspects=nowhere.csv": "analysis.suspects expects a table such as suspects.csv, but nowhere.csv",
    "analysis.suspects=val.csv": "analysis.suspects expects training images, which are ranked",
    "analysis.suspects=cow.csv": "names no class: expected one of 2 class names, got 'cow'",
    "analysis.suspects=spreadsheet.csv": "names no class: expected one of 2 class names, got 'cow'",
    "analysis.suspects=val.csv analysis.effects=out": "analysis.suspects and analysis.effects exclude each other",
    "analysis.effects=nowhere": "got nothing at nowhere",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence_and_comes_before_any_work(options, photos, tmp_path, capsys):
    listing(tmp_path / "val.csv", [photos / "val" / "cat" / "0.png"], "validation")
    listing(tmp_path / "cow.csv", [photos / "train" / "cat" / "0.png"], label="cow")
    (tmp_path / "spreadsheet.csv").write_text(f"\ufeffclass,path\ncow,{photos / 'train' / 'cat' / '0.png'}\n", "utf-8")
    assert command(tmp_path, f"{TINY} {options}") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert SENTENCES[options] in said
    assert not (tmp_path / "out" / "scores").exists()


@pytest.mark.parametrize(
    ("split", "sentence"),
    [("train", "each class needs training images"), ("val", "class 'dog' has no validation images")],
)
def test_a_class_without_images_is_one_sentence(split, sentence, photos, tmp_path, capsys):
    for path in (photos / split / "dog").iterdir():
        path.unlink()
    assert command(tmp_path, f"{TINY} analysis.classes=[dog]") == 1
    assert sentence in capsys.readouterr().err


def test_planted_digits_are_found_by_their_gradients(tmp_path):
    """A network that reads the watermark: carriers influence carriers, and clusters of gradients are the carriers."""
    quick = "callbacks=none logger=none trainer.max_epochs=4 data.classes=[1,3,7] data.image_size=32"
    assert command(tmp_path, f"train.py {quick}") == 0
    ckpt = only_run(tmp_path) / "checkpoints" / "last.ckpt"
    options = "analysis=influence analysis.classes=[3] samples_per_class=60 analysis.k=[20] device=cpu out=out"
    assert command(tmp_path, f"analyze.py ckpt={ckpt} {options} +artifact.val_coverage=0.5") == 0
    rows = [row for row in table(tmp_path / "out" / "influence.csv") if row["split"] == "validation"]
    with_it, without = (
        np.median([float(row["precision_at_20"]) for row in rows if row["carries"] == carries])
        for carries in ("True", "False")
    )
    assert with_it > 0.9
    assert with_it > without + 0.4
    assert max(float(row["adjusted_rand"]) for row in table(tmp_path / "out" / "gradient_clusters.csv")) > 0.7
