"""ΣR = logit where no bias absorbs: large networks, random weights, random batch-norm statistics."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import ARCHITECTURES, Net, images, seeded, without_biases

from unhans.lrp import LRP, Epsilon, composite_by_name

TINY = 1e-12  # ε itself absorbs relevance
COMPOSITES = {
    "epsilon_plus_flat": {},
    "epsilon_plus": {},
    "epsilon_alpha2_beta1_flat": {},
    "epsilon_alpha2_beta1": {},
    "epsilon_gamma_box": {"low": -5.0, "high": 5.0},
    "epsilon": {},
}


def absorbed(model, composite, x, target):
    """Return |ΣR − logit| / |logit|, the largest of the samples."""
    relevance, logits = LRP(model, composite).explain(x, target)
    logit = logits[:, target].double()
    return float(((relevance.double().flatten(1).sum(1) - logit) / logit).abs().max())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_relevance_is_conserved(name):
    model = without_biases(seeded(ARCHITECTURES[name]))
    x = images(1, 3, 64, 64)
    for composite in ("epsilon_plus_flat", "epsilon_alpha2_beta1_flat"):
        assert absorbed(model, composite_by_name(composite, epsilon=TINY), x, 3) < 1e-8, composite
    assert absorbed(model.float(), composite_by_name("epsilon_plus_flat", epsilon=TINY), x.float(), 3) < 1e-3


@pytest.mark.parametrize("composite", COMPOSITES)
def test_every_composite_conserves(composite):
    model = without_biases(seeded(Net))
    rules = composite_by_name(composite, epsilon=TINY, **COMPOSITES[composite])
    for target in range(4):
        assert absorbed(model, rules, images(3, 3, 8, 8), target) < 1e-8


def test_a_residual_does_not_double_relevance():
    """Without a rule for additions ΣR of ResNet-18 is 2⁸ = 256 times the logit."""
    model, x = without_biases(seeded(ARCHITECTURES["resnet18"])), images(1, 3, 64, 64)
    relevance, logits = LRP(model, composite_by_name("epsilon_plus", epsilon=TINY)).explain(x, 0)
    torch.testing.assert_close(relevance.sum(), logits[0, 0])


def test_biases_absorb():
    """The law can fail: with its biases the same network does not conserve."""
    assert absorbed(seeded(Net), Epsilon(TINY), images(3, 3, 8, 8), 0) > 1e-3
