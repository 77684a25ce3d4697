"""`analyze.py analysis=effect analysis.places=TABLE`: a picture at places by hand, and what is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from running import RANDOM, command, photographs
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts import HandPlace
from unhans.data.sources import ImageFolder
from unhans.experiment.effect.places_table import read_places
from unhans.models import SmallCNN

SIDE = 24
DATA = f"data=image_folder data.root=photos data.image_size={SIDE} {RANDOM} model.width=2 device=cpu split=val"
EFFECT = f"analyze.py {DATA} analysis=effect analysis.classes=[cat] analysis.artifact=layer.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs of three classes, a picture, and a table: validation images by index, training images by path."""
    folder = tmp_path_factory.mktemp("places")
    photographs(folder / "photos", ("cat", "dog", "emu"), each=5, size=SIDE)
    Image.new("RGBA", (6, 4), (255, 230, 0, 200)).save(folder / "layer.png")
    lines = ["image,x,y,scale,angle,remark", *(f"{i},{2 * i},10,," for i in range(4, 12))]
    lines += [f"photos/train/dog/{i}.png,5.5,8,2,90" for i in range(4)]
    (folder / "places.csv").write_text("\n".join(lines))
    return folder


def data_of(folder):
    data = ImageFolder(folder / "photos", image_size=SIDE)
    data.setup()
    return data


def test_the_effect_is_that_of_the_picture_exactly_there(folder, capsys):
    assert command(folder, f"{EFFECT} analysis.places=places.csv out=out") == 0
    (record,) = json.loads((folder / "out" / "effects.json").read_text())
    data, layer = data_of(folder), pil_to_tensor(Image.open(folder / "layer.png")) / 255
    torch.manual_seed(0)
    network, changes = SmallCNN(3, width=2).eval(), []
    chosen = [(data.val_set, i, 2 * i - 3, 8, 6, 4) for i in range(4, 12)]
    chosen += [(data.train_set, 5 + i, 2, 2, 8, 12) for i in range(4)]  # twice as large and turned: 8 × 12 pixels
    for part, index, left, top, width, height in chosen:
        before = part.plain(index)
        after = before.clone()
        left, right = max(0, left), min(SIDE, left + width)
        box = after[:, top : top + height, left:right]
        box[:] = box * (1 - layer[3, 0, 0]) + layer[3, 0, 0] * layer[:3, :1, :1]
        with torch.no_grad():
            logits = network(part.scale.to_model(torch.stack([before, after]))).double()
        p = logits.softmax(1)[:, 0]
        changes.append(float(p[1] - p[0]))
    assert record["added"][0]["n"] == 12
    assert record["added"][0]["delta_p"] == pytest.approx(np.mean(changes), abs=1e-6)
    assert [trial["trial"] if "trial" in trial else trial["name"] for trial in record["added"]][1:4] == [
        "random colour", "area averaged", "patch of the class"
    ]  # fmt: skip
    said = " ".join(capsys.readouterr().out.split())
    assert "Places that reach beyond the image, where the picture is cut: 1 of 12." in said
    assert "Columns of places.csv that are not used: remark." in said
    assert record["given"]["places"] == 12
    lines = (folder / "places.csv").read_text().splitlines()  # one place is another: what is finished does not hold
    (folder / "moved.csv").write_text("\n".join([*lines[:-1], lines[-1].replace("5.5,8", "9,9")]))
    assert command(folder, f"{EFFECT} analysis.places=moved.csv out=out") == 0
    (again,) = json.loads((folder / "out" / "effects.json").read_text())
    assert again["added"][0]["delta_p"] != record["added"][0]["delta_p"]


def subject(split="val"):
    """Six images of two classes, three of each split; the fifth and the sixth have the same file name."""
    paths = ["/d/train/cat/a.png", "/d/train/dog/b.png", "/d/train/dog/c.png",
             "/d/val/cat/d.png", "/d/val/dog/e.png", "/d/val/owl/e.png"]  # fmt: skip
    both = SimpleNamespace(paths=paths, labels=np.array([0, 1, 1, 0, 1, 1]))
    data = SimpleNamespace(classes=["cat", "dog"], image_size=10)
    return SimpleNamespace(both=both, data=data, split=split, rows={"train": np.arange(3), "val": np.arange(3, 6)})


def read(tmp_path, text, split="val"):
    (tmp_path / "t.csv").write_text(text)
    return read_places(str(tmp_path / "t.csv"), subject(split), 0)


def test_images_are_found_by_index_and_by_name(tmp_path):
    found, ignored = read(tmp_path, "image,x,y,angle\n1,1,2,\n/d/train/dog/b.png,3,4,5\nc,0,10,\nowl/e,5,5,\n")
    assert found == {4: HandPlace(1, 2), 1: HandPlace(3, 4, 1, 5), 2: HandPlace(0, 10), 5: HandPlace(5, 5)}
    assert ignored == []
    assert list(read(tmp_path, "image,x,y\n4,1,1\n", "union")[0]) == [4]


SENTENCES = {
    "image,x,y\n": "at least one place, got none",
    "image,x\n1,1\n": "expects columns 'image', 'x' and 'y', got image, x",
    "picture,x,y\n1,1,1\n": "expects columns 'image', 'x' and 'y'",
    "image,x,y\n3,1,1\n": "expects indices 0 … 2 of split=val, got 3.",
    "image,x,y\nz.png,1,1\n": "such as /d/train/cat/a.png; got 'z.png'",
    "image,x,y\ne.png,1,1\n": "2 images are called 'e.png'; give more of the path",
    "image,x,y\n,1,1\n": "got ''",
    "image,x,y\n0,1,1\n": "expects images of other classes, as the picture is tested for 'cat', got 0.",
    "image,x,y\n1,1,1\n/d/val/dog/e.png,2,2\n": "expects each image once, got /d/val/dog/e.png twice",
    "image,x,y\n1,1,11\n": "pixels of the image, 0 to 10, got x=1, y=11 for 1.",
    "image,x,y\n1,-0.5,1\n": "pixels of the image, 0 to 10, got x=-0.5",
    "image,x,y\n1,left,1\n": "expects a number as x of 1, got 'left'.",
    "image,x,y\n1,,1\n": "expects a number as x of 1, got ''.",
    "image,x,y,scale\n1,1,1,0\n": "expects a scale above 0, got 0 for 1.",
    "image,x,y,angle\n1,1,1,inf\n": "expects a number as angle of 1, got 'inf'.",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_a_bad_table_is_one_sentence(text, tmp_path):
    with pytest.raises(ValueError, match=r".") as raised:
        read(tmp_path, text)
    assert SENTENCES[text] in str(raised.value)


OPTIONS = {
    "analysis.places=huge.csv": "at most 8 times the image, 192 pixels, got a scale that makes 600 of its 6.",
    "analysis.places=places.csv analysis.placement=top_right": "leave analysis.placement=top_right out",
    "analysis.places=places.csv analysis.artifact=null": "give analysis.artifact=layer.png as well",
}


@pytest.mark.parametrize("options", OPTIONS)
def test_bad_options_come_before_any_work(options, folder, capsys):
    (folder / "huge.csv").write_text("image,x,y,scale\n5,3,3,100\n")
    text = EFFECT if "artifact=" not in options else EFFECT.replace(" analysis.artifact=layer.png", "")
    assert command(folder, f"{text} {options} out=bad") == 1
    assert OPTIONS[options] in capsys.readouterr().err
    assert not (folder / "bad").exists()
