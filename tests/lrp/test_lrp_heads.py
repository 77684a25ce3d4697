"""Heads by their place, z⁺ that keeps relevance, and z⁺ by the output's sign."""

from __future__ import annotations

import lrp_literal as literal
import pytest
import torch
from lrp_networks import Written, images, linear_steps, recorded, seeded
from torch import nn
from torchvision import models

from unhans.lrp import LRP, AlphaBeta, Epsilon, Gamma, Match, SignedZPlus, ZPlus, composite_by_name
from unhans.lrp.composites import rule_of


def headed(convolutional):
    """The same network with a head that is a dense layer, or a 1×1 convolution before the mean."""
    conv, head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1, bias=False)
    dense = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        dense.weight.copy_(head.weight[:, :, 0, 0])
    if convolutional:
        return Written(lambda net, x: net.head(net.conv(x).relu()).mean((2, 3)), conv=conv, head=head)
    return Written(lambda net, x: net.head(net.conv(x).relu().mean((2, 3))), conv=conv, head=dense)


@pytest.mark.parametrize("name", ["epsilon_plus_flat", "epsilon_plus", "epsilon_alpha2_beta1_flat"])
def test_a_head_has_one_rule_however_it_is_written(name):
    dense, convolutional = seeded(lambda: headed(False)), seeded(lambda: headed(True))
    x, rules = images(2, 3, 6, 6), composite_by_name(name, epsilon=1e-12)
    torch.testing.assert_close(LRP(convolutional, rules).attribute(x, 1), LRP(dense, rules).attribute(x, 1))
    old = composite_by_name(name, epsilon=1e-12, head="by_operation")
    ours, theirs = (LRP(model, old).attribute(x, 1, layer="conv") for model in (convolutional, dense))
    assert float((ours - theirs).norm() / theirs.norm()) > 0.1


def rules_of(model, x, composite):
    return {
        step.name: step.rule for step in linear_steps(recorded(model, x, composite)[1]) if step.kind != "average_pool"
    }


def test_the_output_matches_the_last_layers_on_every_way():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.mid = nn.Conv2d(3, 4, 1), nn.Linear(4, 4)
            self.one, self.two = nn.Linear(4, 3), nn.Conv2d(4, 3, 1)

        def forward(self, x):
            x = self.body(x).relu()
            return self.one(self.mid(x.mean((2, 3))).relu()) + self.two(x).mean((2, 3))

    model, x = seeded(Two), images(1, 3, 4, 4)
    composite = [
        ("output convolution", Gamma(0.1)),
        ("output", Epsilon(0.5)),
        ("dense", ZPlus()),
        ("convolution", ZPlus()),
    ]
    found = rules_of(model, x, [*composite, ("average_pool", Epsilon(0.0))])
    assert found == {"one": Epsilon(0.5), "two": Gamma(0.1), "mid": ZPlus(), "body": ZPlus()}
    assert Match.of("output") == Match(output=True) == Match.of({"output": True})


def test_the_output_is_that_of_the_network_not_of_a_start_within():
    model, x = seeded(lambda: headed(False)), images(1, 3, 6, 6)
    rules = [
        ("output", Epsilon(0.5)),
        ("dense", Epsilon(0.0)),
        ("convolution", ZPlus()),
        ("average_pool", Epsilon(0.0)),
    ]
    start = torch.ones(1, 4, 4, 4).double()
    ours = LRP(model, rules).attribute(x, start=start, start_layer="conv")
    torch.testing.assert_close(ours, LRP(model, rules[1:]).attribute(x, start=start, start_layer="conv"))


def test_squeezenet_has_the_rule_of_a_dense_head():
    model, x = models.squeezenet1_1(num_classes=5).double(), images(1, 3, 64, 64)
    assert rules_of(model, x, "epsilon_plus_flat")["classifier.1"] == Epsilon(1e-6)
    old = composite_by_name("epsilon_plus_flat", head="by_operation", convolution="z_plus")
    assert rules_of(model, x, old)["classifier.1"] == ZPlus()
    with pytest.raises(ValueError, match="head expects epsilon or by_operation, got 'dense'"):
        composite_by_name("epsilon_plus_flat", head="dense")


