"""Max pooling against a literal version: winners take all, ties share, nothing is lost."""

from __future__ import annotations

import lrp_literal as literal
import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, seeded
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import LRP, Epsilon
from unhans.lrp.operations import WinnerTakesAll

WINDOWS = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": (3, 2), "stride": (2, 3), "padding": (1, 0)},
    {"kernel_size": 2, "stride": 3},
    {"kernel_size": 2, "stride": 1, "dilation": 2},
    {"kernel_size": (2, 3), "stride": 2, "padding": (0, 1), "dilation": (3, 1), "ceil_mode": True},
    {"kernel_size": 2, "stride": 2, "ceil_mode": True},
]
MAPS = {
    "signed": lambda x: x,
    "negative": lambda x: -x.abs(),
    "ties": lambda x: x.round(),
    "relu": lambda x: x.relu(),
    "constant": torch.ones_like,
    "zero": torch.zeros_like,
}


def pair(value):
    return (value, value) if isinstance(value, int) else value


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_max_pool_equals_loops(window, kind):
    x = MAPS[kind](images(2, 2, 7, 6))
    above = images(*F.max_pool2d(x, **window).shape, seed=3)
    sizes = [pair(window.get(name, default)) for name, default in (("padding", 0), ("dilation", 1))]
    kernel = pair(window["kernel_size"])
    loops = [
        literal.max_pool(sample, r, kernel, pair(window.get("stride", kernel)), *sizes)
        for sample, r in zip(x, above, strict=True)
    ]
    result = relevance_of(nn.Sequential(nn.MaxPool2d(**window)), Epsilon(), x, above)
    torch.testing.assert_close(result, torch.stack(loops))
    torch.testing.assert_close(result.sum(), above.sum())
    functional = relevance_of(Written(lambda _, x: F.max_pool2d(x, **window)), Epsilon(), x, above)
    assert torch.equal(functional, result)


@pytest.mark.parametrize(("pool", "shape"), [(nn.MaxPool1d(2, 1), (2, 3, 5)), (nn.MaxPool3d(2), (1, 2, 4, 4, 4))])
def test_other_dimensions_route_as_the_gradient(pool, shape):
    """Without ties the winner is where the gradient goes."""
    x = images(*shape).requires_grad_()
    above = images(*pool(x).shape, seed=3)
    expected = torch.autograd.grad(pool(x), x, above)[0]
    torch.testing.assert_close(relevance_of(nn.Sequential(pool), Epsilon(), x.detach(), above), expected)


def test_zeros_after_relu_go_by_the_indices_with_the_same_result(monkeypatch):
    """Their windows tie, but have no relevance, by every rule above that is proportional to values."""
    routed, own = [], WinnerTakesAll._to_winners
    monkeypatch.setattr(WinnerTakesAll, "_to_winners", lambda *them: routed.append(1) or own(*them))
    x = images(2, 3, 9, 9).relu()
    pooled = F.max_pool2d(x, 2)
    above = images(*pooled.shape, seed=3) * pooled
    assert (pooled == 0).any()
    result = relevance_of(nn.Sequential(nn.MaxPool2d(2)), Epsilon(), x, above)
    assert routed == [1]
    loops = [literal.max_pool(*each, pair(2), pair(2), pair(0), pair(1)) for each in zip(x, above, strict=True)]
    torch.testing.assert_close(result, torch.stack(loops))


def test_ties_share_equally():
    x = torch.tensor([[[[1.0, 3.0], [3.0, 3.0]]]])
    result = relevance_of(nn.Sequential(nn.MaxPool2d(2)), Epsilon(), x, torch.full((1, 1, 1, 1), 6.0))
    assert result.tolist() == [[[[0.0, 2.0], [2.0, 2.0]]]]


GLOBAL_POOLS = {
    "size": lambda x: F.avg_pool2d(x, x.size(2)),
    "size()": lambda x: F.avg_pool2d(x, x.size()[3]),
    "shape": lambda x: F.avg_pool2d(x, x.shape[2:]),
    "mean": lambda x: x.mean([2, 3]),
    "mean_dim": lambda x: torch.mean(x, dim=(2, 3), keepdim=True),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 1),
}


@pytest.mark.parametrize("composite", ["epsilon_plus_flat", "epsilon", "epsilon_alpha2_beta1"])
@pytest.mark.parametrize("form", GLOBAL_POOLS)
def test_every_form_of_global_average_pooling_is_one(form, composite):
    reference = seeded(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    )
    pool = GLOBAL_POOLS[form]
    forward = lambda net, x: net.fc(pool(net.conv(x)).flatten(1))  # noqa: E731
    model = Written(forward, conv=reference[0], fc=reference[3])
    expected = LRP(reference, composite).explain(images(2, 3, 6, 6), 1)
    torch.testing.assert_close(LRP(model, composite).explain(images(2, 3, 6, 6), 1), expected)


def test_a_window_of_max_pooling_may_come_from_a_shape():
    x = images(2, 3, 4, 4)
    expected = LRP(nn.Sequential(nn.MaxPool2d(4), nn.Flatten())).attribute(x, 1)
    assert torch.equal(LRP(Written(lambda _, x: F.max_pool2d(x, x.size(2)).flatten(1))).attribute(x, 1), expected)


def test_indices_of_max_pooling_take_no_relevance():
    x = images(2, 3, 4, 4)
    expected = LRP(nn.Sequential(nn.MaxPool2d(4), nn.Flatten())).attribute(x, 1)
    model = Written(lambda net, x: net.pool(x)[0].flatten(1), pool=nn.MaxPool2d(4, return_indices=True))
    assert torch.equal(LRP(model).attribute(x, 1), expected)
