"""Largest values in every spelling, and adaptive max pooling: winners take all, ties share."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import Epsilon

ZERO = Epsilon(0.0)


TIES = {  # all winners, by value: (2, 6) → (2, 1)
    "amax": lambda x: x.amax(1, keepdim=True),
    "adaptive": lambda x: F.adaptive_max_pool1d(x[:, None], 1)[:, 0],
    "max_pool": lambda x: F.max_pool1d(x[:, None], 6)[:, 0],
    "max": lambda x: x.max(1, keepdim=True)[0],
    "torch.max": lambda x: torch.max(x, dim=1, keepdim=True).values,
    "maximum": lambda x: torch.maximum(x[:, :1], x[:, 1:2]).expand(2, 1),
}


@pytest.mark.parametrize("name", TIES)
def test_winners_that_tie_share_equally(name):
    x = torch.tensor([[5.0, 5, 1, 0, 0, 2], [0.0] * 6], dtype=torch.float64)
    counts = torch.tensor([[2.0], [2.0 if name == "maximum" else 6.0]], dtype=torch.float64)
    above = torch.tensor([[3.0], [-4.0]], dtype=torch.float64)
    wins = (x == x.amax(1, keepdim=True)).double()
    if name == "maximum":
        wins[:, 2:] = 0
    result = relevance_of(Written(lambda _, x: TIES[name](x)), ZERO, x, above)
    torch.testing.assert_close(result, wins * above / counts)


ADAPTIVE = {1: (nn.AdaptiveMaxPool1d, (7,), (3,)), 2: (nn.AdaptiveMaxPool2d, (5, 4), (3, 3)),
            3: (nn.AdaptiveMaxPool3d, (3, 4, 2), (2, 3, 1))}  # fmt: skip


@pytest.mark.parametrize("kind", ["signed", "rounded", "zero"])
@pytest.mark.parametrize("dims", ADAPTIVE)
def test_adaptive_max_pooling_equals_loops(dims, kind):
    """Windows from ⌊i n/m⌋ to ⌈(i+1) n/m⌉ overlap where m does not divide n."""
    build, sizes, pooled = ADAPTIVE[dims]
    x = {"signed": lambda t: t, "rounded": torch.round, "zero": torch.zeros_like}[kind](images(2, 2, *sizes))
    above = images(2, 2, *pooled, seed=7)
    expected = torch.zeros_like(x)
    for n, c, *cell in torch.cartesian_prod(*map(torch.arange, above.shape)).tolist():
        spans = [range(i * n_ // m, -(-(i + 1) * n_ // m)) for i, n_, m in zip(cell, sizes, pooled, strict=True)]
        window = [tuple(p) for p in torch.cartesian_prod(*[torch.tensor(s) for s in spans]).view(-1, dims).tolist()]
        best = max(x[n, c][p].item() for p in window)
        winners = [p for p in window if x[n, c][p].item() == best]
        for p in winners:
            expected[n, c][p] += above[n, c][tuple(cell)] / len(winners)
    result = relevance_of(nn.Sequential(build(pooled)), ZERO, x, above)
    torch.testing.assert_close(result, expected)
    indices = Written(lambda net, x: net.pool(x)[0], pool=build(pooled, return_indices=True))
    assert torch.equal(relevance_of(indices, ZERO, x, above), result)
