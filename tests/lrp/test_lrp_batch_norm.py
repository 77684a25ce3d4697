"""Batch norm: folded after a linear layer, rule 0 elsewhere; logits and relevance of the network folded by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from lrp_networks import Written, images, seeded
from test_lrp_rules import relevance_of
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from unhans.lrp import LRP, Epsilon, UnsupportedModelError, ZPlus, composite_by_name

COMPOSITES = {
    "epsilon_plus_flat": {},
    "epsilon_alpha2_beta1": {},
    "epsilon": {},
    "epsilon_gamma_box": {"low": -4.0, "high": 4.0},
}


def by_hand(layer, norm):
    """Return the layer with w γ/σ and (b − μ) γ/σ + β."""
    folded = copy.deepcopy(layer)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    folded.weight = nn.Parameter(layer.weight * scale.view(-1, *[1] * (layer.weight.dim() - 1)))
    bias = 0 if layer.bias is None else layer.bias
    folded.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias)
    return folded


def network(bias, norm2d=nn.BatchNorm2d):
    def build():
        return nn.Sequential(
            *(nn.Conv2d(3, 4, 3, bias=bias), norm2d(4), nn.ReLU()),
            *(nn.Conv2d(4, 4, 2, groups=2, bias=bias), norm2d(4), nn.ReLU(inplace=True), nn.Flatten()),
            *(nn.Linear(36, 6, bias=bias), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
        )

    return seeded(build)


def folded_by_hand(model):
    pairs = [(0, 1), (3, 4), (7, 8)]
    layers = [by_hand(model[i], model[j]) for i, j in pairs]
    return nn.Sequential(
        layers[0], nn.ReLU(), layers[1], nn.ReLU(), nn.Flatten(), layers[2], nn.ReLU(), copy.deepcopy(model[10])
    )


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("bias", [True, False])
def test_folded_after_a_linear_layer(bias, composite):
    model, x = network(bias), images(3, 3, 6, 6)
    rules = composite_by_name(composite, **COMPOSITES[composite])
    result, expected = (LRP(m, rules).explain(x, 2) for m in (model, folded_by_hand(model)))
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(result.logits, copy.deepcopy(model).eval()(x).detach())


def frozen(channels):
    return FrozenBatchNorm2d(channels)


@pytest.mark.parametrize("norm2d", [frozen, nn.SyncBatchNorm, lambda c: nn.BatchNorm2d(c, momentum=None)])
def test_other_batch_norms_are_the_same_layer(norm2d):
    reference, model, x = network(True), network(True, norm2d), images(2, 3, 6, 6)
    state = reference.state_dict()
    model.load_state_dict({key: state[key] for key in model.state_dict()})
    torch.testing.assert_close(LRP(model).explain(x, 0), LRP(reference).explain(x, 0))


def test_without_scale_and_shift():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.Flatten()))
    x = images(2, 3, 4, 4)
    torch.testing.assert_close(LRP(model).explain(x, 0).logits, copy.deepcopy(model).eval()(x).detach())


def test_two_norms_in_a_row_fold_twice():
    model, x = seeded(lambda: nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4))), images(3, 5)
    folded = nn.Sequential(by_hand(by_hand(model[0], model[1]), model[2]))
    torch.testing.assert_close(LRP(model).explain(x, 0), LRP(folded).explain(x, 0))


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon_alpha2_beta1", "epsilon"])
def test_before_a_convolution_it_is_rule_zero(composite):
    """R = x ⊙ s ⊙ R/z: the shift keeps its share."""
    norm, x, above = seeded(lambda: nn.BatchNorm2d(3)), images(2, 3, 4, 4), images(2, 3, 4, 4, seed=9)
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).view(3, 1, 1)
    z = (x - norm.running_mean.view(3, 1, 1)) * scale + norm.bias.view(3, 1, 1)
    result = relevance_of(nn.Sequential(norm), composite_by_name(composite), x, above)
    torch.testing.assert_close(result, (x * scale * above / z).detach())


def test_a_norm_before_a_convolution_is_not_folded_into_it():
    model = seeded(lambda: nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 4), nn.Flatten()))
    x = images(2, 3, 4, 4)
    relevance, logits = LRP(model, "epsilon").explain(x, 0)
    torch.testing.assert_close(logits, copy.deepcopy(model).eval()(x).detach())
    tail, middle = nn.Sequential(*model[2:]), model[0].eval()(x).relu().detach()
    above = LRP(tail, "epsilon").attribute(middle, 0)
    torch.testing.assert_close(relevance, relevance_of(nn.Sequential(model[0]), Epsilon(0.0), x, above))


def test_a_norm_below_flat_passes_relevance_on():
    """In proportion to its value it would divide by what may be zero where the relevance is not."""
    model = seeded(lambda: nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 4), nn.Flatten()))
    x = images(2, 3, 4, 4)
    middle = model[0].eval()(x).relu().detach()
    torch.testing.assert_close(LRP(model).attribute(x, 0), LRP(nn.Sequential(*model[2:])).attribute(middle, 0))


def test_a_convolution_that_something_else_reads_keeps_its_norm_apart():
    """y = conv(x) feeds both the norm and the sum."""
    model = seeded(
        lambda: Written(
            lambda net, x: net.fc((net.norm(y := net.conv(x)) + y).flatten(1)),
            conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), fc=nn.Linear(16, 3),
        )
    )  # fmt: skip
    x = images(2, 3, 4, 4)
    relevance, logits = LRP(model, Epsilon(0.0)).explain(x, 1)
    torch.testing.assert_close(logits, copy.deepcopy(model).eval()(x).detach())
    leaf = x.clone().requires_grad_()
    gradient = torch.autograd.grad(copy.deepcopy(model).eval()(leaf)[:, 1].sum(), leaf)[0]
    torch.testing.assert_close(relevance, x * gradient)


def test_without_running_statistics_it_is_refused():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(UnsupportedModelError, match="running statistics, which the batch norm at '1' lacks"):
        LRP(model).attribute(images(3, 4), 0)


class Activated(nn.BatchNorm1d):
    """A batch norm that does more than its name says."""

    def forward(self, x):
        return super().forward(x).relu()


def test_a_subclass_is_what_its_forward_computes():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 4), Activated(4), nn.Linear(4, 2)))
    plain = nn.Sequential(model[0], nn.BatchNorm1d(4), nn.ReLU(), model[2]).double()
    plain[1].load_state_dict(model[1].state_dict())
    expected, result = (LRP(m, ZPlus()).attribute(images(3, 4), 0) for m in (plain, model))
    assert torch.equal(result, expected)
