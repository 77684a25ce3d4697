"""Flat up to a receptive field: of each network the layer that has it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unhans.attribution import Relevance
from unhans.lrp import deepest_within


def chain(kernel: int) -> nn.Module:
    torch.manual_seed(kernel)
    return nn.Sequential(
        nn.Conv2d(3, 4, kernel, padding=kernel // 2), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ).eval()  # fmt: skip


IMAGES = torch.rand(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel", "layer"), [(3, "3"), (5, "1")])
def test_each_network_has_the_layer_of_its_own_field(kernel, layer):
    net = chain(kernel)
    assert deepest_within(net, IMAGES, 6)[0] == layer
    found = Relevance("epsilon_plus_flat", {"flat_within": 6}).of(net)(IMAGES, 1).maps
    expected = Relevance("epsilon_plus_flat", {"flat_through": layer}).of(net)(IMAGES, 1).maps
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, Relevance().of(net)(IMAGES, 1).maps) or layer == "1"


def test_what_cannot_be_is_one_sentence():
    with pytest.raises(ValueError, match="less than that of the first layer"):
        Relevance("epsilon_plus_flat", {"flat_within": 2}).of(chain(5))(IMAGES, 1)
    with pytest.raises(ValueError, match="needs the size of images"):
        Relevance("epsilon_plus_flat", {"flat_within": 6}).lrp(chain(3))
    with pytest.raises((TypeError, ValueError), match="flat_through"):
        Relevance("epsilon", {"flat_within": 6})
    with pytest.raises(ValueError, match="not both"):
        Relevance("epsilon_plus_flat", {"flat_within": 6, "flat_through": "0"})
    with pytest.raises(ValueError, match="flat_within expects a whole number of pixels"):
        Relevance("epsilon_plus_flat", {"flat_within": "deep"})
