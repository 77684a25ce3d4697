"""Layer, group and instance norm against explicit matrices: deviation constant, the shift keeps its share."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import images, seeded
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import LRP, Epsilon

CASES = {
    "layer_norm": (lambda a: nn.LayerNorm(5, elementwise_affine=a), (5,), lambda i: 0),
    "layer_norm without bias": (lambda a: nn.LayerNorm(5, elementwise_affine=a, bias=False), (5,), lambda i: 0),
    "layer_norm of tokens": (lambda a: nn.LayerNorm(4, elementwise_affine=a), (3, 4), lambda i: i // 4),
    "layer_norm of maps": (lambda a: nn.LayerNorm((2, 2, 3), elementwise_affine=a), (2, 2, 3), lambda i: 0),
    "group_norm": (lambda a: nn.GroupNorm(2, 4, affine=a), (4, 2, 2), lambda i: i // 8),
    "group_norm of vectors": (lambda a: nn.GroupNorm(2, 6, affine=a), (6,), lambda i: i // 3),
    "group_norm of sequences": (lambda a: nn.GroupNorm(1, 2, affine=a), (2, 3), lambda i: 0),
    "instance_norm": (lambda a: nn.InstanceNorm2d(3, affine=a), (3, 2, 2), lambda i: i // 4),
    "instance_norm1d": (lambda a: nn.InstanceNorm1d(2, affine=a), (2, 4), lambda i: i // 4),
}


def built(name, affine):
    build, shape, group = CASES[name]
    norm = seeded(lambda: build(affine))
    for seed, parameter in enumerate(norm.parameters()):
        parameter.data.copy_(images(*parameter.shape, seed=20 + seed))
    return norm, images(2, *shape), group


def literal(norm, x, above, group):
    """R_i = Σ_j x_i c_ij g_j / (σ z_j) R_j with c_ij = 1[i = j] − 1/m within the group of j, one sample."""
    v, r, shape = x.flatten().tolist(), above.flatten().tolist(), x.shape
    n = len(v)

    def per_element(parameter, default):
        if parameter is None:
            return [default] * n
        p = parameter.detach()
        full = p if not isinstance(norm, nn.LayerNorm) else None
        if full is not None:
            return [p[i // (n // len(p))].item() for i in range(n)]
        return p.expand(shape).flatten().tolist()

    g, b = per_element(norm.weight, 1.0), per_element(norm.bias, 0.0)
    out = [0.0] * n
    for j in range(n):
        members = [i for i in range(n) if group(i) == group(j)]
        mean = sum(v[i] for i in members) / len(members)
        sigma = (sum((v[i] - mean) ** 2 for i in members) / len(members) + norm.eps) ** 0.5
        z = (v[j] - mean) / sigma * g[j] + b[j]
        for i in members:
            c = (1.0 if i == j else 0.0) - 1 / len(members)
            out[i] += v[i] * c * g[j] / (sigma * z) * r[j]
    return torch.tensor(out, dtype=x.dtype).view(shape)


@pytest.mark.parametrize("kind", ["signed", "non_negative"])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_matrix(name, affine, kind):
    norm, x, group = built(name, affine)
    x = x.abs() if kind == "non_negative" else x
    above = images(*x.shape, seed=7)
    expected = torch.stack([literal(norm, *pair, group) for pair in zip(x, above, strict=True)])
    for composite in ("epsilon", "epsilon_plus_flat", "epsilon_alpha2_beta1", Epsilon(0.3)):
        torch.testing.assert_close(relevance_of(nn.Sequential(norm), composite, x, above), expected)


@pytest.mark.parametrize("name", CASES)
def test_without_a_shift_relevance_is_conserved(name):
    norm, x, _ = built(name, True)
    above = images(*x.shape, seed=7)
    if norm.bias is not None:
        norm.bias.data.zero_()
    result = relevance_of(nn.Sequential(norm), "epsilon", x, above)
    torch.testing.assert_close(result.flatten(1).sum(1), above.flatten(1).sum(1))


def test_the_shift_absorbs_its_share():
    """ΣR_i = Σ_j R_j (1 − β_j/z_j)."""
    norm, x, _ = built("layer_norm", True)
    above, z = images(2, 5, seed=7), norm(x).detach()
    result = relevance_of(nn.Sequential(norm), "epsilon", x, above)
    torch.testing.assert_close(result.sum(1), (above * (1 - norm.bias / z)).sum(1).detach())


def test_a_norm_written_by_hand_is_the_module():
    """Centring is linear, division by the deviation a weight: layer norm in primitive operations."""
    norm, x, _ = built("layer_norm", True)

    class ByHand(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = norm.weight, norm.bias

        def forward(self, x):
            centred = x - x.mean(-1, keepdim=True)
            deviation = (centred.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt()
            return centred / deviation * self.weight + self.bias

    above = images(2, 5, seed=7)
    expected = relevance_of(nn.Sequential(norm), Epsilon(0.0), x, above)
    torch.testing.assert_close(relevance_of(ByHand(), Epsilon(0.0), x, above), expected)


def test_instance_norm_with_running_statistics_is_batch_norm():
    norm = seeded(lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True))
    norm.running_mean.copy_(images(3, seed=3))
    batch = seeded(lambda: nn.BatchNorm2d(3))
    batch.load_state_dict(norm.state_dict())
    x, above = images(2, 3, 2, 2), images(2, 3, 2, 2, seed=7)
    expected, result = (relevance_of(nn.Sequential(m), "epsilon", x, above) for m in (batch, norm))
    torch.testing.assert_close(result, expected)


def test_a_constant_input_has_finite_relevance():
    for name in CASES:
        norm, x, _ = built(name, True)
        result = LRP(nn.Sequential(norm.float()), "epsilon").attribute(torch.ones_like(x).float(), start=x.float())
        assert result.isfinite().all(), name
