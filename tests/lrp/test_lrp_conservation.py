"""ΣR = logit where no bias absorbs: large networks, random weights, random batch-norm statistics."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import ARCHITECTURES, Net, images, seeded, without_biases

from unhans.lrp import LRP, Epsilon, ZPlus, composite_by_name

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


@pytest.mark.parametrize("composite", COMPOSITES)
def test_the_books_balance(composite):
    """Logit = ΣR_input + what biases, ε and others absorbed, in every step and in all."""
    model, x = seeded(Net), images(3, 3, 8, 8)
    rules = composite_by_name(composite, **COMPOSITES[composite])
    report = LRP(model, rules).conservation(x, 2)
    relevance, logits = LRP(model, rules).explain(x, 2)
    torch.testing.assert_close(report.logits, logits[:, 2])
    torch.testing.assert_close(report.relevance, relevance.flatten(1).sum(1))
    total = float(report.relevance.sum()) + report.bias + report.epsilon + report.other
    assert total == pytest.approx(float(report.logits.sum()))
    assert report.steps[-1].layer == "fc"
    assert report.steps[-1].arrived == pytest.approx(float(report.logits.sum()))
    assert {step.layer for step in report.steps if step.rule} == {"conv1", "conv2", "fc"}


def test_what_a_bias_and_epsilon_absorb():
    """One dense layer by hand: R_i = x_i w_i (z / (z + ε)), bias and ε take theirs of the logit z."""
    model = torch.nn.Linear(2, 1).double()
    model.weight.data, model.bias.data = torch.tensor([[2.0, 3.0]]).double(), torch.tensor([4.0]).double()
    report = LRP(model, Epsilon(0.5)).conservation(torch.tensor([[1.0, 1.0]]).double())
    (step,) = report.steps
    assert (step.arrived, step.passed) == pytest.approx((9, 5 * 9 / 9.5))
    assert (step.bias, step.epsilon, step.other) == pytest.approx((4 * 9 / 9.5, 0.5 * 9 / 9.5, 0))
    assert report.deviation == pytest.approx(1 - 5 / 9.5)


def test_what_a_rule_drops_and_a_constant_keeps():
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.cat([x, x.new_ones(1, 2)], 1).sum(1, keepdim=True) + 1

    report = LRP(Model(), Epsilon(0.0)).conservation(torch.tensor([[3.0, 4.0]]).double())
    assert float(report.relevance.sum()) == pytest.approx(7)
    assert report.other == pytest.approx(3)
    negative = LRP(torch.nn.Linear(2, 1, bias=False).double(), ZPlus())
    negative.model.weight.data.fill_(-1)
    report = negative.conservation(torch.ones(1, 2).double())
    assert (report.other, float(report.relevance)) == (-2, 0)


def test_books_of_batches_add_up():
    model, x = seeded(Net), images(4, 3, 8, 8)
    whole, first, second = (LRP(model).conservation(part, 1) for part in (x, x[:1], x[1:]))
    added = first + second
    assert torch.equal(added.logits, torch.cat([first.logits, second.logits]))
    for a, b in zip(added.steps, whole.steps, strict=True):
        assert (a.arrived, a.passed, a.bias, a.other) == pytest.approx((b.arrived, b.passed, b.bias, b.other))
    with pytest.raises(ValueError, match="took the same steps"):
        first + LRP(model, "epsilon").conservation(x, 1)
