"""`analyze.py analysis=heatmaps`: what it writes, and what it refuses before any work."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from running import RANDOM, command, only_run, photographs

from unhans.experiment.analyses import heatmap_analysis as heatmaps
from unhans.report.files import HeatmapPages

TINY = f"analyze.py data=image_folder data.root=photos data.image_size=32 {RANDOM} model.width=4 analysis=heatmaps"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of photographs: 28 for training, 8 for validation."""
    folder = tmp_path_factory.mktemp("heatmaps")
    photographs(folder / "photos")
    return folder


def written(folder):
    """What the command wrote, relative to its folder of heatmaps; the run is taken away."""
    run = only_run(folder)
    found = sorted(str(path.relative_to(run / "heatmaps")) for path in run.rglob("*.png"))
    run.rename(folder / f"seen_{len(list(folder.iterdir()))}")
    return found


@pytest.fixture
def seen(monkeypatch):
    """What the pages were given."""
    given = {"added": [], "outputs": []}

    def record(name, kind):
        original = getattr(HeatmapPages, name)
        monkeypatch.setattr(
            heatmaps.HeatmapPages, name, lambda self, *args: (given[kind].append(args), original(self, *args))[1]
        )

    record("add", "added")
    record("add_outputs", "outputs")
    return given


def test_a_page_per_class_and_the_means(folder, capsys, seen):
    assert command(folder, f"{TINY} analysis.per_class=2 analysis.rule_sets=[epsilon,epsilon,epsilon_plus_flat]") == 0
    assert written(folder) == ["0000-cat.png", "0001-dog.png", "means.png"]
    assert "3 pictures are in" in capsys.readouterr().out
    for label, (looked,) in enumerate(seen["added"]):
        assert looked.label == label
        assert len(looked.index) == 2
        names = [method.name for method in looked.methods]
        assert ["epsilon_plus_flat" in name for name in names] == [True, False]


def test_given_samples_with_their_outputs(folder, seen):
    text = f"{TINY} split=val analysis.samples=[7,0,7] analysis.outputs=1 analysis.cmap=seismic analysis.joint=true"
    assert command(folder, text) == 0
    assert written(folder) == ["0000-cat.png", "0001-dog.png", "means.png", "outputs/000000.png", "outputs/000007.png"]
    assert [looked.index.tolist() for (looked,) in seen["added"]] == [[0], [7]]
    for looked, i, outputs, methods, _ in seen["outputs"]:
        top = int(looked.logits[i].argmax())
        assert outputs == ([top] if top == looked.label else [top, looked.label])
        np.testing.assert_allclose(methods[0].maps[outputs.index(looked.label)], looked.methods[0].maps[i], atol=1e-6)


def test_the_predicted_class_is_explained(folder, seen):
    text = f"{TINY} analysis.classes=[dog] analysis.per_class=3 analysis.outputs=2"
    for target in ("label", "predicted"):
        assert command(folder, f"{text} analysis.target={target}") == 0
        assert "0001-dog.png" in written(folder)
    for number, (looked, i, outputs, methods, _) in enumerate(seen["outputs"]):
        explained = looked.label if number < 3 else int(torch.argmax(looked.logits[i]))
        np.testing.assert_allclose(methods[0].maps[outputs.index(explained)], looked.methods[0].maps[i], atol=1e-6)


def test_sums_of_outputs_and_superclasses_are_explained_beside_them(folder, seen):
    """Of LRP and of every method that is linear in the output the map of a sum is the sum of the maps."""
    text = (
        f"{TINY} analysis.samples=[0] analysis.outputs=2 analysis.methods=[input_x_gradient,saliency] "
        "analysis.superclasses={pets:[cat,dog],felines:[cat]}"
    )
    assert command(folder, text) == 0
    assert "outputs/000000.png" in written(folder)
    ((_, _, outputs, methods, sums),) = seen["outputs"]
    assert [(one.name, sorted(one.outputs)) for one in sums] == [("pets", [0, 1]), ("felines", [0]), ("", [0, 1])]
    for method in methods:
        own = dict(zip(outputs, method.maps[:2], strict=True))
        pets, felines, both = method.maps[2:]
        np.testing.assert_allclose(felines, own[0], atol=1e-6)
        np.testing.assert_array_equal(pets, both)
        if "Saliency" not in method.name:
            np.testing.assert_allclose(pets, own[0] + own[1], atol=1e-6)


