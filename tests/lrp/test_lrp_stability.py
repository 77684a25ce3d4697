"""Rules whose relevance does not vanish with the activation, above sums that may: nothing explodes, nothing is lost."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import ARCHITECTURES, Written, images, recorded, seeded, without_biases
from torch import nn
from torchvision import models

from unhans.lrp import LRP, Epsilon, Flat, Match, WSquare, composite_by_name
from unhans.lrp.operations import ByWeight, Equal


def cancelling():
    """x + conv(x) with conv ≈ −1: the sum is nearly zero where both summands are not."""
    model = seeded(
        lambda: Written(
            lambda net, x: net.fc(net.conv(x + net.branch(x)).flatten(1)),
            branch=nn.Conv2d(2, 2, 1, bias=False),
            conv=nn.Conv2d(2, 3, 2, bias=False),
            fc=nn.Linear(12, 4, bias=False),
        )
    )
    with torch.no_grad():
        model.branch.weight.copy_(-torch.eye(2).double()[:, :, None, None] * (1 - 1e-6))
    return model


@pytest.mark.parametrize("rule", [Flat(), WSquare()])
def test_a_sum_whose_summands_cancel_shares_equally(rule):
    """R_a = R_b = R/2 by the rule's own formula for a layer with weights of 1, and the logit arrives."""
    model, x = cancelling(), images(2, 2, 3, 3)
    composite = [(Match("dense"), Epsilon(0.0)), (Match(name="conv"), rule), (Match(name="branch"), rule)]
    relevance, logits = LRP(model, composite).explain(x, 1)
    whole = LRP(model, composite).attribute(x, 1, layer="branch")
    torch.testing.assert_close(relevance.sum((1, 2, 3)), logits[:, 1])
    torch.testing.assert_close(whole.sum((1, 2, 3)), logits[:, 1] / 2)
    assert (relevance.abs().sum((1, 2, 3)) < 20 * logits[:, 1].abs()).all()


@pytest.mark.parametrize("rule", [Flat(), WSquare()])
def test_residual_networks_have_no_more_relevance_than_the_logit(rule):
    """All shares are positive, so Σ|R| = |logit|; in proportion to the summands it was 60,000 times as much."""
    model, x = without_biases(seeded(ARCHITECTURES["resnet18"])), images(2, 3, 64, 64)
    report = LRP(model, rule).conservation(x, 3)
    assert report.deviation < 1e-9
    assert report.magnitude == pytest.approx(1)


def test_flat_through_residual_blocks_grows_no_relevance():
    model, x = without_biases(seeded(ARCHITECTURES["resnet18"])), images(1, 3, 64, 64)
    composite = composite_by_name("epsilon_plus_flat", flat_through="layer2", epsilon=1e-12)
    report = LRP(model, composite).conservation(x, 3)
    assert report.deviation < 1e-9
    assert report.magnitude == pytest.approx(1)


def test_flat_does_not_depend_on_the_input_below_a_sum():
    """The relevance below the last layer is that of another image times the ratio of the logits."""
    model = Written(
        lambda net, x: net.fc((x + net.branch(x)).flatten(1)),
        branch=nn.Conv2d(2, 2, 3, padding=1),
        fc=nn.Linear(18, 4),
    )
    model, x = seeded(lambda: model), images(2, 2, 3, 3)
    relevance, logits = LRP(model, Flat()).explain(x, 1)
    torch.testing.assert_close(relevance[0] / logits[0, 1], relevance[1] / logits[1, 1])


@pytest.mark.parametrize("rule", [Flat(), WSquare()])
def test_transformers_neither_lose_nor_grow_relevance(rule):
    """Norms pass relevance on and attention shares by its weights, where in proportion they would divide by ≈ 0."""
    model = models.VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=7)
    nn.init.normal_(model.heads.head.weight)
    model, x = model.double(), images(2, 3, 32, 32)
    assert LRP(model, rule).conservation(x, 3).magnitude < 1 + 1e-9  # the class token keeps its share


def test_attention_below_flat_shares_by_its_weights():
    weights = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).double()
    model = Written(
        lambda net, x: net.fc((torch.softmax(weights.log() + 0 * x.mean(), 1) @ net.value(x)).flatten(1)),
        value=nn.Linear(3, 3, bias=False),
        fc=nn.Linear(6, 2),
    ).double()
    model.value.weight.data.copy_(torch.eye(3))
    x, composite = images(1, 2, 3), [(Match(name="fc"), Flat()), ("dense", Epsilon(0.0))]
    relevance, logits = LRP(model, composite).explain(x, 1, layer="value")
    expected = weights.T @ torch.full((2, 3), float(logits[0, 1]) / 6).double()
    torch.testing.assert_close(relevance[0], expected)


def test_in_proportion_where_relevance_vanishes_with_the_activation():
    """Composites without flat above a sum are as before."""
    _, plan = recorded(seeded(ARCHITECTURES["resnet18"]), images(1, 3, 40, 40), "epsilon_alpha2_beta1_flat")
    assert not any(isinstance(step, (Equal, ByWeight)) for step in plan.steps.values())
