"""Every rule against its formula on transposed and on three-dimensional convolutions, and upsampling in proportion."""

from __future__ import annotations

import lrp_literal as literal
import pytest
import torch
from lrp_networks import images, seeded
from test_lrp_rules import RULES, literal_relevance, relevance_of, sample
from torch import nn

TRANSPOSED = {
    "plain": (lambda b: nn.ConvTranspose1d(2, 3, 3, bias=b), (2, 4)),
    "stride": (lambda b: nn.ConvTranspose2d(2, 3, 3, stride=2, bias=b), (2, 2, 3)),
    "padding": (lambda b: nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, bias=b), (2, 3, 2)),
    "output_padding": (lambda b: nn.ConvTranspose2d(1, 2, 3, 2, padding=1, output_padding=1, bias=b), (1, 3, 2)),
    "dilation": (lambda b: nn.ConvTranspose2d(1, 2, 2, dilation=(2, 3), bias=b), (1, 3, 2)),
    "groups": (lambda b: nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2, bias=b), (4, 2, 2)),
    "depthwise": (lambda b: nn.ConvTranspose1d(3, 3, 3, stride=2, padding=1, groups=3, bias=b), (3, 4)),
    "volume": (lambda b: nn.ConvTranspose3d(2, 2, 2, stride=2, groups=2, bias=b), (2, 2, 1, 2)),
}
VOLUMES = {
    "stride": (lambda b: nn.Conv3d(1, 2, 2, stride=(1, 2, 1), bias=b), (1, 3, 4, 3)),
    "padding": (lambda b: nn.Conv3d(1, 2, (3, 2, 1), padding=(1, 1, 0), bias=b), (1, 2, 3, 2)),
    "dilation": (lambda b: nn.Conv3d(1, 2, 2, dilation=(1, 2, 2), bias=b), (1, 2, 4, 3)),
    "groups": (lambda b: nn.Conv3d(4, 2, 2, groups=2, bias=b), (4, 2, 3, 2)),
    "all": (lambda b: nn.Conv3d(2, 4, 2, stride=2, padding=1, dilation=2, groups=2, bias=b), (2, 3, 3, 4)),
}
LAYERS = {f"transposed {k}": v for k, v in TRANSPOSED.items()} | {f"conv3d {k}": v for k, v in VOLUMES.items()}
UPSAMPLING = {
    "linear": (lambda: nn.Upsample(scale_factor=2, mode="linear"), (2, 3)),
    "bilinear": (lambda: nn.Upsample(size=(3, 5), mode="bilinear"), (1, 2, 3)),
    "corners": (lambda: nn.Upsample(size=(4, 4), mode="bilinear", align_corners=True), (1, 2, 3)),
    "trilinear": (lambda: nn.Upsample(scale_factor=2, mode="trilinear"), (1, 2, 1, 2)),
    "bicubic": (lambda: nn.Upsample(size=(4, 4), mode="bicubic"), (1, 3, 2)),
}


def assert_rules(layer, x, rules, **tolerance):
    expected = literal_relevance(layer, [RULES[name][1] for name in rules], x)
    for name, relevance in zip(rules, expected, strict=True):
        for model in (nn.Sequential(layer), nn.Sequential(nn.ReLU(), layer))[: 1 + bool(x.min() >= 0)]:
            result = relevance_of(model, RULES[name][0], x)
            torch.testing.assert_close(result, relevance, msg=lambda m, name=name: f"{name}: {m}", **tolerance)


@pytest.mark.parametrize("kind", ["signed", "non_negative"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_every_rule_equals_its_formula(name, bias, kind):
    build, shape = LAYERS[name]
    layer, x = seeded(lambda: build(bias)), sample(kind, shape)
    reached = all(any(row) for row in literal.connections(layer, x[0]))
    rules = [rule for rule in RULES if reached or rule in ("epsilon", "z_plus", "alpha2_beta1")]  # 0/0 in the formula
    assert_rules(layer, x, rules)


def test_outputs_of_a_transposed_convolution_that_no_input_reaches_pass_nothing_on():
    layer = seeded(lambda: nn.ConvTranspose1d(1, 1, 1, stride=3))
    for name in ("flat", "w_square", "z_box"):
        above = torch.ones(1, 1, 4, dtype=torch.float64)
        result = relevance_of(nn.Sequential(layer), RULES[name][0], images(1, 1, 2), above)
        torch.testing.assert_close(result, torch.ones_like(result))


@pytest.mark.parametrize("kind", ["signed", "non_negative"])
@pytest.mark.parametrize("rule", ["epsilon", "alpha2_beta1", "flat", "w_square"])
@pytest.mark.parametrize("mode", UPSAMPLING)
def test_upsampling_splits_in_proportion_under_every_rule(mode, rule, kind):
    """Its weights are unequal and not learned: z_ij / z_j R_j."""
    build, shape = UPSAMPLING[mode]
    layer, x = build(), sample(kind, shape)
    above = images(*layer(x).shape, seed=7)
    rows = [RULES["zero"][1](literal.Layer(layer, s), r) for s, r in zip(x, above.flatten(1).tolist(), strict=True)]
    result = relevance_of(nn.Sequential(layer), RULES[rule][0], x)
    torch.testing.assert_close(result, torch.tensor(rows).double().view_as(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_after_a_transposed_convolution(bias):
    """Folded by hand: w γ/σ per output channel, which is dimension 1 of the weight."""
    model = seeded(lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 3, 2, 1, bias=bias), nn.BatchNorm2d(3)))
    conv, norm = model
    folded = seeded(lambda: nn.ConvTranspose2d(2, 3, 3, 2, 1))
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
    folded.weight.data = conv.weight.data * scale[None, :, None, None]
    folded.bias.data = ((conv.bias.data if bias else 0) - norm.running_mean) * scale + norm.bias.data
    x = images(2, 2, 3, 3)
    for rule in ("epsilon", "z_plus", "alpha2_beta1", "gamma", "flat", "w_square", "z_box"):
        expected, result = (relevance_of(m, RULES[rule][0], x) for m in (nn.Sequential(folded), model.eval()))
        torch.testing.assert_close(result, expected, msg=lambda m, rule=rule: f"{rule}: {m}")


def test_batch_norm_after_a_grouped_transposed_convolution_stays_apart():
    """Its weight has no dimension for all output channels: R = y s/z · R at the norm, then the convolution."""
    model = seeded(lambda: nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2, groups=2), nn.BatchNorm2d(4))).eval()
    conv, norm = model
    x, zero = images(2, 4, 2, 2), RULES["zero"][0]
    with torch.no_grad():
        middle, z = conv(x), model(x)
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().view(-1, 1, 1)
    between = middle * scale / z * images(*z.shape, seed=7)
    torch.testing.assert_close(
        relevance_of(model, zero, x), relevance_of(nn.Sequential(conv), zero, x, between), rtol=1e-6, atol=1e-6
    )
