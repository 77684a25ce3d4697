"""Every rule against its literal second version, on dense, convolutional and pooling layers."""

from __future__ import annotations

import lrp_literal as literal
import pytest
import torch
from lrp_networks import images, seeded
from torch import nn

from unhans.lrp import LRP, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, ZPlus

RULES = {
    "epsilon": (Epsilon(0.25), lambda *a: literal.epsilon(*a, 0.25)),
    "zero": (Epsilon(0.0), lambda *a: literal.epsilon(*a, 0.0)),
    "z_plus": (ZPlus(), lambda *a: literal.alpha_beta(*a, 1.0, 0.0)),
    "alpha2_beta1": (AlphaBeta(2.0, -1.0), lambda *a: literal.alpha_beta(*a, 2.0, -1.0)),
    "alpha1.5_beta.5": (AlphaBeta(1.5, -0.5), lambda *a: literal.alpha_beta(*a, 1.5, -0.5)),
    "gamma": (Gamma(0.4), lambda *a: literal.gamma(*a, 0.4)),
    "flat": (Flat(), literal.flat),
    "w_square": (WSquare(), literal.w_square),
    "z_box": (ZBox(-3.0, 4.0), lambda *a: literal.z_box(*a, -3.0, 4.0)),
}

WEIGHTED = {
    "dense": (lambda bias: nn.Linear(6, 5, bias=bias), (6,)),
    "tokens": (lambda bias: nn.Linear(4, 3, bias=bias), (3, 4)),
    "conv1d": (lambda bias: nn.Conv1d(2, 3, 3, stride=2, bias=bias), (2, 7)),
    "padding": (lambda bias: nn.Conv2d(2, 2, 3, padding=1, bias=bias), (2, 4, 3)),
    "stride": (lambda bias: nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), bias=bias), (2, 5, 4)),
    "dilation": (lambda bias: nn.Conv2d(1, 2, 2, dilation=(2, 3), bias=bias), (1, 5, 5)),
    "same": (lambda bias: nn.Conv2d(1, 2, 3, padding="same", bias=bias), (1, 4, 3)),
    "groups": (lambda bias: nn.Conv2d(4, 4, 2, groups=2, bias=bias), (4, 3, 3)),
    "depthwise": (lambda bias: nn.Conv2d(3, 6, 2, groups=3, bias=bias), (3, 3, 3)),
    "pointwise": (lambda bias: nn.Conv2d(3, 2, 1, bias=bias), (3, 2, 2)),
    "conv3d": (lambda bias: nn.Conv3d(1, 2, 2, bias=bias), (1, 3, 2, 3)),
}
POOLING = {
    "average": (lambda _: nn.AvgPool2d(2), (2, 4, 4)),
    "average_padded": (lambda _: nn.AvgPool2d(3, stride=2, padding=1), (1, 4, 5)),
    "average_inside": (lambda _: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (1, 4, 5)),
    "average1d": (lambda _: nn.AvgPool1d(2, stride=1), (2, 4)),
    "adaptive": (lambda _: nn.AdaptiveAvgPool2d((2, 3)), (2, 3, 5)),
    "global": (lambda _: nn.AdaptiveAvgPool2d(1), (2, 3, 3)),
}
CASES = [(name, bias) for name in WEIGHTED for bias in (True, False)] + [(name, False) for name in POOLING]


def sample(kind, shape):
    x = images(2, *shape)
    return {"signed": x, "non_negative": x.abs(), "sparse": x.clamp(min=0)}[kind]


def relevance_of(model, rule, x, above=None):
    """Return the relevance of x for given relevance of the outputs (by default signed random numbers)."""
    with torch.no_grad():
        above = images(*model(x).shape, seed=7) if above is None else above
    return LRP(model, rule).attribute(x, start=above)


def literal_relevance(layer, formulas, x):
    """Return the relevance of x under each formula, sample by sample."""
    with torch.no_grad():
        above = images(*layer(x).shape, seed=7).flatten(1).tolist()
    samples = [literal.Layer(layer, sample) for sample in x]
    rows = [[formula(*pair) for pair in zip(samples, above, strict=True)] for formula in formulas]
    return [torch.tensor(row, dtype=x.dtype).view_as(x) for row in rows]


