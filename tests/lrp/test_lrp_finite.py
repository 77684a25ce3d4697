"""No composite makes NaN or infinity: zero and constant inputs, dead units, zero weights, tiny and huge scales."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Net, images, seeded
from torch import nn

from unhans.lrp import LRP, Flat, Gamma, WSquare, ZPlus, composite_by_name

FLOAT = torch.float32
COMPOSITES = {
    "epsilon_plus_flat": composite_by_name("epsilon_plus_flat"),
    "epsilon_alpha2_beta1_flat": composite_by_name("epsilon_alpha2_beta1_flat"),
    "epsilon_alpha2_beta1": composite_by_name("epsilon_alpha2_beta1"),
    "epsilon_gamma_box": composite_by_name("epsilon_gamma_box", low=-3.0, high=3.0),
    "epsilon": composite_by_name("epsilon"),
    "zero": composite_by_name("epsilon", epsilon=0.0),
    "z_plus": ZPlus(),
    "gamma": Gamma(),
    "flat": Flat(),
    "w_square": WSquare(),
}
INPUTS = {
    "zero": torch.zeros(2, 3, 8, 8),
    "constant": torch.full((2, 3, 8, 8), 0.7),
    "huge": 1e8 * images(2, 3, 8, 8, dtype=FLOAT),
    "tiny": 1e-12 * images(2, 3, 8, 8, dtype=FLOAT),
    "denormal": 1e-40 * images(2, 3, 8, 8, dtype=FLOAT),
}


@torch.no_grad()
def dead(net):
    """Every unit of the first convolution, and half of the second's, is negative for every image."""
    for norm, units in ((net.bn1, slice(None)), (net.bn2, slice(0, 3))):
        norm.bias[units] = -1e9
    return net


@torch.no_grad()
def zeroed(net):
    for parameter in net.parameters():
        parameter.zero_()
    return net


@torch.no_grad()
def without_shift(net):
    for module in (net.bn1, net.bn2):
        module.running_mean.zero_()
        module.bias.zero_()
    net.conv2.bias.zero_()
    net.fc.bias.zero_()
    return net


STATES = {"random": lambda net: net, "dead": dead, "zeroed": zeroed, "without_shift": without_shift}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_is_finite(composite, state):
    model = STATES[state](seeded(Net, dtype=FLOAT))
    explainer = LRP(model, COMPOSITES[composite])
    for name, x in INPUTS.items():
        if state == "dead" and name == "huge":
            continue  # those units wake up
        assert explainer.attribute(x, 1).isfinite().all(), name


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "epsilon_alpha2_beta1"])
def test_a_zero_input_has_no_relevance(composite):
    assert not LRP(seeded(Net, dtype=FLOAT), composite).attribute(torch.zeros(1, 3, 8, 8), 1).any()


def test_a_dead_layer_passes_nothing_on():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    model[0].bias.data.fill_(-100.0)
    for composite in ("epsilon", "zero"):
        assert not LRP(model, COMPOSITES[composite]).attribute(images(2, 4), 0).any()
