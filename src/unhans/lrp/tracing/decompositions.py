"""Functions that PyTorch computes in one piece, or by writing into new memory, as steps that there are rules for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from unhans.lrp.tracing.aten import UnsupportedModelError

State = tuple[Tensor, Tensor]

LEAVING = (Tensor.numpy, Tensor.__array__, Tensor.tolist)


class Stepwise(TorchFunctionMode):
    """Replaces fused attention, gated linear units, LSTMs and circular padding.

    It does so for this thread only, unlike torch's switches. That a function mode is active keeps
    `torch.nn.MultiheadAttention` and the transformer layers off their fused path.

    Attributes:
        masked_softmax: whether the softmax that runs now gives zeros for a row without any finite score.
    """

    masked_softmax = False

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
        before, self.masked_softmax = self.masked_softmax, not need_weights
        try:
            output, weights = F.multi_head_attention_forward(*args, need_weights=True, **kwargs)
        finally:
            self.masked_softmax = before
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


def lstm_cell(
    input: Tensor,  # noqa: A002 the name of PyTorch's argument
    hx: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> State:
    """Return hidden state and cell after one step of an LSTM, with the arguments of PyTorch's function.

    c' = σ(f) · c + σ(i) · tanh(g) and h' = σ(o) · tanh(c') (Hochreiter and Schmidhuber 1997). The sigmoids are gates:
    relevance goes to the signal that they weigh ("LRP-all", Arras et al. 2017).
    """
    hidden, cell = hx
    together = F.linear(input, w_ih, b_ih) + F.linear(hidden, w_hh, b_hh)
    enter, forget, signal, leave = together.chunk(4, 1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * signal.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def lstm(
    input: Tensor,  # noqa: A002
    hx: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sequence and the last hidden states and cells, with the arguments of PyTorch's function.

    Dropout is that of training and left out.

    Raises:
        UnsupportedModelError: for packed sequences.
    """
    if isinstance(hx, Tensor):  # the sizes of a packed sequence
        raise UnsupportedModelError("LRP follows an LSTM on sequences of one length, got packed ones.")
    directions = 2 if bidirectional else 1
    runs = num_layers * directions
    each = len(params) // runs
    sequence, ends = input.transpose(0, 1) if batch_first else input, []
    for layer in range(num_layers):
        outputs = []
        for run in range(layer * directions, (layer + 1) * directions):
            weights = params[run * each : (run + 1) * each]
            output, end = _run(sequence, (hx[0][run], hx[1][run]), weights, has_biases, backwards=run % directions == 1)
            outputs.append(output)
            ends.append(end)
        sequence = torch.cat(outputs, -1)
    hidden, cells = (torch.stack(states) for states in zip(*ends, strict=True))
    return sequence.transpose(0, 1) if batch_first else sequence, hidden, cells


def _run(
    sequence: Tensor, state: State, weights: Sequence[Tensor], has_biases: bool, backwards: bool
) -> tuple[Tensor, State]:
    """One layer in one direction over a sequence (time, batch, features); the last weights may be a projection."""
    count = 4 if has_biases else 2
    outputs = []
    for step in reversed(sequence.unbind()) if backwards else sequence.unbind():
        state = lstm_cell(step, state, *weights[:count])
        if len(weights) > count:
            state = F.linear(state[0], weights[count]), state[1]
        outputs.append(state[0])
    return torch.stack(outputs[::-1] if backwards else outputs), state


STEPS: dict[Any, Callable[..., Any]] = {
    F.scaled_dot_product_attention: attention,
    F.glu: gated_linear_unit,
    torch.lstm: lstm,
    torch.lstm_cell: lstm_cell,
}
