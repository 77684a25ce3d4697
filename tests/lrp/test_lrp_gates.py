"""Gates weigh a signal and take no relevance; two signals of a product take half each."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, seeded
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import LRP, Epsilon

ZERO = Epsilon(0.0)


def layers():
    return {"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "both": nn.Linear(4, 8)}


def net(forward):
    return Written(forward, **seeded(lambda: nn.ModuleDict(layers())))


def through(layer, x, above):
    """R_i = Σ_j x_i w_ji / z_j R_j by loops."""
    z, out = layer(x).tolist(), torch.zeros_like(x)
    for n, row in enumerate(x.tolist()):
        for j, r in enumerate(above[n].tolist()):
            for i, value in enumerate(row):
                out[n, i] += value * layer.weight[j, i] / z[n][j] * r
    return out.detach()


SIGNAL_A = {  # the relevance is that of layer a alone
    "sigmoid": lambda net, x: net.a(x) * torch.sigmoid(net.b(x)),
    "gate first": lambda net, x: net.b(x).sigmoid() * net.a(x),
    "hardsigmoid": lambda net, x: net.a(x) * F.hardsigmoid(net.b(x)),
    "softmax": lambda net, x: net.a(x) * net.b(x).softmax(-1),
    "scaled gate": lambda net, x: net.a(x) * (2 * net.b(x).sigmoid()),
    "expanded gate": lambda net, x: net.a(x) * net.b(x).mean(1, keepdim=True).sigmoid().expand(-1, 4),
    "in place": lambda net, x: net.a(x).mul_(net.b(x).sigmoid()),
    "boolean": lambda net, x: net.a(x) * (net.b(x) > -9),
    "number": lambda net, x: net.a(x) * (net.b(x) > -9).to(x.dtype),
    "chosen": lambda net, x: torch.where(net.b(x) > -9, net.a(x), 0.0),
    "division by a norm": lambda net, x: F.normalize(net.a(x), dim=1),
    "division by a layer": lambda net, x: net.a(x) / net.b(x).exp(),
    "own sigmoid": lambda net, x: (lambda a: a * a.sigmoid())(net.a(x)),
    "silu": lambda net, x: F.silu(net.a(x)),
    "square": lambda net, x: (lambda a: a * a)(net.a(x)),
    "power": lambda net, x: net.a(x) ** 2,
    "complement": lambda net, x: net.a(x) * (1 - net.b(x).sigmoid()),
    "gate of a gate": lambda net, x: net.a(x) * (net.b(x).sigmoid() * net.both(x)[:, :4].sigmoid()),
    "root mean square": lambda net, x: (lambda a: a * a.pow(2).mean(-1, keepdim=True).rsqrt())(net.a(x)),
}


@pytest.mark.parametrize("name", SIGNAL_A)
def test_a_gate_passes_relevance_to_the_signal(name):
    model, x, above = net(SIGNAL_A[name]), images(2, 4), images(2, 4, seed=7)
    torch.testing.assert_close(relevance_of(model, ZERO, x, above), through(model.a, x, above))


def test_two_signals_take_half_each():
    model, x, above = net(lambda net, x: net.a(x) * net.b(x)), images(2, 4), images(2, 4, seed=7)
    expected = through(model.a, x, above / 2) + through(model.b, x, above / 2)
    torch.testing.assert_close(relevance_of(model, ZERO, x, above), expected)


GLU = {
    "by hand": lambda net, x: (lambda s, g: s * g.sigmoid())(*net.both(x).chunk(2, -1)),
    "function": lambda net, x: F.glu(net.both(x), -1),
    "module": lambda net, x: nn.GLU()(net.both(x)),
}


@pytest.mark.parametrize("name", GLU)
def test_a_gated_linear_unit_sends_relevance_through_its_first_half(name):
    model, x, above = net(GLU[name]), images(2, 4), images(2, 4, seed=7)
    half = nn.Linear(4, 4).double()
    half.weight.data, half.bias.data = model.both.weight.data[:4], model.both.bias.data[:4]
    torch.testing.assert_close(relevance_of(model, ZERO, x, above), through(half, x, above))


@pytest.mark.parametrize("gate", [nn.Sigmoid, nn.Hardsigmoid])
def test_squeeze_and_excitation(gate):
    """The excitation is a constant per channel: the same network with its number written in."""

    def build():
        return nn.ModuleDict({"conv": nn.Conv2d(2, 3, 3), "squeeze": nn.Conv2d(3, 3, 1), "fc": nn.Linear(3, 2)})

    modules, x = seeded(build), images(1, 2, 5, 5)
    with torch.no_grad():
        y = modules["conv"](x)
        excitation = gate()(modules["squeeze"](y.mean((2, 3), keepdim=True)))
    squeezed = lambda net, y: net.gate(net.squeeze(F.adaptive_avg_pool2d(y, 1)))  # noqa: E731
    forward = lambda net, x: net.fc((lambda y: (y * squeezed(net, y)).mean((2, 3)))(net.conv(x)))  # noqa: E731
    constant = lambda net, x: net.fc((net.conv(x) * excitation).mean((2, 3)))  # noqa: E731
    model, fixed = Written(forward, gate=gate(), **modules), Written(constant, **modules)
    for composite in ("epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon"):
        expected, result = (LRP(m, composite).explain(x, 1) for m in (fixed, model))
        torch.testing.assert_close(result.logits, expected.logits)
        if composite == "epsilon_plus_flat":  # flat and z⁺ do not see a positive factor per channel
            torch.testing.assert_close(result.relevance, expected.relevance)


@pytest.mark.parametrize("spelling", ["@", "square"])
def test_a_product_of_matrices_conserves(spelling):
    """Each of two factors takes half, also where they are one tensor."""
    x, above = images(2, 3, 3), images(2, 3, 3, seed=7)
    forward = (lambda _, x: x @ x.transpose(1, 2)) if spelling == "@" else (lambda _, x: x @ x)
    result = relevance_of(Written(forward), ZERO, x, above)
    torch.testing.assert_close(result.sum((1, 2)), above.sum((1, 2)))
