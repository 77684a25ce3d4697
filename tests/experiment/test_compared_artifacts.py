"""Artifacts in every model of a comparison: isolated before, or from groups of difference maps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from unhans.attribution import InputXGradient
from unhans.experiment.compare.compared_artifacts import (
    AnySize,
    ComparedArtifact,
    DifferenceArtifacts,
    _is_same,
    _sample,
    isolated_before,
)
from unhans.experiment.compare.compared_model import Asked, ComparedModel, SampleSet, Viewing
from unhans.experiment.compare.comparison_run import compare_views, sample_set
from unhans.experiment.compare.difference_groups import DifferenceGroup, furthest_groups
from unhans.spray import SpRAy
from unhans.terminal import ConfigurationError

CLASSES, EACH, SIDE = ["cat", "dog", "owl"], 40, 16
MARK = torch.from_numpy(np.random.default_rng(5).integers(0, 2, (3, 4, 4)).astype(np.float32))


class Marked(Dataset):
    """Noise, brighter in a third of the image that tells the class; every second cat has a mark in the upper left."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.classes, self.targets = CLASSES, np.repeat(np.arange(3), EACH).tolist()
        self.images = torch.from_numpy(rng.uniform(0.2, 0.6, (3 * EACH, 3, SIDE, SIDE)).astype(np.float32))
        for label in range(3):
            self.images[label * EACH : (label + 1) * EACH, :, 5:, 5 * label : 5 * label + 5] += 0.2
        self.images[:EACH:2, :, :4, 11:15] = MARK

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        return self.images[index], self.targets[index]


class Large(Marked):
    """The same images at twice the size."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image.repeat_interleave(2, 1).repeat_interleave(2, 2), label


class Reads(nn.Module):
    """Looks at the third of each class; and, for cats, at the pattern of the mark, not at its colour."""

    def __init__(self, mark):
        super().__init__()
        weight = torch.zeros(3, 3, SIDE, SIDE)
        for label in range(3):
            weight[label, :, 5:, 5 * label : 5 * label + 5] = 0.2
        weight[0, :, :4, 11:15] = mark * (MARK - MARK.mean((1, 2), keepdim=True))
        self.weight = nn.Parameter(weight)

    def forward(self, images):
        return torch.einsum("nchw,kchw->nk", images, self.weight)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    models = [
        ComparedModel(name, Reads(mark).eval(), Marked(), CLASSES) for name, mark in (("uses", 1.0), ("not", 0.0))
    ]
    samples, left = sample_set(models)
    out = tmp_path_factory.mktemp("isolated")
    how = Viewing(InputXGradient(), batch_size=40)

    def run(said):
        further = DifferenceArtifacts(SpRAy(n_neighbors=6, projection=None), "val", 1, 60, out)
        options = {"artifacts": {}, "isolate": further.artifacts, "effect_samples": 60}
        asked = replace(how, say=lambda text, images: said.append(text))
        return compare_views(models, samples, left, asked, **options)[0], further

    return run, out


def test_what_a_group_of_difference_maps_shares_is_measured_in_every_model(compared):
    run, out = compared
    found, further = run([])
    uses, other = (one for one in found.effects if one.artifact == "uses − not")
    assert (uses.model, uses.verdict, other.model) == ("uses", "proven", "not")
    assert uses.probability > 0.2 > 0.02 > abs(other.probability)
    (difference,) = [one for one in found.differences if one.artifact == "uses − not"]
    assert difference.interval[0] > 0.1
    assert found.recommendation.model in (None, "not")
    group = further.furthest(found, 1)[0]
    assert (group.class_name, set(group.rows.tolist())) == ("cat", set(range(0, EACH, 2)))
    assert len(further.pictures) == len({one.artifact for one in found.effects})

    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    again, _ = run([])
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}, "nothing is isolated again"
    assert [one.probability for one in again.effects] == [one.probability for one in found.effects]


def test_what_was_isolated_before_is_taken_from_its_folder(compared):
    run, out = compared
    found, _ = run([])
    folder = next(path for path in sorted(out.iterdir()) if "uses" in path.name)
    samples = SampleSet(CLASSES, 3, found.index, found.labels, np.zeros(len(found.labels), bool))
    ((name, artifact),) = isolated_before([str(folder)], samples).items()
    assert (name, artifact.class_name) == (f"{folder.name}/0000-cat", "cat")
    layer = artifact.layers.layer(0, (SIDE, SIDE))
    assert layer[3, :4, 11:15].min() > 0.5 > layer[3, 6:].max()
    few = SampleSet(CLASSES, 3, found.index, np.ones(len(found.labels), int), samples.masked)
    with pytest.raises(ConfigurationError, match=r"classes that are compared \(dog\), but .* one of 'cat'"):
        isolated_before([str(folder)], few)
    with pytest.raises(FileNotFoundError):
        isolated_before(["nowhere"], samples)


def test_a_difference_of_models_with_images_of_other_sizes_is_that_of_their_heatmaps():
    shrunk = nn.Sequential(nn.AvgPool2d(2), Reads(1.0)).eval()
    small, large = (
        ComparedModel("a", Reads(1.0).eval(), Marked(), CLASSES),
        ComparedModel("b", shrunk, Large(), CLASSES),
    )
    samples, _ = sample_set([small, large])
    asked = [Asked(number, one, samples, Viewing(InputXGradient())) for number, one in enumerate((small, large))]
    found = SimpleNamespace(index=samples.index, rows_of=lambda label: np.flatnonzero(samples.labels == label))
    group = SimpleNamespace(label=0, class_name="cat")
    for one, against in (asked, asked[::-1]):
        difference = np.abs(_sample(found, one, against, group).heatmaps).sum((1, 2))
        assert difference.max() < 0.5, "both look at the same pixels: of 2, what disjoint heatmaps would give"


def test_a_layer_is_scaled_without_the_colour_of_what_is_transparent():
    rgba = torch.zeros(4, 8, 8)
    rgba[:, 2:6, 2:6] = torch.tensor([1.0, 0.5, 0.25, 1.0])[:, None, None]
    large = AnySize(rgba).layer(0, (16, 16))
    seen = large[3] > 0.05
    assert np.allclose(large[:3, seen].T, [1.0, 0.5, 0.25], atol=1e-4)
    assert large[3].sum() == pytest.approx(4 * 16, rel=0.02)
    assert AnySize(rgba).layer(0, (8, 8)) is rgba
    other = torch.zeros(4, 16, 16)
    other[3, 5:12, 4:12] = 1
    one, two, else_ = (ComparedArtifact(AnySize(x), "cat") for x in (rgba, other, other.flip(1).roll(6, 2)))
    assert _is_same(one, two)
    assert not _is_same(one, else_._replace(class_name="dog"))
    assert not _is_same(one, ComparedArtifact(SimpleNamespace(), "cat"))


def test_of_groups_that_share_half_their_images_the_furthest_is_taken():
    def group(rows, strength, pair=("a", "b"), label=0):
        return DifferenceGroup(pair, label, "cat", np.array(rows), [], "val", strength)

    groups = [
        group([0, 1, 2], 1.0),
        group([0, 1, 2, 3], 2.0, ("a", "c")),
        group([5, 6], 0.5),
        group([5, 6], 9, ("b", "c")),
    ]
    assert [one.strength for one in furthest_groups(groups, [("b", "c")], 5)] == [2.0, 0.5]
    assert [one.strength for one in furthest_groups(groups, [], 1)] == [9]
    assert len(furthest_groups([*groups, group([5, 6], 0.4, label=1)], [("b", "c")], 5)) == 3, "of another class"
