"""Relevance as a function of the parameters: its gradient against finite differences."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Net, Written, images, seeded
from torch import nn

from unhans.lrp import LRP, Epsilon, Gamma, composite_by_name

COMPOSITES = {
    "epsilon_plus_flat": composite_by_name("epsilon_plus_flat", epsilon=0.1),
    "epsilon_alpha2_beta1": composite_by_name("epsilon_alpha2_beta1", epsilon=0.1),
    "epsilon": composite_by_name("epsilon", epsilon=0.1),
    "epsilon_gamma_box": composite_by_name("epsilon_gamma_box", low=-4.0, high=4.0, epsilon=0.1),
}


def region(explainer, x, create_graph=False):
    """The relevance of one quarter of the pixels, of one target of each sample."""
    relevance = explainer.attribute(x, torch.arange(len(x)) % 2, create_graph=create_graph)
    return relevance.flatten(1)[:, : relevance[0].numel() // 4].sum()


def assert_differentiated(model, explainer, x, entries=2, step=1e-6):
    """Compare ∂/∂θ for some entries of every parameter, and for some of the input."""
    leaf = x.clone().requires_grad_()
    parameters = dict(model.named_parameters())
    value = region(explainer, leaf, create_graph=True)
    torch.testing.assert_close(value.detach(), region(explainer, x))
    wanted = {**parameters, "input": leaf}
    gradients = torch.autograd.grad(value, list(wanted.values()), allow_unused=True)
    assert all(p.grad is None for p in wanted.values())
    seen = 0.0
    for (name, tensor), gradient in zip(wanted.items(), gradients, strict=True):
        target = x if name == "input" else tensor.data
        flat = target.view(-1)
        for k in torch.linspace(0, flat.numel() - 1, entries).long().tolist():
            kept = flat[k].item()
            values = []
            for sign in (1, -1):
                flat[k] = kept + sign * step
                values.append(region(explainer, x).item())
            flat[k] = kept
            expected = (values[0] - values[1]) / (2 * step)
            found = 0.0 if gradient is None else gradient.reshape(-1)[k].item()
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-6), (name, k)
            seen = max(seen, abs(expected))
    assert seen > 1e-3


@pytest.mark.parametrize("composite", COMPOSITES)
def test_of_a_network_with_all_that_overwrites(composite):
    """In-place ReLUs, batch norms that are folded, a residual, max pooling; the model is in training mode."""
    model = seeded(Net).train()
    assert_differentiated(model, LRP(model, COMPOSITES[composite]), images(2, 3, 8, 8))


def attend(net, x):
    q, k, v = (net.qkv(net.norm(x))).chunk(3, -1)
    return net.fc((q @ k.transpose(1, 2)).softmax(-1) @ v + x).mean(1)


def bilinear(net, x):
    return ((y := net.fc(x)) @ net.other(x).transpose(1, 2) + y.sum()).flatten(1)[:, :3]


def rms(net, x):
    y = net.fc(x)
    return net.head(y / y.pow(2).mean(-1, keepdim=True).sqrt() * net.other(x).sigmoid()).mean(1)


def halves(net, x):
    return net.head(net.fc(x) * net.other(x)).amax(1)


def pooled(net, x):
    y = nn.functional.adaptive_max_pool1d(net.fc(x), 2)
    return net.last(torch.cat([y, y.flip(2) * 0.5], 2).relu().flatten(1))


NETWORKS = {
    "attention": (attend, {"qkv": (4, 12), "fc": (4, 3)}),
    "two signals of a matrix product": (bilinear, {"fc": (4, 3), "other": (4, 3)}),
    "gate and division": (rms, {"fc": (4, 4), "other": (4, 4), "head": (4, 3)}),
    "product": (halves, {"fc": (4, 4), "other": (4, 4), "head": (4, 3)}),
    "adaptive max pooling": (pooled, {"fc": (4, 5), "last": (12, 3)}),
}


@pytest.mark.parametrize("rule", [Epsilon(0.1), Gamma(0.3)])
@pytest.mark.parametrize("name", NETWORKS)
def test_of_operations_of_two_values(name, rule):
    forward, sizes = NETWORKS[name]

    def build():
        return nn.ModuleDict({k: nn.Linear(*v) for k, v in sizes.items()} | {"norm": nn.LayerNorm(4)})

    model = Written(forward, **seeded(build))
    if name != "attention":
        del model.norm
    assert_differentiated(model, LRP(model, rule), images(2, 3, 4))


def test_the_gradient_reaches_the_live_model():
    """A penalty on relevance trains: .grad is written by backward and by nothing else."""
    model, x = seeded(Net).train(), images(2, 3, 8, 8)
    explainer = LRP(model)
    penalty = explainer.attribute(x, 1, create_graph=True)[..., :4, :].square().mean()
    assert all(p.grad is None for p in model.parameters())
    assert penalty.requires_grad
    penalty.backward()
    assert all(model.get_parameter(name).grad.abs().sum() > 0 for name in ("conv2.weight", "fc.weight", "bn1.weight"))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 1e-2 * parameter.grad
    assert explainer.attribute(x, 1)[..., :4, :].square().mean() < penalty
    assert model.training
    assert model.bn1.num_batches_tracked == 0


def test_logits_of_the_same_pass_are_differentiable():
    model, x = seeded(Net), images(2, 3, 8, 8)
    logits = LRP(model).explain(x, 1, create_graph=True).logits
    expected = torch.autograd.grad(model.eval()(x).square().sum(), model.fc.weight)[0]
    torch.testing.assert_close(torch.autograd.grad(logits.square().sum(), model.fc.weight)[0], expected)