def test_methods_depths_and_tiles_stand_side_by_side(folder, seen):
    text = (
        f"{TINY} data.image_size=48 analysis.samples=[0] analysis.methods=[saliency,epsilon] "
        "analysis.depths=[5,6,12] analysis.tile=32 analysis.stride=16"
    )
    assert command(folder, text) == 0
    written(folder)
    (((looked,),),) = (seen["added"],)
    names = [method.name for method in looked.methods]
    assert len(names) == 1 + 2 + 2  # two depths end at one layer
    assert "flat up to a field of 5, 6 px" in names[3]
    assert "flat up to a field of 12 px" in names[4]
    assert all(method.maps.shape == (1, 48, 48) for method in looked.methods)


def test_an_image_that_cannot_be_read_is_left_out(tmp_path, caplog):
    photographs(tmp_path / "photos")
    (broken,) = (tmp_path / "photos" / "train" / "cat").glob("0.png")
    broken.write_bytes(broken.read_bytes()[:60])
    assert command(tmp_path, f"{TINY} analysis.samples=[0]") == 1
    assert command(tmp_path, f"{TINY} analysis.samples=[0,1] out=second") == 0
    assert (tmp_path / "second" / "heatmaps" / "0000-cat.png").is_file()


def test_a_class_without_images_of_the_split_is_one_sentence(tmp_path, capsys):
    for image in (photographs(tmp_path / "photos") / "val" / "dog").iterdir():
        image.unlink()
    assert command(tmp_path, f"{TINY} split=val analysis.classes=[dog]") == 1
    assert "classes expects one that has val images, got dog." in capsys.readouterr().err


SENTENCES = [
    ("analysis.classes=[fish]", "classes names no class: expected one of 2 class names, got 'fish'"),
    ("analysis.samples=[3,28]", "samples expects indices from 0 to 27 of the train images, got 28."),
    ("analysis.samples=[-1]", "got -1."),
    ("analysis.samples=[]", "samples expects at least one, or null, got an empty list."),
    ("analysis.samples=[1] analysis.classes=[cat]", "samples and classes exclude each other"),
    ("analysis.rule_sets=[lrp]", "rule_sets expects names among epsilon_plus_flat, "),
    ("analysis.rule_sets=[epsilon_gamma_box]", "epsilon_gamma_box"),
    ("analysis.methods=[salience]", "analysis.methods expects names of attributions and of LRP's rule sets"),
    ("analysis.depths=[1]", "a field of 1 pixels is less than that of the first layer"),
    ("analysis.superclasses=[cat,fish]", "superclasses names no class: expected one of 2 class names, got 'fish'"),
    ("analysis.superclasses=[[]]", "superclasses expects at least one class in each"),
    ("analysis.tile=64", "tile expects at most the side of the images, 32 (data.image_size), got 64."),
    ("analysis.stride=8", "stride is of tiles: give tile, too."),
    ("analysis.tile=16 analysis.stride=17", "stride: expected 1 to the tile's side 16, or pixels are missed, got 17."),
    ("analysis.cmap=jet", "The colour map must be one of hot-cold, "),
    ("analysis.per_class=0", "analysis.per_class=0: input should be greater than 0."),
    ("analysis.outputs=-1", "analysis.outputs=-1: input should be greater than or equal to 0."),
    ("analysis.target=top", "analysis.target='top': input should be 'label' or 'predicted'"),
    ("analysis.samples=[a]", "analysis.samples=['a']"),
    ("+analysis.sample=[1]", "did you mean samples?"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_what_cannot_be_drawn_is_one_sentence_before_any_work(text, sentence, folder, capsys, monkeypatch):
    monkeypatch.setattr(heatmaps, "progress", None)  # nothing may get as far as that
    assert command(folder, f"{TINY} {text} out=refused") == 1
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert sentence in said
