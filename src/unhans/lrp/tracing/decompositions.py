"""Functions that PyTorch computes in one piece, or by writing into new memory, as steps that there are rules for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from unhans.lrp.errors import UnsupportedModelError
from unhans.lrp.tracing.recurrent import lstm, lstm_cell

LEAVING = (Tensor.numpy, Tensor.__array__, Tensor.tolist)


class Softmax(Protocol):
    """What tells how the softmax of attention treats a row that is masked altogether."""

    masked_softmax: bool


class Stepwise(TorchFunctionMode):
    """Replaces fused attention, gated linear units, LSTMs and circular padding.

    It does so for this thread only, unlike torch's switches. That a function mode is active keeps
    `torch.nn.MultiheadAttention` and the transformer layers off their fused path.
    """

    def __init__(self, softmax: Softmax) -> None:
        super().__init__()
        self._softmax = softmax

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function, in steps where there are some for it."""
        kwargs = kwargs or {}
        if func in LEAVING:
            raise UnsupportedModelError(f"LRP follows tensors, but the model's forward leaves them by {func.__name__}.")
        if func is F.multi_head_attention_forward:
            return self._multi_head(*args, **kwargs)
        if func is F.pad:
            return pad(*args, **kwargs)
        return STEPS.get(func, func)(*args, **kwargs)

    def _multi_head(self, *args: Any, need_weights: bool = True, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        """Run multi-head attention by the branch that computes the weights; only the other one masks whole rows."""
        before, self._softmax.masked_softmax = self._softmax.masked_softmax, not need_weights
        try:
            output, weights = F.multi_head_attention_forward(*args, need_weights=True, **kwargs)
        finally:
            self._softmax.masked_softmax = before
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

    Dropout is that of training and left out; a query that may attend to nothing gets zeros.
    """
    if attn_mask is not None and is_causal:
        raise ValueError("scaled_dot_product_attention takes attn_mask or is_causal, got both.")
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
    return torch.ops.aten._safe_softmax(scores, -1) @ value


def gated_linear_unit(input: Tensor, dim: int = -1) -> Tensor:  # noqa: A002 the name of PyTorch's argument
    """Return a · σ(b) for the halves a and b of the input."""
    signal, gate = input.chunk(2, dim)
    return signal * gate.sigmoid()


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:  # noqa: A002
    """Pad as PyTorch does; circular padding by concatenation."""
    if mode != "circular":
        return F.pad(input, pad, mode, value)
    for axis, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True), start=1):
        size = input.size(-axis)
        parts = [input.narrow(-axis, size - before, before), input, input.narrow(-axis, 0, after)]
        input = torch.cat([part for part in parts if part.size(-axis)], -axis)  # noqa: A001
    return input


STEPS: dict[Any, Callable[..., Any]] = {
    F.scaled_dot_product_attention: attention,
    F.glu: gated_linear_unit,
    torch.lstm: lstm,
    torch.lstm_cell: lstm_cell,
}
