"""Which rule each composite gives to which layer (METHODS §1)."""

from __future__ import annotations

import pytest
from lrp_networks import images, linear_steps, recorded
from torch import nn

from unhans.lrp import COMPOSITES, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, ZPlus, composite_by_name

ALPHA2 = AlphaBeta(2.0, -1.0)
BOX = {"low": -1.0, "high": 2.0}
EXPECTED = {  # first convolution, second, average pooling, batch norm, dense
    "epsilon_plus_flat": [Flat(), ZPlus(), ZPlus(), Epsilon(0.0), Epsilon(1e-6)],
    "epsilon_plus": [ZPlus(), ZPlus(), ZPlus(), Epsilon(0.0), Epsilon(1e-6)],
    "epsilon_alpha2_beta1_flat": [Flat(), ALPHA2, ALPHA2, Epsilon(0.0), Epsilon(1e-2)],
    "epsilon_alpha2_beta1": [ALPHA2, ALPHA2, ALPHA2, Epsilon(0.0), Epsilon(1e-2)],
    "epsilon_gamma_box": [ZBox(**BOX), Gamma(0.25), Gamma(0.25), Epsilon(0.0), Epsilon(1e-6)],
    "epsilon": [Epsilon(1e-6), Epsilon(1e-6), Epsilon(1e-6), Epsilon(0.0), Epsilon(1e-6)],
}


def rules(composite):
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3)),
    )
    _, plan = recorded(model.double(), images(2, 3, 8, 8), composite)
    return [step.rule for step in linear_steps(plan)]


def test_every_composite_is_listed():
    assert set(EXPECTED) == set(COMPOSITES)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_rule_of_every_layer(name):
    assert rules(composite_by_name(name, **(BOX if "box" in name else {}))) == EXPECTED[name]


def test_parameters_reach_their_rules():
    assert rules(composite_by_name("epsilon_gamma_box", low=0.0, high=1.0, gamma=0.5, epsilon=0.1)) == [
        ZBox(0.0, 1.0), Gamma(0.5), Gamma(0.5), Epsilon(0.0), Epsilon(0.1)
    ]  # fmt: skip


def test_one_rule_is_for_every_layer():
    assert rules(WSquare()) == [WSquare()] * 5


def test_the_first_pattern_that_matches_wins():
    composite = [("first convolution", WSquare()), ("convolution", Flat()), ("convolution", ZPlus())]
    others = [(kind, Epsilon()) for kind in ("average_pool", "batch_norm", "dense")]
    assert rules(composite + others) == [WSquare(), Flat(), Epsilon(), Epsilon(), Epsilon()]


def test_branches_of_the_input_are_all_first():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.last = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 1)

        def forward(self, x):
            return self.last(self.left(x) + self.right(x)).flatten(1)

    _, plan = recorded(Branches().double(), images(2, 3, 4, 4), "epsilon_plus_flat")
    assert [step.rule for step in linear_steps(plan)] == [Flat(), Flat(), ZPlus()]
