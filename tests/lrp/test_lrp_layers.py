"""Relevance at a layer and from a layer: sums, modules that run twice, several targets, concepts."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Net, Written, images, seeded, without_biases
from torch import nn

from unhans.lrp import LRP, Epsilon, Flat, composite_by_name

TINY = 1e-12
RULES = {
    "epsilon_plus_flat": composite_by_name("epsilon_plus_flat", epsilon=TINY),
    "epsilon_alpha2_beta1": composite_by_name("epsilon_alpha2_beta1", epsilon=TINY),
    "epsilon_gamma_box": composite_by_name("epsilon_gamma_box", low=-5.0, high=5.0, epsilon=TINY),
}
LINE = ("conv1", "bn1", "relu#0", "relu#1", "pool", "drop", "fc")


def net():
    return seeded(Net)


@pytest.mark.parametrize("composite", RULES)
def test_the_sum_is_the_same_at_every_layer(composite):
    """Layers that all of the signal passes; conv2 is one branch of a residual."""
    model, x = without_biases(net()), images(2, 3, 8, 8)
    explainer = LRP(model, RULES[composite])
    logits = explainer.explain(x, 2).logits[:, 2]
    for layer in (*LINE, None):
        relevance = explainer.attribute(x, 2, layer=layer)
        torch.testing.assert_close(relevance.flatten(1).sum(1), logits, msg=lambda m, at=layer: f"{at}: {m}")
    branches = explainer.attribute(x, 2, layer="bn2"), explainer.attribute(x, 2, layer="conv2")
    assert torch.equal(*branches)
    assert not torch.allclose(branches[0].flatten(1).sum(1), logits)


@pytest.mark.parametrize("composite", RULES)
@pytest.mark.parametrize("layer", LINE[2:-1])
def test_two_ways_in_a_row_are_the_whole_way(layer, composite):
    """From the logit to a layer, and from there to the input."""
    model, x = net(), images(2, 3, 8, 8)
    explainer = LRP(model, RULES[composite])
    upper = explainer.attribute(x, 3, layer=layer)
    lower = explainer.attribute(x, start=upper, start_layer=layer)
    torch.testing.assert_close(lower, explainer.attribute(x, 3))
    kept = upper.clone()
    explainer.attribute(x, start=upper, start_layer=layer)
    assert torch.equal(upper, kept)


def test_a_module_that_runs_twice_has_two_outputs():
    modules = seeded(lambda: nn.ModuleDict({"fc": nn.Linear(4, 4), "relu": nn.ReLU(inplace=True)}))
    model = Written(lambda net, x: net.fc(net.relu(net.fc(x))), **modules)
    x, above, zero = images(2, 4), images(2, 4, seed=7), Epsilon(0.0)
    fc, explainer = modules["fc"], LRP(model, zero)
    with torch.no_grad():
        hidden = fc(x).relu()
        middle = hidden * ((above / fc(hidden)) @ fc.weight)
        first = x * ((middle / fc(x)) @ fc.weight)
    torch.testing.assert_close(explainer.attribute(x, start=above, layer="fc#1"), above)
    torch.testing.assert_close(explainer.attribute(x, start=above, layer="fc#0"), middle)
    torch.testing.assert_close(explainer.attribute(x, start=above), first)
    torch.testing.assert_close(explainer.attribute(x, start=middle, start_layer="fc#0"), first)
    for name in ("fc", "fc#2", "fc#-1", "fc#x"):
        with pytest.raises(ValueError, match="the module runs 2 times; choose fc#0 to fc#1"):
            explainer.attribute(x, start=above, layer=name)


@pytest.mark.parametrize("layer", [None, "relu#0", "pool"])
@pytest.mark.parametrize("composite", RULES)
def test_several_targets_at_once_are_separate_calls(composite, layer):
    model, x = seeded(Net, dtype=torch.float32), images(3, 3, 8, 8, dtype=torch.float32)
    explainer, targets = LRP(model, RULES[composite]), torch.tensor([[0, 3], [1, 1], [2, 0]])
    together, logits = explainer.explain(x, targets, layer=layer)
    assert together.shape[:2] == (3, 2)
    for k in range(2):
        alone = explainer.explain(x, targets[:, k], layer=layer)
        assert torch.equal(together[:, k], alone.relevance)
        assert torch.equal(logits, alone.logits)


def test_no_targets_are_no_explanations():
    model = seeded(Net, dtype=torch.float32)
    result = LRP(model).attribute(images(2, 3, 8, 8).float(), torch.zeros(2, 0, dtype=torch.long))
    assert result.shape == (2, 0, 3, 8, 8)


@pytest.mark.parametrize("channel", [0, 3])
def test_a_concept_is_followed_alone(channel):
    """One channel at a layer, at the place where it is largest: the flat layer below shares it among its pixels."""
    model, x = net(), images(1, 3, 8, 8)
    with torch.no_grad():
        hidden = model.eval().bn1(model.conv1(x)).relu()
    row, column = divmod(int(hidden[0, channel].argmax()), 8)
    start = torch.zeros_like(hidden)
    start[0, channel, row, column] = hidden[0, channel, row, column]
    pixels = [
        (r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2) if 0 <= r < 8 and 0 <= c < 8
    ]
    expected = torch.zeros_like(x)
    for r, c in pixels:
        expected[0, :, r, c] = start.sum() / (3 * len(pixels))
    result = LRP(model, Flat()).attribute(x, start=start, start_layer="relu#0")
    torch.testing.assert_close(result, expected)
    with torch.no_grad():
        scale = (model.bn1.weight / (model.bn1.running_var + model.bn1.eps).sqrt())[channel]
        kernel = model.conv1.weight[channel] * scale
        z = model.bn1(model.conv1(x))[0, channel, row, column]
    expected = torch.zeros_like(x)
    for r, c in pixels:
        expected[0, :, r, c] = x[0, :, r, c] * kernel[:, r - row + 1, c - column + 1] / z * start.sum()
    result = LRP(model, Epsilon(0.0)).attribute(x, start=start, start_layer="relu#0")
    torch.testing.assert_close(result, expected)


def test_what_lies_behind_the_start_has_no_relevance():
    x, start = images(2, 3, 8, 8), images(2, 6, 8, 8)
    with pytest.raises(ValueError, match="No relevance reaches"):
        LRP(net()).attribute(x, start=start, start_layer="relu#0", layer="pool")
    assert torch.equal(LRP(net()).attribute(x, start=start, start_layer="relu#0", layer="relu#0"), start)
    with pytest.raises(ValueError, match=r"start expects shape \(2, 6, 8, 8\), got \(2, 6, 4, 4\)"):
        LRP(net()).attribute(x, start=start[..., :4, :4], start_layer="relu#0")
