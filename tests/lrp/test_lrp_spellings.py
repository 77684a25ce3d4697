"""One dense layer or one average in many spellings: every rule gives the relevance of the module."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, linear_steps, recorded, seeded
from test_lrp_rules import RULES, relevance_of
from torch import nn

from unhans.lrp import LRP, Epsilon, Flat, WSquare, ZPlus


def fc(bias=True):
    return seeded(lambda: nn.Linear(3, 4, bias=bias))


DENSE = {  # of x (n, 3)
    "function": lambda net, x: F.linear(x, net.fc.weight),
    "matmul": lambda net, x: x @ net.fc.weight.T,
    "from the left": lambda net, x: (net.fc.weight @ x.T).T,
    "einsum": lambda net, x: torch.einsum("nc,kc->nk", x, net.fc.weight),
    "einsum from the left": lambda net, x: torch.einsum("kc,nc->kn", net.fc.weight, x).T,
    "bmm": lambda net, x: torch.bmm(x[None], net.fc.weight.T[None])[0],
    "bmm from the left": lambda net, x: torch.bmm(net.fc.weight.expand(len(x), -1, -1), x[..., None])[..., 0],
    "convolution": lambda net, x: F.conv1d(x[:, :, None], net.fc.weight[:, :, None])[:, :, 0],
    "vectors": lambda net, x: torch.stack([x @ row for row in net.fc.weight], 1),
    "rows": lambda net, x: torch.stack([torch.mv(net.fc.weight, row) for row in x]),
}
BIASED = {
    "addmm": lambda net, x: torch.addmm(net.fc.bias, x, net.fc.weight.T),
    "addmm from the left": lambda net, x: torch.addmm(net.fc.bias[:, None], net.fc.weight, x.T).T,
    "matmul": lambda net, x: x @ net.fc.weight.T + net.fc.bias,
    "baddbmm": lambda net, x: torch.baddbmm(net.fc.bias, x[None], net.fc.weight.T[None])[0],
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", DENSE)
def test_every_spelling_of_a_dense_layer_is_one(name, rule):
    layer, x, ours = fc(False), images(2, 3), RULES[rule][0]
    expected = relevance_of(nn.Sequential(layer), ours, x)
    torch.testing.assert_close(relevance_of(Written(DENSE[name], fc=layer), ours, x), expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", BIASED)
def test_every_spelling_with_a_bias_is_one(name, rule):
    layer, x, ours = fc(), images(2, 3), RULES[rule][0]
    model = Written(BIASED[name], fc=layer)
    torch.testing.assert_close(relevance_of(model, ours, x), relevance_of(nn.Sequential(layer), ours, x))
    books, expected = (LRP(m, ours).conservation(x, 0) for m in (model, layer))
    assert books.bias == pytest.approx(expected.bias)


AVERAGES = {  # of x (n, 3, 4) over its last dimension
    "mean": lambda x: x.mean(-1),
    "sum": lambda x: x.sum(2) / 4,
    "first": lambda x: x.permute(2, 0, 1).mean(0),
    "first, copied": lambda x: x.permute(2, 0, 1).contiguous().mean(0),
    "sum of the first": lambda x: x.permute(2, 0, 1).sum(0) / 4,
    "pool": lambda x: F.avg_pool1d(x, 4)[..., 0],
    "adaptive": lambda x: F.adaptive_avg_pool1d(x, 1)[..., 0],
    "product": lambda x: x @ torch.full((4,), 0.25, dtype=x.dtype),
    "stacked": lambda x: (x[..., 0] + x[..., 1] + x[..., 2] + x[..., 3]) / 4,
}


@pytest.mark.parametrize("rule", [Flat(), WSquare(), Epsilon(0.0), ZPlus()])
@pytest.mark.parametrize("name", AVERAGES)
def test_every_spelling_of_an_average_conserves(name, rule):
    """Flat and w² give equal shares, rule 0 and z⁺ shares in proportion; of positive numbers all give R in all."""
    x, above = images(2, 3, 4).abs(), images(2, 3, seed=7)
    share = 0.25 if isinstance(rule, Flat | WSquare) else x / x.sum(2, keepdim=True)
    if isinstance(rule, Flat | WSquare) and name == "stacked":
        share = x / x.sum(2, keepdim=True)  # sums of parts always split in proportion
    result = relevance_of(Written(lambda _, x: AVERAGES[name](x)), rule, x, above)
    torch.testing.assert_close(result, share * above[..., None].expand_as(x))


DETACHED = {
    "detach": lambda net, x: net.fc(x.detach()),
    "no_grad": lambda net, x: net.fc(torch.no_grad()(lambda t: t.clone())(x)),
    "data": lambda net, x: net.fc(x.data * 1.0),
    "summand": lambda net, x: net.fc(x * 0.25 + (x * 0.75).detach()),
    "detach_": lambda net, x: net.fc(x.clone().detach_()),
}


@pytest.mark.parametrize("name", DETACHED)
def test_what_stops_gradients_does_not_stop_relevance(name):
    layer, x = fc(), images(2, 3)
    expected, result = (LRP(m, "epsilon").attribute(x, 1) for m in (layer, Written(DETACHED[name], fc=layer)))
    torch.testing.assert_close(result, expected)


def test_a_convolution_that_only_a_gate_reads_is_not_the_first():
    """Depth is counted along the ways that relevance takes: the first convolution of the signal is flat."""

    def build():
        return {"gate": nn.Conv2d(1, 1, 1), "conv": nn.Conv2d(1, 2, 2), "fc": nn.Linear(8, 2)}

    modules = seeded(lambda: nn.ModuleDict(build()))
    forward = lambda net, x: net.fc(net.conv(x * net.gate(x).sigmoid()).flatten(1))  # noqa: E731
    _, plan = recorded(Written(forward, **modules), images(1, 1, 3, 3), "epsilon_plus_flat")
    assert [step.name for step in linear_steps(plan) if step.rule == Flat()] == ["conv"]


def test_parts_of_a_batch_are_put_together_along_the_batch():
    """Sequence first: the layer's output is (length, samples, channels), with as many samples in a part as steps."""
    modules = seeded(lambda: nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 2)}))
    model = Written(lambda net, x: net.b(net.a(x.transpose(0, 1)).mean(0)), **modules)
    x = images(4, 2, 3)
    whole = LRP(model, "epsilon").attribute(x, 0, layer="a")
    assert whole.shape == (2, 4, 3)
    try:
        parts = LRP(model, "epsilon", batch_size=2).attribute(x, 0, layer="a")
    except ValueError as error:
        assert "batch" in str(error) or "samples" in str(error)  # noqa: PT017
    else:
        torch.testing.assert_close(parts, whole)


@pytest.mark.parametrize("build", [lambda: nn.LayerNorm(4), lambda: nn.GroupNorm(2, 4)])
def test_the_books_of_a_norm_of_several_samples(build):
    """ΣR of the input and what biases absorbed are the logit: β keeps β_j/z_j of R_j."""
    model, x = seeded(lambda: nn.Sequential(build(), nn.Linear(4, 2))), images(3, 4)
    model[0].bias.data.copy_(images(4, seed=3))
    books = LRP(model, Epsilon(0.0)).conservation(x, 1)
    torch.testing.assert_close(books.relevance, LRP(model, Epsilon(0.0)).attribute(x, 1).sum(1))
    z, above = model.eval()[0](x).detach(), LRP(model, Epsilon(0.0)).attribute(x, 1, layer="0")
    step = next(step for step in books.steps if step.layer == "0")
    assert step.bias == pytest.approx(float((model[0].bias.detach() / z * above).sum()))
    assert float(books.logits.sum()) == pytest.approx(float(books.relevance.sum()) + books.bias)
