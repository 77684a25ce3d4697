"""Operations of other people's networks: sums of products, overlaid patches, norms, traces, mixed heads."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Net, Written, images, seeded
from torch import nn

from unhans.lrp import LRP, Epsilon, Match

ZERO = [(operation, Epsilon(0.0)) for operation in ("dense", "convolution", "average_pool", "batch_norm", "layer_norm")]


def assert_conserved(model, x, target=1, composite=ZERO):
    relevance, logits = LRP(model, composite).explain(x, target)
    torch.testing.assert_close(logits, model.eval()(x).detach())
    torch.testing.assert_close(relevance.flatten(1).sum(1), logits[:, target], rtol=1e-9, atol=1e-9)
    return relevance


@pytest.mark.parametrize("value", [1, 0.3])
@pytest.mark.parametrize("in_place", [False, True])
def test_addcmul_is_a_product_and_a_sum(value, in_place):
    scale, shift = images(4, seed=3), images(4, seed=4)

    def steps(net, x):
        return net.fc(net.mix(x) + value * scale * net.other(x) + shift)

    def fused(net, x):
        h = net.mix(x)
        h = h.addcmul_(scale, net.other(x), value=value) if in_place else h.addcmul(scale, net.other(x), value=value)
        return net.fc(torch.addcmul(h, shift, torch.ones_like(shift)))

    def build(forward):
        return seeded(lambda: Written(forward, mix=nn.Linear(4, 4), other=nn.Linear(4, 4), fc=nn.Linear(4, 3)))

    x = images(2, 4)
    for rule in ("epsilon", ZERO):
        ours, expected = (LRP(build(forward), rule).attribute(x, 1) for forward in (fused, steps))
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)  # ε is added before or after the factor


def test_addcmul_can_be_differentiated():
    weight = images(4, seed=3).requires_grad_()
    x, fc = images(2, 4), nn.Linear(4, 3).double()
    fused = Written(lambda net, x: net.fc(torch.addcmul(x, weight, x * x)), fc=fc)
    steps = Written(lambda net, x: net.fc(x + weight * (x * x)), fc=fc)
    grads = []
    for model in (fused, steps):
        relevance = LRP(model, "epsilon").attribute(x.clone().requires_grad_(), 1, create_graph=True)
        grads.append(torch.autograd.grad(relevance.square().sum(), weight)[0])
    torch.testing.assert_close(*grads)


def test_response_normalisation_weighs_its_signal():
    """ConvNeXt V2's GRN: x + γ · x · (‖x‖ / mean ‖x‖) + β; the norm is a gate."""

    def forward(net, x):
        x = net.conv(x)
        norm = x.norm(p=2, dim=(2, 3), keepdim=True)
        gate = norm / (norm.mean(1, keepdim=True) + 1e-6)
        return net.fc(
            (x + torch.addcmul(torch.zeros(4, 1, 1).double(), net.conv.weight[:, :1, 0, 0, None], x * gate)).mean(
                (2, 3)
            )
        )

    bias = {"bias": False}
    model = Written(forward, conv=nn.Conv2d(3, 4, 3, **bias), fc=nn.Linear(4, 3, **bias)).double()
    assert_conserved(model, images(2, 3, 6, 6))


@pytest.mark.parametrize("p", [1, 2, 3])
def test_a_norm_as_a_signal_shares_by_its_derivative(p):
    """R_i = |x_i|^p / Σ|x|^p R: Euler's theorem for a function of degree 1."""
    model = Written(lambda net, x: net.fc(x.norm(p=p, dim=2)), fc=nn.Linear(3, 2, bias=False)).double()
    x = images(2, 3, 5)
    relevance = assert_conserved(model, x)
    above = LRP(model.fc, ZERO).attribute(x.norm(p=p, dim=2), 1)
    torch.testing.assert_close(relevance, x.abs() ** p / (x.abs() ** p).sum(2, keepdim=True) * above[:, :, None])


def test_overlaid_patches_share_in_proportion():
    """col2im of im2col counts each pixel as often as windows cover it."""

    def forward(net, x):
        columns = F.unfold(net.conv(x), 3, stride=2)
        return net.fc(F.fold(columns, (7, 7), 3, stride=2).flatten(1))

    model = Written(forward, conv=nn.Conv2d(3, 2, 1, bias=False), fc=nn.Linear(98, 3, bias=False)).double()
    x = images(2, 3, 7, 7)
    relevance = assert_conserved(model, x)
    leaf = x.clone().requires_grad_()
    torch.testing.assert_close(relevance, (x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]).detach())


def test_attention_whose_heads_are_mixed_after_the_softmax_is_attention():
    """CaiT's talking heads: relevance goes through the values, and is conserved."""

    def forward(net, x):
        heads = net.value(x).unflatten(2, (2, 3)).transpose(1, 2)
        weights = (heads @ heads.transpose(2, 3)).softmax(-1)
        mixed = net.talk(weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return net.fc((mixed @ heads).transpose(1, 2).flatten(2).mean(1))

    layers = {"value": nn.Linear(5, 6, bias=False), "talk": nn.Linear(2, 2), "fc": nn.Linear(6, 3, bias=False)}
    assert_conserved(Written(forward, **layers).double(), images(2, 4, 5))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_network_is_the_network():
    model, x = seeded(Net).eval(), images(2, 3, 8, 8)
    traced = torch.jit.trace(model, x)
    for composite in ("epsilon_plus_flat", "epsilon_alpha2_beta1_flat"):
        ours, expected = (LRP(net, composite).explain(x, 1) for net in (traced, model))
        torch.testing.assert_close(ours.logits, expected.logits)
        torch.testing.assert_close(ours.relevance, expected.relevance)
    start = torch.ones(2, 4).double()
    rules = [(Match("dense"), Epsilon(0.1)), (Match("convolution"), Epsilon(0.1))]
    torch.testing.assert_close(
        LRP(traced, rules).attribute(x, start=start), LRP(model, rules).attribute(x, start=start)
    )
