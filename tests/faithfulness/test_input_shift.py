"""Inputs normalised otherwise: network B computes what A computes, and which heatmaps stay ([003] §2.3.3)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from unhans.attribution import InputXGradient, Relevance, Saliency
from unhans.faithfulness import InputShift, ShiftedMaps, shifted_network
from unhans.lrp import LRP, Epsilon, Flat, Match, UnsupportedModelError, WSquare, ZBox, composite_by_name
from unhans.report.figures.quality import input_shift_figure
from unhans.report.tables.quality import input_shift_rows

SHIFT = InputShift(torch.tensor([1.0, 0.4, -0.3]).double(), torch.tensor([1.0, 0.5, 2.0]).double())
ONLY_MOVED = InputShift(torch.tensor([1.0, 0.4, -0.3]).double(), torch.ones(3).double())


class Padded(nn.Module):
    """Zero padding, a batch norm, a residual addition."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4)
        self.inner, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        return self.head((x + torch.relu(self.inner(x))).mean((2, 3)))


def two_stems():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 2, 5, padding=2, bias=False)
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            return self.head(torch.cat([self.a(x), self.b(x)], 1).relu().mean((2, 3)))

    return Two()


def last(*layers, features):
    return nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.Linear(features, 3))


NETWORKS = {
    "padded": Padded,
    "dense": lambda: last(nn.Flatten(), nn.Linear(3 * 81, 5), features=5),
    "groups": lambda: last(nn.Conv2d(3, 6, 3, padding=1, groups=3), features=486),
    "padded before": lambda: last(nn.ZeroPad2d(2), nn.Conv2d(3, 2, 5), features=162),
    "two stems": two_stems,
}


def network(name):
    torch.manual_seed(0)
    net = NETWORKS[name]().double().eval()
    if name == "padded":
        net.norm.running_mean.normal_()
        net.norm.bias.data.normal_()
    return net


def images():
    return torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("name", NETWORKS)
def test_both_networks_compute_the_same(name):
    net, x = network(name), images()
    before = copy.deepcopy(net.state_dict())
    other = shifted_network(net, SHIFT, x)
    torch.testing.assert_close(other(SHIFT.inputs(x)), net(x))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert [path for path, _ in other.named_modules()] == [path for path, _ in net.named_modules()]


WITHIN = InputShift(ONLY_MOVED.shift.clamp(0, 1), ONLY_MOVED.scale)  # the box of B's inputs holds 0
BOX = ZBox([0.0] * 3, [1.0] * 3), ZBox(*(WITHIN.bounds([each] * 3) for each in (0.0, 1.0)))
RULES = {
    "flat": (SHIFT, Flat(), Flat()), "w square": (ONLY_MOVED, WSquare(), WSquare()), "z box": (WITHIN, *BOX),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["padded", "groups"])
def test_what_does_not_see_the_shift_is_equal_at_the_border_too(name, rule):
    """z^B with the box of each network's inputs; w² where all channels have one scale."""
    net, x = network(name), images()
    shift, ours, theirs = RULES[rule]
    given = (net, x, ours), (shifted_network(net, shift, x), shift.inputs(x), theirs)
    maps = [
        LRP(one, [(Match("convolution", depth=1), first), *composite_by_name("epsilon_plus")]).attribute(inputs, 1)
        for one, inputs, first in given
    ]
    torch.testing.assert_close(maps[1], maps[0])


def test_epsilon_maps_differ_by_the_relevance_of_the_shift():
    """R_A − R_B = m_i w_ij / z_j R_j at every pixel; what pads has none of it (eq. 2.64)."""
    net, x, epsilon = network("padded"), images(), 0.05
    other = shifted_network(net, SHIFT, x)
    ours, theirs = (
        LRP(one, Epsilon(epsilon)).attribute(given, 1) for one, given in ((net, x), (other, SHIFT.inputs(x)))
    )
    above = LRP(net, Epsilon(epsilon)).attribute(x, 1, layer="norm")
    with torch.no_grad():
        scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
        weight = net.stem.weight * scale[:, None, None, None]
        z = net.norm(net.stem(x))
        share = above / (z + epsilon * torch.where(z >= 0, 1.0, -1.0))
        wide = torch.zeros(2, 3, 11, 11).double()
        for j, row, column in torch.cartesian_prod(*map(torch.arange, z.shape[1:])).tolist():
            window = (..., slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3))
            wide[window] += SHIFT.shift[:, None, None] * weight[j] * share[:, j, row, column].view(-1, 1, 1, 1)
    expected = wide[..., 1:-1, 1:-1]
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(ours - theirs, expected)


def test_gradients_are_equal_and_input_times_gradient_is_not():
    net, x = network("padded"), images()
    other = shifted_network(net, ONLY_MOVED, x)
    given = ONLY_MOVED.inputs(x)
    torch.testing.assert_close(Saliency().of(other)(given, 1).maps, Saliency().of(net)(x, 1).maps)
    products = [InputXGradient().of(one)(each, 1).maps for one, each in ((net, x), (other, given))]
    assert (products[0] - products[1]).abs().max() > 1e-3


def test_layers_keep_their_paths_so_that_rules_find_them():
    net, x = network("padded"), images()
    rules = [({"name": "stem"}, "flat"), *composite_by_name("epsilon_plus")]
    maps = [Relevance(rules).of(one)(given, 1).maps
            for one, given in ((net, x), (shifted_network(net, SHIFT, x), SHIFT.inputs(x)))]  # fmt: skip
    torch.testing.assert_close(maps[1], maps[0])


def test_an_input_that_something_else_reads_is_refused():
    class Centred(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3 * 81, 3)

        def forward(self, x):
            return self.head((x - 0.5).flatten(1))

    with pytest.raises(UnsupportedModelError, match=r"before a convolution or dense layer, not aten\.sub"):
        shifted_network(Centred().double().eval(), SHIFT, images())


def test_a_difference_is_relative_or_infinite_and_what_is_infinite_is_counted_apart():
    ours, theirs = np.zeros((3, 2, 2)), np.zeros((3, 2, 2))
    ours[0, 0, 0], theirs[0, 0, 1], theirs[1, 0, 0] = 2.0, 1.0, 0.25
    maps = ShiftedMaps("LRP", ours, theirs, np.ones(3))
    assert maps.difference.tolist() == [1.5, np.inf, 0.0]
    assert (maps.infinite, maps.mean_difference, maps.equal) == (1, 0.75, False)
    (row,) = input_shift_rows([maps]).rows
    assert (row[1], row[2], row[-1]) == (0.75, None, 1)
    said = input_shift_figure([maps], "").axes[0]
    assert [text.get_text() for text in said.texts] == [" infinite for 1 of 3 images"]
    assert np.isnan(ShiftedMaps("LRP", ours[1:2], theirs[1:2], np.ones(1)).mean_difference)
