"""Laws of METHODS §1 in numbers: the input shift, rules that stay finite, ΣR of a residual network."""

from __future__ import annotations

import copy

import pytest
import torch
from lrp_networks import ARCHITECTURES, Net, images, seeded, without_biases
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import LRP, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, ZPlus, composite_by_name

SHIFTS = {"one": torch.ones(3, 1, 1), "per channel": torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)}


def pair(m):
    """Network A for x and network B for x − m: b₂ = b + W·m, so that both compute one function of x."""
    a = seeded(lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)
    ))  # fmt: skip
    b = copy.deepcopy(a)
    b[0].bias.data += (a[0].weight.data * m[None]).sum((1, 2, 3))
    return a, b


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("first", [Flat(), WSquare()])
def test_flat_and_w_square_do_not_see_a_shift_of_the_input(first, name):
    m = SHIFTS[name].double()
    a, b = pair(m)
    x = images(2, 3, 7, 7).abs()
    rules = [("first convolution", first), *composite_by_name("epsilon_plus")]
    of_a, of_b = (LRP(net, rules).explain(t, 1) for net, t in ((a, x), (b, x - m)))
    torch.testing.assert_close(of_b, of_a)


@pytest.mark.parametrize("name", SHIFTS)
def test_epsilon_maps_differ_by_the_relevance_of_the_shift(name):
    """R_A − R_B = Σ_j m_i w_ij / z_j R_j: what the bias of B holds in place of the pixels."""
    m = SHIFTS[name].double()
    a, b = pair(m)
    x, eps = images(2, 3, 7, 7).abs(), 0.05
    of_a, of_b = (LRP(net, Epsilon(eps)).explain(t, 1) for net, t in ((a, x), (b, x - m)))
    torch.testing.assert_close(of_b.logits, of_a.logits)
    above = LRP(a, Epsilon(eps)).attribute(x, 1, layer="0")
    difference = torch.zeros_like(x)
    with torch.no_grad():
        z = a[0](x)
        stable = z + eps * torch.where(z >= 0, 1.0, -1.0)
        for j, row, column in torch.cartesian_prod(*map(torch.arange, z.shape[1:])).tolist():
            window = (..., slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3))
            share = (above / stable)[:, j, row, column].view(-1, 1, 1, 1)
            difference[window] += m * a[0].weight[j] * share
    assert difference.abs().max() > 1e-3
    torch.testing.assert_close(of_a.relevance - of_b.relevance, difference)


def test_residuals_of_resnet18_do_not_multiply_the_logit():
    """With rules for additions ΣR = logit at every composite, not 2⁸ times it."""
    model, x = without_biases(seeded(ARCHITECTURES["resnet18"])), images(1, 3, 32, 32)
    for rules in (composite_by_name("epsilon_plus_flat", epsilon=1e-12), Epsilon(0.0)):
        relevance, logits = LRP(model, rules).explain(x, 7)
        torch.testing.assert_close(relevance.sum(), logits[0, 7])


RULES = {"epsilon": Epsilon(), "z_plus": ZPlus(), "alpha_beta": AlphaBeta(), "gamma": Gamma(), "flat": Flat(),
         "w_square": WSquare(), "z_box": ZBox(-1.0, 1.0), "large epsilon": Epsilon(0.25)}  # fmt: skip
SCALES = (0.0, 1e-40, 1e-30, 1e-12, 1.0, 1e12, 1e30)


@torch.no_grad()
def changed(net, state):
    if state == "dead":
        net.bn1.bias.fill_(-1e33)
    if state == "zero weights":
        for parameter in net.parameters():
            parameter.zero_()
    return without_biases(net) if state == "without biases" else net


@pytest.mark.parametrize("state", ["random", "dead", "zero weights", "without biases"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_finite_at_every_scale(rule, state):
    """Dead units, zeros, 1e30 and 1e-30 in float32."""
    model = changed(seeded(Net, dtype=torch.float32), state)
    for scale in SCALES:
        for x in (scale * images(2, 3, 8, 8, dtype=torch.float32), torch.full((1, 3, 8, 8), scale)):
            relevance, logits = LRP(model, RULES[rule]).explain(x, 1)
            assert logits.isfinite().all(), scale
            assert relevance.isfinite().all(), scale


@pytest.mark.parametrize("layer", ["dense", "convolution"])
@pytest.mark.parametrize("rule", ["z_plus", "alpha_beta", "gamma", "flat", "w_square"])
def test_relevance_does_not_depend_on_the_scale_of_the_weights(rule, layer):
    """Without bias these rules are ratios: at 1e-12 and 1e12 the relevance is that at 1."""
    build = {"dense": lambda: nn.Linear(6, 4, bias=False), "convolution": lambda: nn.Conv1d(2, 3, 2, bias=False)}[layer]
    model, x = seeded(build, dtype=torch.float32), images(2, *((6,) if layer == "dense" else (2, 3))).float()
    expected = relevance_of(nn.Sequential(model), RULES[rule], x)
    for scale in (1e-12, 1e12):
        scaled = copy.deepcopy(model)
        scaled.weight.data *= scale
        torch.testing.assert_close(relevance_of(nn.Sequential(scaled), RULES[rule], x), expected, rtol=1e-4, atol=1e-5)


def test_a_box_may_have_bounds_for_every_channel():
    """Normalised images: the box of [0, 1] in units of mean and deviation differs from channel to channel."""
    low, high = (-2.1, -2.0, -1.8), (2.2, 2.4, 2.6)
    conv, x, above = seeded(lambda: nn.Conv2d(3, 2, 2)), images(2, 3, 3, 3), images(2, 2, 2, 2, seed=7)
    result = relevance_of(nn.Sequential(conv), ZBox(low, high), x, above)
    expected, w = torch.zeros_like(x), conv.weight.detach()
    low, high = (torch.tensor(t, dtype=x.dtype).view(3, 1, 1) for t in (low, high))
    for n, j, row, column in torch.cartesian_prod(*map(torch.arange, above.shape)).tolist():
        window = (n, ..., slice(row, row + 2), slice(column, column + 2))
        numerator = x[window] * w[j] - low * w[j].clamp(min=0) - high * w[j].clamp(max=0)
        expected[window] += numerator / numerator.sum() * above[n, j, row, column]
    torch.testing.assert_close(result, expected)
