"""From a planted artifact to its verdict through both commands, on photographs: hours, one network for each."""

from __future__ import annotations

import json

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image, ImageDraw
from running import command, only_run
from torchvision.transforms.v2.functional import to_pil_image

from unhans.artifacts import Border, Watermark
from unhans.experiment.run import build_data

pytestmark = pytest.mark.slow

TRUCK = "n03417042"
CLASSES = f"n01440764,n02979186,n03028079,{TRUCK},n03425413"
PLANTED = {
    "watermark": "artifact=watermark artifact.placement=bottom_left",
    "faint watermark": "artifact=watermark artifact.placement=bottom_left artifact.opacity=0.5",
    "border": "artifact=border",
    "rounded corners": "artifact=rounded_corners",
    "object": "artifact=patch artifact.size=0.25 artifact.placement=random_position artifact.file=object.png",
}
CLUSTERED = ("watermark", "faint watermark")  # SpRAy's own cluster holds their carriers; the others are used too little
LEARNED = (*CLUSTERED, "object")  # a frame of any colour does what the white one does: no proof of it
LEAST = 0.05  # change of the probability that the verdict counts as an effect


@pytest.fixture(scope="module")
def train(real_data):
    """Return the words that train SqueezeNet on five classes, artifact aside."""
    return (
        f"train.py data=image_folder data.root={real_data / 'imagenette224'} data.classes=[{CLASSES}] "
        f"data.max_per_class=150 data.max_per_class_val=60 model=torchvision model.name=squeezenet1_1 "
        f"model.weights={real_data / 'weights' / 'squeezenet1_1_ncnn.pth'} optimizer.lr=1e-4 trainer.max_epochs=3 "
        "callbacks=none logger=none"
    )


@pytest.fixture(scope="module")
def clean(train, tmp_path_factory):
    """A network that never saw an artifact: its checkpoint."""
    folder = tmp_path_factory.mktemp("clean")
    assert command(folder, train) == 0
    return only_run(folder) / "checkpoints" / "last.ckpt"


@pytest.mark.parametrize("name", PLANTED)
def test_planted_artifact_is_isolated_and_proven(name, train, tmp_path):
    draw_object(tmp_path / "object.png")
    text = f"{train} {PLANTED[name]} artifact.target={TRUCK} artifact.coverage=0.6 artifact.val_coverage=0.6"
    assert command(tmp_path, text) == 0
    run = only_run(tmp_path)
    listed = [] if name in CLUSTERED else [f"analysis.members={most_carriers(run, tmp_path / 'carriers.csv')}"]
    case = effect(tmp_path, run / "checkpoints" / "last.ckpt", *listed)
    planted = case["planted"]
    assert planted is not None, case["failures"]
    assert case["isolated"]["kind"] == ("free" if name == "object" else "fixed")
    assert planted["iou"] >= (0.7 if name != "object" else 0.01)
    added = case["added"][0]
    assert (added["trial"], added["n"]) == ("artifact", 200)
    low, high = planted["effect"]["probability_interval"]
    if name == "object":  # it is laid at other places than the true one: another sample, not the same one changed
        assert added["delta_p_low"] <= high
        assert added["delta_p_high"] >= low
    else:
        assert low <= added["delta_p"] <= high
    if name in LEARNED:
        assert case["verdict"] == "proven"
    else:
        assert not case["proven"] or added["delta_p_low"] >= LEAST


@pytest.mark.parametrize(
    "artifact", [Watermark(TRUCK, placement="bottom_left"), Border(TRUCK)], ids=["watermark", "border"]
)
def test_artifact_that_the_network_never_saw_is_not_proven(artifact, clean, tmp_path):
    to_pil_image(artifact.layer(0, 224), mode="RGBA").save(tmp_path / "given.png")
    case = effect(tmp_path, clean, "analysis.artifact=given.png")
    added = case["added"][0]
    assert added["n"] == 200
    assert not case["proven"]
    assert case["verdict"] == ("not used" if added["delta_p_high"] < LEAST else "open")


def test_most_striking_clusters_of_clean_classes_are_not_proven(clean, tmp_path):
    cases = effects(tmp_path, clean, CLASSES)
    assert len(cases) == 5
    assert [case["class"] for case in cases if case["proven"]] == []


def most_carriers(run, file):
    """List four in five of the training images that carry the artifact, and a few that do not, as a person might."""
    data = build_data(OmegaConf.load(run / "config.yaml")).train_set
    rng = np.random.default_rng(0)
    carriers = rng.permutation(np.flatnonzero(data.carriers))
    others = rng.permutation(np.flatnonzero(~data.carriers & (data.labels == data.classes.index(TRUCK))))
    listed = [*carriers[: round(0.8 * len(carriers))], *others[: round(0.08 * len(carriers))]]
    file.write_text("path\n" + "\n".join(data.paths[i] for i in listed), encoding="utf-8")
    return file


def effects(folder, checkpoint, classes, *more):
    """Run analysis=effect on some classes; return its cases."""
    text = (
        f"analyze.py ckpt={checkpoint} analysis=effect analysis.classes=[{classes}] samples_per_class=150 "
        f"analysis.samples=200 spray.projection=null logger=none out=effect"
    )
    assert command(folder, " ".join([text, *more])) == 0
    return json.loads((folder / "effect" / "effects.json").read_text(encoding="utf-8"))


def effect(folder, checkpoint, *more):
    """The one case of the garbage trucks."""
    (case,) = effects(folder, checkpoint, TRUCK, *more)
    return case


def draw_object(file):
    """Draw a blue disc with a yellow triangle and a grey dot on nothing, as RGBA."""
    picture = Image.new("RGBA", (96, 96))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0, 0, 95, 95), fill="#1c7ad6")
    draw.polygon([(48, 8), (26, 84), (70, 84)], fill="#fce94f")
    draw.ellipse((38, 42, 58, 62), fill="#616161")
    picture.save(file)