@pytest.mark.parametrize("kind", ["signed", "non_negative", "sparse"])
@pytest.mark.parametrize(("name", "bias"), CASES)
def test_every_rule_equals_its_formula(name, bias, kind):
    build, shape = (WEIGHTED | POOLING)[name]
    layer, x = seeded(lambda: build(bias)), sample(kind, shape)
    rules = {key: rule for key, rule in RULES.items() if key != "zero" or kind != "sparse"}  # 0/0 in the formula
    models = [nn.Sequential(layer)] if kind == "signed" else [nn.Sequential(layer), nn.Sequential(nn.ReLU(), layer)]
    expected = literal_relevance(layer, [formula for _, formula in rules.values()], x)
    for (rule, _), relevance in zip(rules.values(), expected, strict=True):
        for model in models:
            torch.testing.assert_close(relevance_of(model, rule, x), relevance, msg=lambda m, rule=rule: f"{rule}: {m}")


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("rule", ["z_plus", "alpha2_beta1", "gamma"])
def test_sums_without_positive_or_negative_contributions(rule, sign):
    """All weights of one sign: one of z⁺ and z⁻ is empty."""
    layer, x = seeded(lambda: nn.Linear(4, 3, bias=False)), images(2, 4).abs()
    layer.weight.data = sign * layer.weight.data.abs()
    ours, formula = RULES[rule]
    result = relevance_of(nn.Sequential(layer), ours, x)
    torch.testing.assert_close(result, literal_relevance(layer, [formula], x)[0])
    kept = 0.0 if rule == "z_plus" and sign < 0 else 1.0
    torch.testing.assert_close(result.sum(1), kept * images(2, 3, seed=7).sum(1))


def test_bias_takes_its_share():
    """Σ_i R_i←j = R_j (1 − (b_j + ε)/(z_j + ε)) for z_j ≥ 0, METHODS §1."""
    layer, x, eps = seeded(lambda: nn.Linear(5, 1)), images(8, 5).abs(), 0.1
    layer.weight.data.abs_()
    layer.bias.data.fill_(0.3)
    z = layer(x).detach()
    result = relevance_of(nn.Sequential(layer), Epsilon(eps), x, torch.ones(8, 1, dtype=x.dtype))
    torch.testing.assert_close(result.sum(1, keepdim=True), 1 - (0.3 + eps) / (z + eps))


def test_epsilon_takes_the_positive_sign_at_zero():
    layer = nn.Linear(2, 1, bias=False).double()
    layer.weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    result = relevance_of(
        nn.Sequential(layer), Epsilon(0.5), torch.ones(1, 2, dtype=torch.float64), torch.ones(1, 1).double()
    )
    assert result.tolist() == [[2.0, -2.0]]


def test_flat_ignores_weights_and_input():
    x = images(1, 2, 4, 4)
    layers = [seeded(lambda: nn.Conv2d(2, 3, 3, padding=1), seed) for seed in (0, 1)]
    first, second = (relevance_of(nn.Sequential(layer), Flat(), x * (1 + k)) for k, layer in enumerate(layers))
    torch.testing.assert_close(first, second)


def test_w_square_ignores_the_input():
    layer, x = seeded(lambda: nn.Conv2d(2, 3, 3, padding=1)), images(1, 2, 4, 4)
    first, second = (relevance_of(nn.Sequential(layer), WSquare(), t) for t in (x, torch.zeros_like(x)))
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("arguments", [(1.0, 0.5), (2.0, 1.0), (0.5, 0.5), (2.0, -2.0)])
def test_alpha_and_beta_sum_to_one(arguments):
    with pytest.raises(ValueError, match=r"AlphaBeta expects α \+ β = 1"):
        AlphaBeta(*arguments)


@pytest.mark.parametrize("bounds", [(1.0, 2.0), (-2.0, -1.0), (0.0, 0.0), (1.0, -1.0)])
def test_box_holds_zero(bounds):
    with pytest.raises(ValueError, match="ZBox expects low ≤ 0 ≤ high"):
        ZBox(*bounds)
