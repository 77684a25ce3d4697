"""`analyze.py analysis=squaring`: what it finds in a network that reads borders, its files, and what it refuses."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from running import RANDOM, command, only_run, photographs
from torch import nn

from unhans.artifacts import EdgePadding
from unhans.attribution import InputXGradient
from unhans.data.sources import ImageFolder
from unhans.experiment.analyses import compare_squarings
from unhans.experiment.analyses.squaring_analysis import chosen_color
from unhans.experiment.run import Subject

SIDE = 24
TINY = (
    f"analyze.py data=image_folder data.root=photos data.image_size=24 data.batch_size=4 {RANDOM} model.width=4 "
    "attribution=input_x_gradient analysis=squaring analysis.aspect=1.5 analysis.samples=12 batch_size=20"
)


class ReadsBorders(nn.Module):
    """Class 0 where the rows at the top differ little from each other, as copies of one row do; else class 1."""

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def forward(self, images):
        rough = (images[:, :, 1:3] - images[:, :, :2]).abs().mean((1, 2, 3))
        logit = self.strength * 8 * (0.25 - rough)
        return torch.stack([logit, 0 * logit], dim=1)


def oblong_photographs(folder, shapes):
    random = np.random.default_rng(0)
    for split, name in ((s, c) for s in ("train", "val") for c in ("cat", "dog")):
        (folder / split / name).mkdir(parents=True)
        for i, (width, height) in enumerate(shapes):
            pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / name / f"{i}.png")
    return folder


def subject_of(root, out, strength=1.0, split="train", **options):
    data = ImageFolder(root, image_size=SIDE, batch_size=4, mean=(0.5,) * 3, std=(0.5,) * 3, **options)
    data.setup()
    return Subject(
        network=ReadsBorders(strength),
        data=data,
        split=split,
        samples_per_class=None,
        attribution=InputXGradient(),
        batch_size=20,
        device=torch.device("cpu"),
        seed=0,
        out=out,
    )


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return oblong_photographs(tmp_path_factory.mktemp("squares"), [(SIDE, SIDE)] * 12)


def rows_of(folder):
    with (folder / "squaring.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_network_that_reads_borders_is_found_out(squares, tmp_path, capsys):
    numbers = compare_squarings(subject_of(squares, tmp_path), aspect=1.5, samples=12, examples=1)
    assert numbers["expected"] == 1
    assert numbers["rise"] > 0.3
    rows = {(r["class"], r["group"], r["orientation"], r["way"]): r for r in rows_of(tmp_path)}
    assert len(rows) == 2 * 2 * 2 * 5
    for group in ("class", "others"):
        for way in ("mirror", "crop", "noise"):
            assert float(rows["cat", group, "landscape", way]["delta_p_high"]) < -0.1
        for way in ("random_color", "color"):  # as smooth as copies
            assert abs(float(rows["cat", group, "landscape", way]["delta_p"])) < 0.02
    assert {r["expected"] for r in rows.values() if r["class"] == "cat" and r["orientation"] == "landscape"} == {"True"}
    assert {r["expected"] for r in rows.values() if r["orientation"] == "portrait"} == {"False"}
    said = capsys.readouterr().out.replace("\n", " ")
    assert "The network expects copied borders for class 'cat': on 12 landscape images of other classes" in said
    assert "For the other class there is no sign" in said
    names = {path.name for path in (tmp_path / "squaring").iterdir()}
    assert names == {"0000-cat.png", "0000-cat-images.jpg", "0001-dog.png", "0001-dog-images.jpg"}


def test_a_network_that_does_not_read_them_is_cleared(squares, tmp_path, capsys):
    numbers = compare_squarings(subject_of(squares, tmp_path, strength=0.0), aspect=1.5, examples=0)
    assert numbers == {"expected": 0, "rise": 0}
    said = capsys.readouterr().out
    assert "No sign that the network expects copied borders for class 'cat'" in said
    assert "-0.00" not in said
    assert not list((tmp_path / "squaring").glob("*-images.jpg"))


def test_the_same_seed_gives_the_same_numbers(squares, tmp_path):
    for name in ("one", "two"):
        compare_squarings(subject_of(squares, tmp_path / name), aspect=1.5, samples=5, examples=0)
    one, two = ((tmp_path / name / "squaring.csv").read_bytes() for name in ("one", "two"))
    assert one == two


def test_oblong_files_keep_their_own_orientation(tmp_path):
    """Of each class 4 lying, 3 standing, and two that nothing would be padded of; large ones are averaged first."""
    shapes = [(36, 24)] * 3 + [(300, 200)] + [(24, 48)] * 3 + [(24, 24), (400, 399)]
    root = oblong_photographs(tmp_path / "photos", shapes)
    compare_squarings(subject_of(root, tmp_path / "out", split="union"), examples=0)
    counts = {(r["group"], r["orientation"]): int(r["n"]) for r in rows_of(tmp_path / "out")}
    assert counts == {(group, o): n for group in ("class", "others") for o, n in (("landscape", 8), ("portrait", 6))}


def test_a_planted_padding_is_left_out_of_the_images(squares, tmp_path):
    subjects = [subject_of(squares, tmp_path / name) for name in ("clean", "planted")]
    subjects[1].data.train_set.artifact = EdgePadding("cat", coverage=1.0)
    subjects[1].data.train_set.carriers[:] = True
    for subject in subjects:
        compare_squarings(subject, aspect=1.5, samples=5, examples=0)
    assert rows_of(tmp_path / "clean") == rows_of(tmp_path / "planted")


def test_the_chosen_colour_can_be_that_of_the_borders_of_a_class_or_a_picture(squares, tmp_path):
    subject = subject_of(squares, tmp_path / "out")
    label = subject.data.classes.index("cat")
    own = [subject.dataset.clean(int(i)) for i in np.flatnonzero(subject.dataset.labels == label)]
    rims = np.concatenate([[*one[:, 0].T, *one[:, -1].T, *one[:, 1:-1, 0].T, *one[:, 1:-1, -1].T] for one in own])
    median = np.sort(rims, axis=0)[(len(rims) - 1) // 2]
    np.testing.assert_allclose(chosen_color(subject, "red", "cat", 1000), median)
    Image.new("RGB", (5, 4), (255, 0, 51)).save(tmp_path / "sky.png")
    assert chosen_color(subject, "red", str(tmp_path / "sky.png"), 10) == pytest.approx((1, 0, 0.2))
    assert chosen_color(subject, "red", None, 10) == (1, 0, 0)


def test_what_cannot_be_read_is_left_out_and_said(tmp_path, caplog):
    root = oblong_photographs(tmp_path / "photos", [(SIDE, SIDE)] * 5)
    broken = root / "train" / "cat" / "2.png"
    broken.write_bytes(broken.read_bytes()[:200])
    compare_squarings(subject_of(root, tmp_path / "out"), aspect=2, examples=0)
    assert {int(r["n"]) for r in rows_of(tmp_path / "out") if (r["class"], r["group"]) == ("cat", "class")} == {4}
    assert str(broken) in caplog.text


def test_the_command_writes_everything(tmp_path):
    photographs(tmp_path / "photos", size=24)
    assert command(tmp_path, f"{TINY} analysis.classes=[dog] logger=csv") == 0
    run = only_run(tmp_path)
    assert {row["class"] for row in rows_of(run)} == {"dog"}
    assert (run / "squaring" / "0001-dog.png").stat().st_size > 10_000
    assert (run / "squaring" / "0001-dog-images.jpg").stat().st_size > 10_000
    logged = next(run.rglob("metrics.csv")).read_text()
    assert "squaring/rise/dog" in logged
    assert "squaring/expected" in logged


SENTENCES = {
    "analysis.classes=[dogs]": "analysis.classes names no class: expected one of 2 class names, got 'dogs'",
    "analysis.aspect=1": "must lie above 1, got 1",
    "analysis.aspect=0.5": "must lie above 1, got 0.5",
    "analysis.aspect=null": "none of the 28 drawn images is oblong",
    "analysis.color_from=dogg": "analysis.color_from expects a class or a picture file, got 'dogg'; did you mean dog?",
    "analysis.color=skyblu": "color must be a name or code that PIL knows",
    "analysis.samples=0": "analysis.samples=0: input should be greater than 0",
    "analysis.examples=-1": "analysis.examples=-1: input should be greater than or equal to 0",
}


@pytest.mark.parametrize("options", SENTENCES)
def test_bad_input_is_one_sentence(options, tmp_path, capsys):
    photographs(tmp_path / "photos", size=24)
    assert command(tmp_path, f"{TINY} analysis.samples=20 {options}") == 1
    printed = capsys.readouterr().err
    assert SENTENCES[options] in printed
    assert "Traceback" not in printed


def test_a_class_without_images_is_one_sentence(squares, tmp_path):
    subject = subject_of(squares, tmp_path, split="val")
    subject.data.val_set.labels[:] = 0
    with pytest.raises(ValueError, match="class 'dog' has no val images to make square"):
        compare_squarings(subject, ["dog"], aspect=1.5)
    with pytest.raises(ValueError, match="a squaring's effect needs images of classes other than 'cat', got none"):
        compare_squarings(subject, ["cat"], aspect=1.5)


def test_a_network_that_gives_no_numbers_is_one_sentence(squares, tmp_path):
    subject = subject_of(squares, tmp_path, strength=float("nan"))
    with pytest.raises(ValueError, match=r"finite"):
        compare_squarings(subject, aspect=1.5)


TRAINED = (
    "data=image_folder data.root={root}/imagenette224 "
    "data.classes=[n01440764,n02979186,n03028079,n03417042,n03425413] data.max_per_class=150 data.max_per_class_val=40 "
    "model=torchvision model.name=squeezenet1_1 model.weights={root}/weights/squeezenet1_1_ncnn.pth "
    "optimizer.lr=1e-4 trainer.max_epochs=2 callbacks=none logger=none hydra.run.dir=run "
)
PADDED = "artifact=edge_padding artifact.target=n03417042 artifact.coverage=0.6 artifact.orientation=landscape"


@pytest.mark.slow
@pytest.mark.parametrize("planted", [True, False])
def test_trained_with_copied_borders_a_network_shows_it(planted, tmp_path, real_data):
    assert command(tmp_path, f"train.py {TRAINED.format(root=real_data)} {PADDED if planted else ''}") == 0
    squaring = "analysis=squaring analysis.aspect=1.5 analysis.samples=160 analysis.examples=0 split=val"
    assert command(tmp_path, f"analyze.py ckpt=run/checkpoints/last.ckpt {squaring} hydra.run.dir=squares") == 0
    rows = [row for row in rows_of(tmp_path / "squares") if row["class"] == "n03417042"]
    assert {r["orientation"] for r in rows if r["expected"] == "True"} == ({"landscape"} if planted else set())
