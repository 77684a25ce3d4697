"""Continuity, image-specificity and randomised weights: literal versions, closed forms, and who is not written."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from unhans.attribution import Heatmaps, Relevance
from unhans.faithfulness import (
    MEASURES,
    cascade,
    class_similarity,
    continuity,
    heatmap_values,
    layers_from_top,
    noisy,
    randomized_similarity,
    rotated,
    translated,
)


def explain(images, target):
    """The square of the first channel, times the class."""
    factor = torch.as_tensor(target)[:, None, None] + 1.0
    return Heatmaps(factor * images[:, 0] ** 2, torch.zeros(len(images), 3))


def test_continuity_is_its_formula_step_by_step():
    images, targets = torch.rand(3, 2, 5, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2])
    for path in (translated(images, 3), noisy(images, 4, 0.5)):
        found = continuity(explain, path, targets)
        for i in range(3):
            ratios = []
            for one, two in pairwise(path):
                a, b = (explain(copy, targets).maps[i].double() for copy in (one, two))
                change = float((b - a).abs().sum() / a.abs().sum())
                moved = float((two[i] - one[i]).norm() / one[i].norm())
                ratios.append(change / moved)
            assert found.mean[i] == pytest.approx(np.mean(ratios), rel=1e-5)
            assert found.largest[i] == pytest.approx(max(ratios), rel=1e-5)


def test_a_map_that_does_not_change_is_continuous_and_an_image_that_does_not_is_left_out():
    images = torch.ones(2, 1, 4, 4)
    images[0, 0, :, 0] = 2.0
    constant = continuity(lambda x, t: Heatmaps(torch.ones(len(x), 4, 4), x), translated(images, 2), torch.tensor([0]))
    assert constant.mean[0] == constant.largest[0] == 0
    assert np.isnan(constant.mean[1])
    assert np.isnan(constant.largest[1])


def test_copies_along_a_path():
    images = torch.arange(12.0).reshape(1, 1, 3, 4)
    moved = translated(images, 2)
    assert [copy[0, 0, 0].tolist() for copy in moved] == [[0, 1, 2, 3], [0, 0, 1, 2], [0, 0, 0, 1]]
    path = noisy(images, 2, 0.1)
    assert torch.equal(path[0], images)
    assert float((path[2] - images).std()) == pytest.approx(0.1 * float(images.std()), rel=0.5)
    torch.testing.assert_close(2 * (path[1] - images), path[2] - images)


def test_copies_are_turned_about_the_middle_by_a_degree_each():
    offsets = torch.arange(25.0) - 12
    ramp = offsets[None, None, None].expand(1, 1, 25, 25)
    path = rotated(ramp, 2)
    assert torch.equal(path[0], ramp)
    for degrees, copy in enumerate(path):  # a linear image stays one: x cos a − y sin a, counterclockwise
        angle = np.deg2rad(degrees)
        expected = offsets[None] * np.cos(angle) - offsets[:, None] * np.sin(angle)
        torch.testing.assert_close(copy[0, 0, 3:-3, 3:-3], expected[3:-3, 3:-3].float(), atol=1e-3, rtol=0)
    assert torch.equal(rotated(torch.ones(1, 2, 4, 9), 3)[3], torch.ones(1, 2, 4, 9))  # nothing black comes in


def test_every_kind_of_path_is_measured():
    images = torch.rand(2, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    maps = explain(images, torch.tensor([0, 0])).maps.numpy()
    found = heatmap_values(explain, images, torch.tensor([0, 0]), maps, path=2)
    assert set(found) == set(MEASURES)
    for name, path in {"translated": translated(images, 2), "rotated": rotated(images, 2)}.items():
        np.testing.assert_array_equal(found[f"continuity_{name}"], continuity(explain, path, torch.tensor([0, 0])).mean)


def test_similarity_within_a_class():
    maps = np.random.default_rng(0).normal(size=(4, 3, 3))
    cosines = [[a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b) for b in maps] for a in maps]
    expected = [np.mean([row[j] for j in range(4) if j != i]) for i, row in enumerate(cosines)]
    np.testing.assert_allclose(class_similarity(maps), expected)
    np.testing.assert_allclose(class_similarity(np.stack([maps[0], 2 * maps[0]])), 1)
    assert np.isnan(class_similarity(maps[:1])).all()
    assert class_similarity(np.zeros((2, 3, 3))).tolist() == [0, 0]


class Shuffled(nn.Module):
    """Registered in another order than it runs."""

    def __init__(self):
        super().__init__()
        self.head, self.first = nn.Linear(16, 3), nn.Conv2d(1, 4, 3)
        self.norm, self.unused = nn.BatchNorm2d(4), nn.Linear(2, 2)

    def forward(self, x):
        return self.head(nn.functional.adaptive_avg_pool2d(self.norm(self.first(x)).relu(), 2).flatten(1))


def shuffled():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Shuffled()


def test_layers_become_random_one_after_the_other_from_the_top():
    model, images = shuffled().train(), torch.rand(2, 1, 8, 8)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    layers = layers_from_top(model, images)
    assert layers == ["head", "norm", "first"]
    changed = []
    for layer, network in cascade(model, layers, seed=3):
        after = network.state_dict()
        changed.append({name.split(".")[0] for name in before if not torch.equal(before[name], after[name])})
        weight = network.get_submodule(layer).weight.detach()
        assert float(weight.mean()) == pytest.approx(float(before[f"{layer}.weight"].mean()), abs=0.15)
    assert changed == [{"head"}, {"head"}, {"head", "first"}]  # an untrained batch norm: all weights are 1
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert model.training
    again = [network.head.weight.clone() for _, network in cascade(model, layers, seed=3)]
    other = [network.head.weight.clone() for _, network in cascade(model, layers, seed=4)]
    assert torch.equal(again[0], again[2])
    assert not torch.equal(again[0], other[0])


def test_similarity_falls_as_layers_become_random_and_is_spearmans():
    model, images = shuffled(), torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([0, 1])
    seen = []

    def maps(network):
        seen.append(Relevance("epsilon").of(network)(images, targets).maps.numpy())
        return seen[-1]

    done = []
    found = randomized_similarity(model, maps, layers_from_top(model, images), seed=1, advance=done.append)
    assert [one.layer for one in found] == done == ["head", "norm", "first"]
    for one, after in zip(found, seen[1:], strict=True):
        for i in range(2):
            assert one.signed[i] == pytest.approx(spearmanr(seen[0][i].ravel(), after[i].ravel()).statistic)
            pair = np.abs(seen[0][i]).ravel(), np.abs(after[i]).ravel()
            assert one.absolute[i] == pytest.approx(spearmanr(*pair).statistic)
    assert found[1].signed.tolist() == found[0].signed.tolist()  # nothing of the norm could change
    (last,) = randomized_similarity(model, maps, layers_from_top(model, images), seed=1, at={"first"})
    assert last.signed.tolist() == found[2].signed.tolist()


def test_a_method_that_does_not_look_at_the_network_stays():
    edges = np.random.default_rng(0).normal(size=(3, 5, 5))
    found = randomized_similarity(shuffled(), lambda network: edges, ["head", "first"])
    assert all(one.absolute.tolist() == one.signed.tolist() == pytest.approx([1, 1, 1]) for one in found)
