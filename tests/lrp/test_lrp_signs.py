"""Where the graph says that an input is non-negative it is, so z⁺ may leave out its negative half."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import ARCHITECTURES, Written, images, linear_steps, recorded, seeded
from torch import nn

from unhans.lrp import composite_by_name
from unhans.lrp.operations import Linear
from unhans.lrp.propagation import propagate

SIGNED = {
    "subtraction": lambda net, x: F.relu(net.a(x)) - F.relu(net.b(x)),
    "isub": lambda net, x: F.relu(net.a(x)).sub_(F.relu(net.b(x))),
    "negative alpha": lambda net, x: torch.add(F.relu(net.a(x)), F.relu(net.b(x)), alpha=-1),
    "negative factor": lambda net, x: F.relu(net.a(x)) * -1,
    "negative constant": lambda net, x: F.relu(net.a(x)) + -1,
    "negative buffer": lambda net, x: F.relu(net.a(x)) + net.shift,
    "added to signed": lambda net, x: F.relu(net.a(x)) + net.b(x),
    "concatenated with signed": lambda net, x: torch.cat([F.relu(net.a(x)), net.b(x)], 1)[:, 2:6],
    "padded": lambda net, x: F.pad(F.relu(net.a(x)), (1, 1), value=-2.0),
    "padded by position": lambda net, x: F.pad(F.relu(net.a(x)), (1, 1), "constant", -2.0),
    "leaky": lambda net, x: F.leaky_relu(net.a(x)),
    "leaky module": lambda net, x: net.leaky(net.a(x)),
    "tanh": lambda net, x: net.a(x).tanh(),
    "gelu": lambda net, x: F.gelu(net.a(x)),
    "elu": lambda net, x: F.elu(F.elu(net.a(x))),
    "signed max pool": lambda net, x: F.max_pool2d(net.a(x) - 3, 2, 1),
    "signed average pool": lambda net, x: F.avg_pool2d(net.a(x), 2, 1),
    "after a norm": lambda net, x: net.norm(F.relu(net.a(x))),
    "dropout of signed": lambda net, x: net.drop(net.a(x)),
    "input": lambda net, x: torch.cat([x, x], 1)[:, :4],
    "reshaped": lambda net, x: net.a(x).view(x.size(0), 2, 2, 4, 6).flatten(1, 2),
}
NON_NEGATIVE = {
    "relu": lambda net, x: F.relu(net.a(x)),
    "relu_": lambda net, x: net.a(x).relu_(),
    "module": lambda net, x: net.relu(net.a(x)),
    "sigmoid": lambda net, x: net.a(x).sigmoid(),
    "pooled": lambda net, x: F.max_pool2d(F.avg_pool2d(F.relu(net.a(x)), 2, 1), 2, 1),
    "dropout": lambda net, x: net.drop(F.dropout(F.relu(net.a(x)), training=False)),
    "sum": lambda net, x: F.relu(net.a(x)) + net.relu(net.b(x)),
    "residual": lambda net, x: net.relu(net.a(x) + net.b(x)),
    "concatenated": lambda net, x: torch.cat([F.relu(net.a(x)), net.relu(net.b(x))], 1)[:, :4],
}


COMPOSITES = {"epsilon_plus": {}, "epsilon_alpha2_beta1": {}, "epsilon_gamma_box": {"low": -4.0, "high": 4.0}}


def network(middle):
    """Two convolutions of the input, what the case makes of them, then a convolution under z⁺ or αβ."""

    def written(net, x):
        return net.last(middle(net, x)).mean((2, 3))

    def build():
        layers = {"a": nn.Conv2d(2, 4, 3, padding=1), "b": nn.Conv2d(2, 4, 1), "last": nn.Conv2d(4, 3, 2)}
        others = {
            "relu": nn.ReLU(inplace=True),
            "leaky": nn.LeakyReLU(),
            "norm": nn.BatchNorm2d(4),
            "drop": nn.Dropout(),
        }
        net = Written(written, **layers, **others)
        net.register_buffer("shift", images(4, 1, 1, seed=8))
        return net

    return seeded(build)


def flagged(plan):
    return {node: step for node, step in plan.steps.items() if isinstance(step, Linear) and step.non_negative}


def unflagged(plan):
    """Return the plan with nothing known of any sign."""
    return replace(plan, steps=plan.steps | {n: replace(s, non_negative=False) for n, s in flagged(plan).items()})


@torch.no_grad()
def explained(tape, plan):
    assert all(float(step.x.value.min()) >= 0 for step in flagged(plan).values())
    return propagate(tape, plan, tape.output, tape.input, tape.output.value.clone(), last=False)


@pytest.mark.parametrize("case", [*SIGNED, *NON_NEGATIVE])
def test_a_known_sign_is_true_and_changes_nothing(case):
    model, x = network((SIGNED | NON_NEGATIVE)[case]), images(2, 2, 4, 6)
    for name, parameters in COMPOSITES.items():
        tape, plan = recorded(model, x, composite_by_name(name, **parameters))
        last = next(step for step in linear_steps(plan) if step.name == "last")
        assert last.non_negative == (case in NON_NEGATIVE)
        torch.testing.assert_close(explained(tape, plan), explained(tape, unflagged(plan)))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121"])
def test_known_signs_of_large_networks_are_true(name):
    model, x = seeded(ARCHITECTURES[name], dtype=torch.float32), images(1, 3, 64, 64, dtype=torch.float32)
    tape, plan = recorded(model, x, "epsilon_plus_flat")
    assert len(flagged(plan)) > 10
    explained(tape, plan)