def dense_layer():
    layer = seeded(lambda: nn.Linear(5, 6))
    with torch.no_grad():
        layer.weight[0], layer.bias[0] = -layer.weight[0].abs(), -0.5  # an output without positive contributions
        layer.weight[1], layer.bias[1] = layer.weight[1].abs(), 0.5
    return layer, images(1, 5).abs()


def test_z_plus_by_sign_and_z_plus_that_keeps_against_loops():
    layer, x = dense_layer()
    plain, above = literal.Layer(layer, x[0]), layer(x)[0].tolist()

    def by(sign, j):
        parts = [sign * max(sign * z, 0.0) for z in plain.z(j)]
        return [part / (sum(parts) + sign * max(sign * plain.b[j], 0.0)) for part in parts]

    z = [sum(plain.z(j)) + plain.b[j] for j in range(6)]
    positive = [any(v > 0 for v in plain.z(j)) or plain.b[j] > 0 for j in range(6)]
    signed = plain.relevance(above, lambda j: by(1 if z[j] >= 0 else -1, j))
    kept = plain.relevance(above, lambda j: by(1 if positive[j] else -1, j))
    for rule, expected in ((SignedZPlus(), signed), (ZPlus(keep=True), kept)):
        found = LRP(layer, rule).attribute(x, start=torch.tensor([above]), start_layer="")
        torch.testing.assert_close(found[0], torch.tensor(expected).double())
    assert not all(positive)
    assert min(z) < 0 < max(z)


def test_z_plus_by_sign_is_the_limit_of_gamma():
    layer, x = dense_layer()
    above = images(1, 6, seed=5)
    found, limit = (LRP(layer, rule).attribute(x, start=above, start_layer="") for rule in (SignedZPlus(), Gamma(1e9)))
    torch.testing.assert_close(found, limit, rtol=1e-6, atol=1e-6)


def test_the_default_keeps_what_z_plus_drops_on_shufflenet():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = models.shufflenet_v2_x0_5(num_classes=10).double()  # its batch norms shift by nothing
    nn.init.zeros_(model.fc.bias)
    x = images(1, 3, 96, 96)
    paper = composite_by_name("epsilon_plus_flat", epsilon=1e-12, convolution="z_plus")
    signed = composite_by_name("epsilon_plus_flat", epsilon=1e-12, convolution="signed_z_plus")
    assert LRP(model, paper).conservation(x, 3).deviation > 0.3
    for rules in (composite_by_name("epsilon_plus_flat", epsilon=1e-12), signed):
        report = LRP(model, rules).conservation(x, 3)
        assert report.deviation < 1e-6
        assert report.magnitude < 1.5


def test_the_papers_formula_stays():
    assert rule_of("z_plus") == ZPlus() == AlphaBeta(1.0, 0.0)
    assert rule_of({"z_plus": {"keep": True}}) == ZPlus(keep=True)
    negative = nn.Linear(2, 1, bias=False).double()
    negative.weight.data.fill_(-1)
    x = torch.ones(1, 2).double()
    assert LRP(negative, ZPlus()).attribute(x).tolist() == [[0, 0]]
    assert LRP(negative, ZPlus(keep=True)).attribute(x).tolist() == [[-1, -1]]


def test_the_magnitude_shows_what_cancels():
    model = nn.Linear(2, 1, bias=False).double()
    model.weight.data = torch.tensor([[3.0, -2.0]]).double()
    report = LRP(model, Epsilon(0.0)).conservation(torch.tensor([[1.0, 1.0], [2.0, 1.0]]).double())
    assert report.absolute.tolist() == [5, 8]
    assert report.magnitude == pytest.approx(13 / (1 + 4))
    assert (report + report).magnitude == report.magnitude
    assert report.deviation == pytest.approx(0)
