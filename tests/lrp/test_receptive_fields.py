"""How many pixels a unit sees: against arithmetic, and against which pixels change a unit."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from unhans.lrp import deepest_within, receptive_fields


def test_fields_of_a_chain_are_those_of_arithmetic():
    """r ← r + (k − 1)·d·j, j ← j·s."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2), nn.ReLU(),
        nn.Conv2d(4, 4, 3, dilation=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 2, 3, groups=2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3),
    ).eval()  # fmt: skip
    fields = [5, 5, 5, 9, 9, 25, 25, 29, 45, 91, 96, 96]  # the last columns fall between windows
    assert list(receptive_fields(net, torch.zeros(1, 3, 96, 96))) == [(str(i), f) for i, f in enumerate(fields)]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert deepest_within(net, torch.zeros(1, 3, 96, 96), 28) == ("6", 25)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("name", "pixels", "end"),
    [
        ("alexnet", 30, ("features.2", 19)),  # 11, pooled 19, then 51
        ("resnet18", 30, ("layer1.0", 27)),  # through both branches of a residual block
        ("resnet18", 100, ("layer2", 99)),
    ],
)
def test_known_networks(name, pixels, end):
    net = getattr(torchvision.models, name)().eval()
    assert deepest_within(net, torch.zeros(1, 3, 128, 128), pixels) == end


def test_channels_may_come_last():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.mix, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
            self.act = nn.GELU()

        def forward(self, x):
            return self.head(self.act(self.mix(self.stem(x).permute(0, 2, 3, 1))).mean((1, 2)))

    fields = dict(receptive_fields(Last().eval(), torch.zeros(1, 3, 20, 28)))
    assert fields == {"stem": 4, "mix": 4, "act": 4, "head": 28}


def test_a_field_below_the_first_is_refused():
    net = nn.Sequential(nn.Conv2d(3, 2, 5), nn.Flatten(), nn.Linear(32, 2)).eval()
    with pytest.raises(ValueError, match="a field of 4 pixels is less than that of the first layer '0', 5"):
        deepest_within(net, torch.zeros(1, 3, 8, 8), 4)
