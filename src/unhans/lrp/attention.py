"""Attention as plain matrix products and a softmax, in place of PyTorch's fused kernels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from unhans.lrp.refusal import UnsupportedModelError


class ExplicitAttention(TorchFunctionMode):
    """Computes scaled dot-product attention step by step; thread-local, unlike PyTorch's switches for kernels.

    That a function mode is active keeps `torch.nn.MultiheadAttention` and the transformer layers off their fused path.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace the fused attention; leave every other function as it is."""
        if func is F.scaled_dot_product_attention:
            return attention(*args, **(kwargs or {}))
        if func is F.multi_head_attention_forward:
            return _step_by_step(*args, **(kwargs or {}))
        if func in (Tensor.numpy, Tensor.__array__):
            raise UnsupportedModelError("LRP follows tensors, but the model's forward leaves them for NumPy.")
        return func(*args, **(kwargs or {}))


def _step_by_step(*args: Any, need_weights: bool = True, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
    """Run multi-head attention by the branch that computes the weights, which is not fused."""
    output, weights = F.multi_head_attention_forward(*args, need_weights=True, **kwargs)
    return output, weights if need_weights else None


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(q kᵀ · scale + mask) v (Vaswani et al. 2017, eq. 1), with the arguments of PyTorch's function.

    Dropout is that of training and left out.
    """
    if enable_gqa:
        repeats = query.size(-3) // key.size(-3)
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (query.size(-1) ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1) @ value
