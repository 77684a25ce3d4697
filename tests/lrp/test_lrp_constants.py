"""Constants that a forward makes and overwrites: relevance is that of the network that writes nothing twice."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, seeded
from torch import nn

from unhans.lrp import LRP, AlphaBeta, Epsilon, Flat, Gamma, ZPlus

RULES = [Epsilon(0.0), Epsilon(0.25), ZPlus(), AlphaBeta(), Gamma(), Flat()]


def accumulated(net, x):
    total = x.new_zeros(len(x), 4)
    total += net.fc(x)
    return total


def accumulated_twice(net, x):
    total = torch.zeros(len(x), 4, dtype=x.dtype)
    for layer in (net.fc, net.other):
        total += layer(x)
    return total


def added_to_constant(net, x):
    total = net.fc.bias.expand(len(x), 4).clone()
    return total.addmm_(x, net.fc.weight.T)


def scaled_in_place(net, x):
    scale = net.other.bias[:3].expand(x.shape).clone()
    return net.fc(scale.mul_(x))


def factor_changed(net, x):
    factor = torch.full((3,), 2.0, dtype=x.dtype)
    x = x * factor
    factor.mul_(3)
    return net.fc(x * factor)


def weight_changed(net, x):
    weight = net.fc.weight.clone()
    y = F.linear(x, weight)
    weight.mul_(2).add_(1)
    return y


def bias_changed(net, x):
    bias = net.fc.bias.clone()
    y = F.linear(x, net.fc.weight, bias)
    bias.neg_()
    return y


def index_changed(net, x):
    index = torch.tensor([0, 1])
    first = x[:, index]
    index += 1
    return net.fc(torch.cat([first, x[:, index]], 1)[:, [0, 3, 1]])


def mask_changed(net, x):
    mask = torch.tensor([True, False, False])
    first = x.masked_fill(mask, 0.0)
    mask.logical_not_()
    return net.fc(first * 0.5 + x.masked_fill(mask, 0.0))


def filled(net, x):
    buffer = x.new_empty(x.shape)
    buffer.copy_(x)
    y = net.fc(buffer)
    buffer.fill_(7.0)
    return y


def written_out(net, x):
    y = x.new_empty(len(x), 4)
    torch.mm(x, net.fc.weight.T, out=y)
    return y


def index_apart(net, x):
    return net.fc(torch.cat([x[:, [0, 1]], x[:, [1, 2]]], 1)[:, [0, 3, 1]])


def mask_apart(net, x):
    mask = torch.tensor([True, False, False])
    return net.fc(x.masked_fill(mask, 0.0) * 0.5 + x.masked_fill(~mask, 0.0))


TWO, SIX = (torch.full((3,), value, dtype=torch.float64) for value in (2.0, 6.0))
PLAIN = {
    "accumulated": (accumulated, lambda net, x: net.fc(x)),
    "accumulated twice": (accumulated_twice, lambda net, x: net.fc(x) + net.other(x)),
    "added to a constant": (added_to_constant, lambda net, x: net.fc(x)),
    "scaled in place": (scaled_in_place, lambda net, x: net.fc(x * net.other.bias[:3])),
    "factor": (factor_changed, lambda net, x: net.fc(x * TWO * SIX)),
    "weight": (weight_changed, lambda net, x: F.linear(x, net.fc.weight)),
    "bias": (bias_changed, lambda net, x: net.fc(x)),
    "index": (index_changed, index_apart),
    "mask": (mask_changed, mask_apart),
    "filled": (filled, lambda net, x: net.fc(x)),
    "out": (written_out, lambda net, x: F.linear(x, net.fc.weight)),
}


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", PLAIN)
def test_relevance_is_that_of_the_plain_network(name, samples):
    modules = seeded(lambda: nn.ModuleDict({"fc": nn.Linear(3, 4), "other": nn.Linear(3, 4)}))
    model, reference = (Written(forward, **modules) for forward in PLAIN[name])
    x, above = images(samples, 3), images(samples, 4, seed=7)
    for rule in RULES:
        expected, result = (LRP(m, rule).explain(x, start=above) for m in (reference, model))
        torch.testing.assert_close(result.logits, expected.logits)
        torch.testing.assert_close(result.relevance, expected.relevance, msg=lambda m, rule=rule: f"{rule}: {m}")
