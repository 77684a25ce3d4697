"""Known numbers: captum's constants, the skip connection, gradient × input, the input-shift law (METHODS §1)."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Written, images, seeded, without_biases
from torch import nn

from unhans.lrp import LRP, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZPlus


def captum_network(first_weight=2.0):
    """Linear(3,3) filled with 2, ReLU, Linear(3,1) filled with 3, no biases (PEERS.md, "Oracles")."""
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False))
    model[0].weight.data.fill_(2.0)
    model[0].weight.data[0, 0] = first_weight
    model[2].weight.data.fill_(3.0)
    return model


@pytest.mark.parametrize(
    ("first_weight", "composite", "expected"),
    [
        (2.0, Epsilon(), [18, 36, 54]),
        (-2.0, [("first dense", Gamma(1.0)), ("dense", Gamma(0.25))], [28 / 3, 104 / 3, 52]),
        (-2.0, AlphaBeta(1.0, 0.0), [12, 33.6, 50.4]),
        (-2.0, ZPlus(), [12, 33.6, 50.4]),
        (2.0, Flat(), [36, 36, 36]),
    ],
)
def test_captum_constants(first_weight, composite, expected):
    inputs = torch.tensor([[1.0, 2.0, 3.0]])
    result = LRP(captum_network(first_weight), composite).attribute(inputs)
    torch.testing.assert_close(result, torch.tensor([expected], dtype=torch.float32))


@pytest.mark.parametrize("order", [lambda x, y: x + y, lambda x, y: y + x, torch.add, lambda x, y: y.add_(x)])
def test_skip_connection(order):
    model = Written(lambda net, x: order(x, net.linear(x)), linear=nn.Linear(2, 2, bias=False))
    model.linear.weight.data.fill_(5.0)
    result = LRP(model, "epsilon").attribute(torch.tensor([[2.0, 3.0]]), target=1)
    torch.testing.assert_close(result, torch.tensor([[10.0, 18.0]]))


def relu_max_pool_network():
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(4 * 4, 6), nn.ReLU(), nn.Linear(6, 3),
    )  # fmt: skip


def gradient_times_input(model, x, target):
    leaf = x.clone().requires_grad_()
    logits = model(leaf)
    return (x * torch.autograd.grad(logits[torch.arange(len(x)), target].sum(), leaf)[0]).detach()


@pytest.mark.parametrize("biases", [True, False])
def test_rule_zero_is_gradient_times_input(biases):
    model, x, target = seeded(relu_max_pool_network), images(4, 2, 8, 8), torch.tensor([0, 1, 2, 1])
    model = model if biases else without_biases(model)
    torch.testing.assert_close(LRP(model, Epsilon(0.0)).attribute(x, target), gradient_times_input(model, x, target))


def shifted_pair():
    """Return network A for x in [0, 1] and B for x − 1 with equal outputs: b_B = b_A + Σ_i w_i."""
    a = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)))
    b = nn.Sequential(nn.Conv2d(2, 4, 3).double(), *a[1:])
    b[0].weight.data = a[0].weight.data
    b[0].bias.data = a[0].bias.data + a[0].weight.data.sum((1, 2, 3))
    return a, b


@pytest.mark.parametrize("rule", [Flat(), WSquare()])
def test_input_shift_leaves_flat_and_w_square_maps(rule):
    (a, b), x = shifted_pair(), images(3, 2, 6, 6).sigmoid()
    composite = [("convolution", rule), ("dense", Epsilon())]
    first, second = LRP(a, composite).explain(x, 1), LRP(b, composite).explain(x - 1, 1)
    torch.testing.assert_close(first.logits, second.logits)
    torch.testing.assert_close(first.relevance, second.relevance)


def test_input_shift_moves_epsilon_maps_by_the_mean():
    """R_A = R_B + R_mc, where R_mc is the relevance of the constant 1 that was subtracted."""
    (a, b), x = shifted_pair(), images(3, 2, 6, 6).sigmoid()
    first, second = LRP(a, Epsilon(0.0)).attribute(x, 1), LRP(b, Epsilon(0.0)).attribute(x - 1, 1)
    torch.testing.assert_close(first - second, gradient_times_input(a, x, torch.full((3,), 1)) / x)
    assert (first - second).abs().max() > 1e-3


def test_target_of_each_sample():
    model, x = seeded(relu_max_pool_network), images(3, 2, 8, 8)
    lrp = LRP(model)
    together = lrp.attribute(x, torch.tensor([2, 0, 1]))
    alone = torch.cat([lrp.attribute(x[i : i + 1], target) for i, target in enumerate((2, 0, 1))])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(lrp.attribute(x, [2, 0, 1]), together)
    assert not torch.allclose(lrp.attribute(x, 0), together)


def test_negative_logit_has_negative_relevance():
    """ε on the dense layers keeps the sign right for a negative logit (METHODS §1)."""
    model, x = without_biases(seeded(relu_max_pool_network)), images(8, 2, 8, 8)
    lowest = model(x).argmin(1)
    result = LRP(model, [("dense", Epsilon(1e-12)), ("convolution", ZPlus())]).explain(x, lowest)
    logits = result.logits.amin(1)
    assert (logits < 0).any()
    torch.testing.assert_close(result.relevance.sum((1, 2, 3)), logits)


def test_captum_takes_it_as_a_method_of_its_own():
    """NoiseTunnel averages the relevance of noisy inputs; without noise that of the inputs."""
    attr = pytest.importorskip("captum.attr")
    model, x, target = seeded(relu_max_pool_network), images(4, 2, 8, 8), torch.tensor([0, 1, 2, 1])
    tunnel = attr.NoiseTunnel(LRP(model, "epsilon"))
    once = tunnel.attribute(x, nt_samples=2, stdevs=0.0, target=target)
    torch.testing.assert_close(once, LRP(model, "epsilon").attribute(x, target))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        noisy = tunnel.attribute(x, nt_samples=3, stdevs=0.5, target=target)
    assert noisy.shape == x.shape
    assert (noisy - once).abs().max() > 0.1 * once.abs().max()
