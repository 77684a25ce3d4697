"""Batch norm wherever it stands: before its linear neighbour, twice, read by two, frozen, on sequences."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Written, images, seeded
from test_lrp_rules import relevance_of
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from unhans.lrp import LRP, Epsilon, ZPlus

ZERO = Epsilon(0.0)


def evaluated(model, x):
    return seeded(lambda: model).eval()(x).detach()


def affine(norm, x, above):
    """R = x s/z · R per channel of dimension 1, by loops over channels."""
    out = torch.zeros_like(x)
    for c in range(x.shape[1]):
        weight, bias = (1.0, 0.0) if norm.weight is None else (norm.weight[c], norm.bias[c])
        s = weight / (norm.running_var[c] + norm.eps) ** 0.5
        z = (x[:, c] - norm.running_mean[c]) * s + bias
        out[:, c] = x[:, c] * s / z * above[:, c]
    return out.detach()


def by_matrix(layer, x, above):
    """R_i = Σ_j x_i W_ji/z_j R_j with the explicit matrix of an affine layer, sample by sample."""
    rows = []
    for sample, r in zip(x, above, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda t: layer(t[None]).flatten(), sample)
        z = layer(sample[None]).detach().flatten()
        rows.append(sample * ((r.flatten() / z) @ jacobian.reshape(len(z), -1)).view_as(sample))
    return torch.stack(rows)


BEFORE = {
    "convolution": (lambda: (nn.BatchNorm2d(3), nn.Conv2d(3, 4, 2)), (2, 3, 3, 3)),
    "padded convolution": (lambda: (nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3, padding=1)), (2, 3, 3, 3)),
    "linear": (lambda: (nn.BatchNorm1d(5), nn.Linear(5, 3)), (2, 5)),
    "sequence": (lambda: (nn.BatchNorm1d(2), nn.Conv1d(2, 3, 2)), (2, 2, 4)),
    "without scale": (lambda: (nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 4, 2)), (2, 3, 3, 3)),
    "frozen": (lambda: (FrozenBatchNorm2d(3), nn.Conv2d(3, 4, 2)), (2, 3, 3, 3)),
    "norm": (lambda: (nn.BatchNorm2d(3), nn.BatchNorm2d(3)), (2, 3, 2, 2)),
}


@pytest.mark.parametrize("name", BEFORE)
def test_before_its_neighbour_it_is_rule_zero(name):
    build, shape = BEFORE[name]
    model, x = seeded(lambda: nn.Sequential(*build())), images(*shape)
    norm, layer = model.eval()
    between = norm(x).detach()
    above = images(*model(x).shape, seed=7)
    expected = affine(norm, x, by_matrix(layer, between, above))
    result = relevance_of(model.train(), ZERO, x, above)
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(LRP(model, ZERO).explain(x, start=above).logits, model.eval()(x).detach())


AFTER = {
    "sequence": (lambda: (nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3)), (2, 2, 4)),
    "twice": (lambda: (nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.BatchNorm2d(3)), (2, 2, 3, 3)),
    "frozen": (lambda: (nn.Conv2d(2, 3, 2, bias=False), FrozenBatchNorm2d(3)), (2, 2, 3, 3)),
    "without scale": (lambda: (nn.Linear(4, 3), nn.BatchNorm1d(3, affine=False)), (2, 4)),
    "volume": (lambda: (nn.Conv3d(1, 3, 2), nn.BatchNorm3d(3)), (2, 1, 2, 3, 2)),
}


@pytest.mark.parametrize("rule", ["zero", "z_plus"])
@pytest.mark.parametrize("name", AFTER)
def test_after_its_neighbour_both_are_one_layer(name, rule):
    """The explicit matrix of both together; z⁺ by its positive part."""
    build, shape = AFTER[name]
    model, x = seeded(lambda: nn.Sequential(*build())).eval(), images(*shape)
    above = images(*model(x).shape, seed=7)
    if rule == "zero":
        torch.testing.assert_close(relevance_of(model.train(), ZERO, x, above), by_matrix(model.eval(), x, above))
        return
    rows = []
    for sample, r in zip(x, above, strict=True):
        zeros = torch.zeros_like(sample)[None]
        w = torch.autograd.functional.jacobian(lambda t: model(t).flatten(), zeros).reshape(-1, sample.numel())
        positive = (w * sample.flatten()).clamp(min=0)
        total = positive.sum(1) + model(zeros).detach().flatten().clamp(min=0)
        quotient = torch.where(total > 0, r.flatten() / total, 0.0)
        rows.append((quotient[:, None] * positive).sum(0).view_as(sample))
    torch.testing.assert_close(relevance_of(model.train(), ZPlus(), x, above), torch.stack(rows))


def test_one_norm_after_two_convolutions_is_two_layers():
    """A shared norm is folded into each; the live norm is one."""

    def build():
        return {"a": nn.Conv2d(2, 3, 2), "b": nn.Conv2d(2, 3, 2), "norm": nn.BatchNorm2d(3)}

    modules, x = seeded(lambda: nn.ModuleDict(build())), images(2, 2, 3, 3)
    model = Written(lambda net, x: torch.cat([net.norm(net.a(x)).relu(), net.norm(net.b(x))], 1), **modules)
    above = images(2, 6, 2, 2, seed=7)
    parts = [nn.Sequential(modules[k], modules["norm"]).eval() for k in "ab"]
    expected = sum(by_matrix(p, x, r) for p, r in zip(parts, above.chunk(2, 1), strict=True))
    torch.testing.assert_close(relevance_of(model, ZERO, x, above), expected)


def test_a_convolution_that_two_norms_read_is_not_folded():
    def build():
        return {"conv": nn.Conv2d(2, 3, 2), "p": nn.BatchNorm2d(3), "q": nn.BatchNorm2d(3)}

    modules, x = seeded(lambda: nn.ModuleDict(build())).eval(), images(2, 2, 3, 3)
    forward = lambda net, x: (lambda y: torch.cat([net.p(y), net.q(y)], 1))(net.conv(x))  # noqa: E731
    above = images(2, 6, 2, 2, seed=7)
    middle = modules["conv"](x).detach()
    first, second = above.chunk(2, 1)
    between = affine(modules["p"], middle, first) + affine(modules["q"], middle, second)
    eps = Epsilon(0.3)  # tells a convolution of its own from one folded with a norm
    result = relevance_of(Written(forward, **modules), [("batch_norm", ZERO), ("convolution", eps)], x, above)
    expected = relevance_of(nn.Sequential(modules["conv"]), eps, x, between)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("path", ["0", "1", "2"])
def test_relevance_at_every_module_of_a_folded_chain(path):
    """conv → norm → norm is one layer; each of its modules' outputs has the relevance of the last."""
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Flatten()))
    x, above = images(2, 2, 3, 3), images(2, 12, seed=7)
    result = LRP(model).attribute(x, start=above, layer=path)
    torch.testing.assert_close(result.flatten(1), above)


def test_relevance_at_a_dense_layer_on_tokens_that_is_scaled():
    """LayerScale of vision transformers: a factor per channel right after a dense layer on tokens."""
    model = Written(lambda net, x: net.fc(x) * net.scale, fc=nn.Linear(4, 3)).double()
    model.scale = nn.Parameter(images(3, seed=3))
    x, above = images(2, 5, 4), images(2, 5, 3, seed=7)
    torch.testing.assert_close(LRP(model, "epsilon").attribute(x, start=above, layer="fc"), above)
