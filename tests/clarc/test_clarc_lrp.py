"""Corrected networks are explained by LRP: the correction is a dense affine layer that takes rule 0."""

from __future__ import annotations

import clarc_cases as cases
import pytest
import torch
from torch import nn

from unhans.clarc import Correction, activations, corrected
from unhans.lrp import LRP, Epsilon


class Dense(nn.Module):
    """The correction as a matrix: h' = P h + V⁺t with P = I − V⁺V, an nn.Linear with bias."""

    def __init__(self, correction, shape):
        super().__init__()
        rows = correction.directions.double().flatten(1)
        pinv = torch.linalg.pinv(rows)
        self.shape = shape
        self.linear = nn.Linear(rows.shape[1], rows.shape[1]).double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.eye(rows.shape[1]) - correction.strength * pinv @ rows)
            self.linear.bias.copy_(correction.strength * pinv @ correction.targets.flatten().double())

    def forward(self, h):
        return self.linear(h.flatten(1)).unflatten(1, self.shape)


def small(middle):
    """Return a small network in float64 with this module after the first ReLU."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3),
            nn.ReLU(inplace=True),
            middle,
            nn.Conv2d(4, 5, 3),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(5 * 4 * 4, 3),
        ).double()


# Composites by rule 0 for the dense layer that is the correction, whatever the other layers take.
COMPOSITES = {
    "epsilon_plus_flat": [("first convolution", "flat"), ("convolution", "z_plus"), ("dense", "epsilon")],
    "epsilon_alpha2_beta1": [("convolution", "alpha_beta"), ("dense", {"epsilon": 0.01})],
    "epsilon": [("convolution", "epsilon"), ("dense", "epsilon")],
}


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize(("k", "strength"), [(1, 1.0), (3, 1.0), (2, 0.6)])
def test_relevance_is_that_of_the_dense_matrix_under_rule_0(composite, k, strength):
    shape = (4, 6, 6)
    correction = Correction.projective([cases.concept(shape, seed) for seed in range(k)], strength).double()
    ours, dense, x = small(correction), small(Dense(correction, shape)), cases.images(3, 8).double()
    torch.testing.assert_close(ours(x), dense(x))
    rules = [({"name": "2.linear"}, Epsilon(0.0)), *COMPOSITES[composite]]
    for target in range(3):
        found, expected = (
            LRP(ours, composite).attribute(x, target),
            LRP(dense, rules).attribute(x, target),
        )
        torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-6)


def test_channels_are_a_dense_matrix_per_position():
    correction = Correction.projective(cases.concept((4,), spatial="channels")).double()
    v = correction.directions.flatten()
    literal = nn.Conv2d(4, 4, 1).double()
    with torch.no_grad():
        literal.weight.copy_((torch.eye(4) - torch.outer(v, v))[:, :, None, None])
        literal.bias.copy_(v * correction.targets.flatten())
    x = cases.images(3, 8).double()
    composite = [({"name": "2"}, Epsilon(0.0)), *COMPOSITES["epsilon_plus_flat"]]
    expected = LRP(small(literal), composite).attribute(x, 1)
    torch.testing.assert_close(LRP(small(correction)).attribute(x, 1), expected, atol=1e-9, rtol=1e-6)


def test_relevance_at_the_correction_is_conserved_but_for_what_its_constant_keeps():
    shape = (4, 6, 6)
    correction = Correction.projective([cases.concept(shape, seed) for seed in range(2)]).double()
    model, x = small(correction), cases.images(3, 8).double()
    lrp = LRP(model)
    above, under = lrp.attribute(x, 0, layer="2"), lrp.attribute(x, 0, layer="1")
    h = model[:2](x).detach()
    constant = (correction.inverse * correction.targets).sum(0)
    kept = (constant * above / correction(h)).flatten(1).sum(1)
    torch.testing.assert_close(under.flatten(1).sum(1) + kept, above.flatten(1).sum(1), atol=1e-8, rtol=1e-6)


KINDS = [{}, {"reactive": True}, {"spatial": "channels"}, {"only": 0}]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[("SmallCNN", kind) for kind in KINDS],
        *[("resnet18", kind) for kind in KINDS],
        *[(n, {}) for n in cases.BUILDERS],
    ],
)
def test_real_networks_are_explained_with_finite_relevance(name, options):
    net, layer, x = cases.network(name)
    shape = activations(net, layer, x).shape[1:]
    spatial, only = options.get("spatial", "positions"), options.get("only")
    cav = cases.concept(shape[:1] if spatial == "channels" else shape, spatial=spatial)
    model = corrected(net, {layer: Correction.projective(cav, reactive=options.get("reactive", False))}, only=only)
    for composite in ("epsilon_plus_flat", "epsilon"):
        explanation = LRP(model, composite).explain(x, 0)
        assert explanation.relevance.shape == x.shape
        assert bool(explanation.relevance.isfinite().all())
        torch.testing.assert_close(explanation.logits, model(x), atol=1e-4, rtol=1e-4)
    books = LRP(model, "epsilon").conservation(x, 0)
    lost = books.logits.double().sum() - books.relevance.double().sum()
    assert float(lost) == pytest.approx(books.bias + books.epsilon + books.other, abs=1e-2 * books.scale)


@pytest.mark.parametrize("spatial", ["positions", "channels"])
def test_a_correction_that_changes_nothing_leaves_relevance_as_it_is(spatial):
    net, _, x = cases.network()
    net, x, layer = net.double(), x.double(), "features.1.2"  # a batch norm follows no correction here, and is folded
    shape = activations(net, layer, x).shape[1:]
    cav = cases.concept(shape[:1] if spatial == "channels" else shape, spatial=spatial, threshold=1e6)
    model = corrected(net, {layer: Correction.projective(cav, reactive=True)})  # is never detected
    torch.testing.assert_close(LRP(model).attribute(x, 1), LRP(net).attribute(x, 1), atol=1e-12, rtol=1e-8)
