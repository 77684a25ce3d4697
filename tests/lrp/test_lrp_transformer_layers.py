"""Transformer layers of PyTorch: the fast path of evaluation mode hides nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images, seeded
from torch import nn

from unhans.lrp import LRP, Epsilon

N, T, E, H = 2, 4, 6, 2
PADDED = torch.tensor([[False, False, False, True], [False, False, True, True]])


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_an_encoder_layer_is_what_it_is_made_of(first, stacked):
    """The fast path of evaluation mode hides every operation; nested tensors would hide the padding."""
    options = {"dropout": 0.1, "batch_first": True, "norm_first": first}
    layer = seeded(lambda: nn.TransformerEncoderLayer(E, H, 5, **options)).eval()

    def forward(net, x):
        attend = lambda t: layer.self_attn(t, t, t, key_padding_mask=PADDED, need_weights=False)[0]  # noqa: E731
        feed = lambda t: layer.linear2(F.relu(layer.linear1(t)))  # noqa: E731
        if first:
            x = x + attend(layer.norm1(x))
            return x + feed(layer.norm2(x))
        x = layer.norm1(x + attend(x))
        return layer.norm2(x + feed(x))

    encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=not first).eval() if stacked else None
    model = Written(lambda net, x: net.layer(x, src_key_padding_mask=PADDED), layer=encoder or layer)
    if stacked:
        encoder.layers[0] = layer
    x, above = images(N, T, E), images(N, T, E, seed=7)
    expected, result = (LRP(m, "epsilon").explain(x, start=above) for m in (Written(forward, own=layer), model))
    torch.testing.assert_close(result, expected)
    with torch.no_grad():
        kept = ~PADDED
        torch.testing.assert_close(result.logits[kept], model(x)[:, : x.shape[1]][kept])


@pytest.mark.parametrize("first", [True, False])
def test_a_decoder_layer_sends_relevance_to_both_of_its_inputs(first):
    """Two attentions, one to a memory that depends on the input as well; the parts called one by one."""
    options = {"dropout": 0.1, "batch_first": True, "norm_first": first, "activation": "gelu"}
    layer = seeded(lambda: nn.TransformerDecoderLayer(E, H, 5, **options)).eval()
    causal = nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)

    def forward(net, x):
        memory = x.flip(1) * 0.5
        attend = lambda t: layer.self_attn(t, t, t, attn_mask=causal)[0]  # noqa: E731
        look = lambda t: layer.multihead_attn(t, memory, memory, need_weights=False)[0]  # noqa: E731
        feed = lambda t: layer.linear2(F.gelu(layer.linear1(t)))  # noqa: E731
        for part, norm in ((attend, layer.norm1), (look, layer.norm2), (feed, layer.norm3)):
            x = x + part(norm(x)) if first else norm(x + part(x))
        return x

    whole = lambda net, x: net.layer(x, x.flip(1) * 0.5, tgt_mask=causal, tgt_is_causal=True)  # noqa: E731
    x, above = images(N, T, E), images(N, T, E, seed=7)
    models = Written(forward, own=layer), Written(whole, layer=layer)
    expected, result = (LRP(m, Epsilon(0.0)).explain(x, start=above) for m in models)
    torch.testing.assert_close(result, expected)
    with torch.no_grad():
        torch.testing.assert_close(result.logits, models[1](x))
