"""Softmax attention: the weights are constants, relevance goes through the values; every spelling is one network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, seeded
from torch import nn

from unhans.lrp import LRP, Epsilon

N, T, E, H = 2, 4, 6, 2
CAUSAL = torch.ones(T, T, dtype=torch.bool).tril()
PADDED = torch.tensor([[False, False, False, True], [False, False, True, True]])
ADDED = images(T, T, seed=3)

# How the same attention is asked for: masks that say where to look, and the options of both functions of PyTorch.
MASKS = {
    "none": ((), {}, {}),
    "causal": ((CAUSAL,), {"is_causal": True}, {"attn_mask": ~CAUSAL, "is_causal": True}),
    "boolean": ((CAUSAL,), {"attn_mask": CAUSAL}, {"attn_mask": ~CAUSAL}),
    "added": ((ADDED,), {"attn_mask": ADDED}, {"attn_mask": ADDED}),
    "padding": ((~PADDED[:, None, None],), {"attn_mask": ~PADDED[:, None, None]}, {"key_padding_mask": PADDED}),
    "both": (
        (CAUSAL, ~PADDED[:, None, None]),
        {"attn_mask": CAUSAL & ~PADDED[:, None, None]},
        {"attn_mask": ~CAUSAL, "key_padding_mask": PADDED},
    ),
}


def heads(t):
    return t.unflatten(-1, (H, E // H)).transpose(1, 2)


def projected(net, x):
    qkv = F.linear(x, net.mha.in_proj_weight, net.mha.in_proj_bias)
    return [heads(part) for part in qkv.chunk(3, -1)]


def by_hand(masks):
    def forward(net, x):
        q, k, v = projected(net, x)
        scores = q @ k.transpose(-2, -1) / (E // H) ** 0.5
        for mask in masks:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        return net.mha.out_proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))

    return forward


def fused(options):
    def forward(net, x):
        attended = F.scaled_dot_product_attention(*projected(net, x), **options)
        return net.mha.out_proj(attended.transpose(1, 2).flatten(2))

    return forward


def module(options, **more):
    return lambda net, x: net.mha(x, x, x, **options, **more)[0]


def sequence_first(options):
    return lambda net, x: net.mha(*[x.transpose(0, 1)] * 3, **options, need_weights=False)[0].transpose(0, 1)


def attention(batch_first=True, **options):
    mha = nn.MultiheadAttention(E, H, dropout=0.1, batch_first=batch_first, **options)
    mha.in_proj_bias.data.copy_(images(3 * E, seed=4))
    mha.out_proj.bias.data.copy_(images(E, seed=5))
    return mha


def literal(net, x, above, masks):
    """Loops over heads, queries and keys: rule 0 through the output layer, the constant weights, the value layer."""
    w_v, b_v = net.mha.in_proj_weight[2 * E :], net.mha.in_proj_bias[2 * E :]
    w_o, b_o = net.mha.out_proj.weight, net.mha.out_proj.bias
    q, k, v = projected(net, x)
    relevance = torch.zeros_like(x)
    for n in range(N):
        attended, weights = torch.zeros(T, E, dtype=x.dtype), torch.zeros(H, T, T, dtype=x.dtype)
        for h in range(H):
            scores = torch.tensor([[(q[n, h, i] @ k[n, h, j]) / (E // H) ** 0.5 for j in range(T)] for i in range(T)])
            for mask in masks:
                mask = mask.expand(N, H, T, T)[n, h]
                scores = torch.where(mask, scores, -torch.inf) if mask.dtype == torch.bool else scores + mask
            weights[h] = scores.exp() / scores.exp().sum(1, keepdim=True)
            attended[:, h * (E // H) : (h + 1) * (E // H)] = weights[h] @ v[n, h]
        between = attended * ((above[n] / (attended @ w_o.T + b_o)) @ w_o)
        for h in range(H):
            part = slice(h * (E // H), (h + 1) * (E // H))
            values = torch.zeros(T, E // H, dtype=x.dtype)
            for i in range(T):
                for j in range(T):
                    values[j] += weights[h, i, j] * v[n, h, j] / attended[i, part] * between[i, part]
            z = x[n] @ w_v[part].T + b_v[part]
            relevance[n] += x[n] * ((values / z) @ w_v[part])
    return relevance


@pytest.mark.parametrize("name", MASKS)
def test_every_spelling_equals_the_loops(name):
    masks, of_function, of_module = MASKS[name]
    spellings = {
        "by hand": by_hand(masks),
        "fused": fused(of_function),
        "module with weights": module(of_module),
        "module with a weight per head": module(of_module, average_attn_weights=False),
        "module": module(of_module, need_weights=False),
    }
    mha, x, above = seeded(attention), images(N, T, E), images(N, T, E, seed=7)
    models = {key: Written(forward, mha=mha) for key, forward in spellings.items()}
    models["sequence first"] = Written(sequence_first(of_module), mha=seeded(lambda: attention(False)))
    with torch.no_grad():
        expected, logits = literal(models["by hand"], x, above, masks), by_hand(masks)(models["by hand"], x)
    for key, model in models.items():
        relevance, found = LRP(model.train(), Epsilon(0.0)).explain(x, start=above)
        torch.testing.assert_close(found, logits, msg=lambda m, key=key: f"{key}: {m}")
        torch.testing.assert_close(relevance, expected, msg=lambda m, key=key: f"{key}: {m}")
        with torch.no_grad():
            torch.testing.assert_close(model.eval()(x), logits)


def test_scale_and_grouped_heads():
    q, shared = images(N, 4, T, 3), lambda x: x[:, :2] * 0.5
    twice = lambda x: shared(x).repeat_interleave(2, 1)  # noqa: E731
    grouped = Written(
        lambda _, x: F.scaled_dot_product_attention(x, shared(x), shared(x) + 1, scale=0.3, enable_gqa=True)
    )
    plain = Written(lambda _, x: (x @ twice(x).transpose(-2, -1) * 0.3).softmax(-1) @ (twice(x) + 1))
    expected, result = (LRP(m, Epsilon(0.0)).explain(q, start=images(N, 4, T, 3, seed=7)) for m in (plain, grouped))
    torch.testing.assert_close(result, expected)
    torch.testing.assert_close(result.logits, grouped(q))


def test_a_query_that_may_look_nowhere_is_what_the_model_makes_of_it():
    """PyTorch's fused attention returns zeros for a row that is masked altogether, not NaN."""
    mask = CAUSAL.clone()
    mask[0] = False
    model = Written(lambda _, x: F.scaled_dot_product_attention(x, x, x, attn_mask=mask))
    x = images(N, T, E)
    relevance, logits = LRP(model, "epsilon").explain(x, start=images(N, T, E, seed=7))
    torch.testing.assert_close(logits, model(x))
    assert relevance.isfinite().all()
