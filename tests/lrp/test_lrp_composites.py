"""Which rule each composite gives to which layer (METHODS §1)."""

from __future__ import annotations

import pytest
from lrp_networks import images, linear_steps, recorded
from torch import nn

from unhans.lrp import COMPOSITES, AlphaBeta, Epsilon, Flat, Gamma, SignedZPlus, WSquare, ZBox, ZPlus, composite_by_name
from unhans.lrp.composites import rule_of

ALPHA2 = AlphaBeta(2.0, -1.0)
BOX = {"low": -1.0, "high": 2.0}
MEAN, NORM = Epsilon(0.0), Epsilon(0.0)
EXPECTED = {  # first convolution, second, average pooling, batch norm, dense
    "epsilon_plus_flat": [Flat(), ZPlus(keep=True), MEAN, NORM, Epsilon(1e-6)],
    "epsilon_plus": [ZPlus(keep=True), ZPlus(keep=True), MEAN, NORM, Epsilon(1e-6)],
    "epsilon_alpha2_beta1_flat": [Flat(), ALPHA2, MEAN, NORM, Epsilon(1e-2)],
    "epsilon_alpha2_beta1": [ALPHA2, ALPHA2, MEAN, NORM, Epsilon(1e-2)],
    "epsilon_gamma_box": [ZBox(**BOX), Gamma(0.25), MEAN, NORM, Epsilon(1e-6)],
    "epsilon": [Epsilon(1e-6), Epsilon(1e-6), MEAN, NORM, Epsilon(1e-6)],
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
        ZBox(0.0, 1.0), Gamma(0.5), MEAN, NORM, Epsilon(0.1)
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
    assert [step.rule for step in linear_steps(plan)] == [Flat(), Flat(), Epsilon(1e-6)]  # the last one is the head


REST = [({"operation": kind}, "epsilon") for kind in ("convolution", "average_pool", "batch_norm", "dense")]
PLACES = {
    "name": ({"name": "2"}, [1]),
    "pattern": ({"name": "[02]"}, [0, 1]),
    "name and operation": ({"name": "*", "operation": "dense"}, [4]),
    "depth": ({"depth": 1}, [0]),
    "depth of what weighs nothing": ({"depth": 2}, [0, 1, 2, 3]),
    "through": ({"through": "2"}, [0, 1]),
    "through what weighs nothing": ({"through": "4"}, [0, 1, 2]),
    "through, one operation": ({"through": "4", "operation": "average_pool"}, [2]),
    "first": ("first convolution", [0]),
    "first dense": ("first dense", []),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_rule_by_place(name):
    match, places = PLACES[name]
    expected = [WSquare() if i in places else Epsilon() for i in range(5)]
    assert rules([(match, "w_square"), *REST]) == expected
    assert rules([{"match": match, "rule": "w_square"}, *REST]) == expected


RULES = {
    "epsilon": Epsilon(),
    "alpha_beta": ALPHA2,
    "z_plus": ZPlus(),
    "signed_z_plus": SignedZPlus(),
    "gamma": Gamma(),
    "flat": Flat(),
    "w_square": WSquare(),
}


def test_every_rule_has_a_name_and_parameters():
    for name, rule in RULES.items():
        assert rule_of(name) == rule
    assert rule_of({"epsilon": 0.5}) == Epsilon(0.5)
    assert rule_of({"alpha_beta": {"alpha": 3, "beta": -2}}) == AlphaBeta(3, -2)
    assert rule_of({"z_box": {"low": [-1, -2], "high": [1, 2]}}) == ZBox([-1, -2], [1, 2])


def test_flat_reaches_as_far_as_it_is_told():
    assert rules(composite_by_name("epsilon_plus_flat", flat_through="2")) == [
        Flat(), Flat(), MEAN, NORM, Epsilon(1e-6)
    ]  # fmt: skip
    assert rules(composite_by_name("epsilon_alpha2_beta1_flat", flat_through="4"))[:3] == [Flat(), Flat(), Flat()]
