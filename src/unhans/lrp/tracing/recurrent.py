"""Long short-term memory (Hochreiter and Schmidhuber 1997) in steps that there are rules for.

A cell is c' = σ(f) · c + σ(i) · tanh(g) and h' = σ(o) · tanh(c'). Its sigmoids are gates: relevance goes to the signal
that they weigh ("LRP-all", Arras et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from unhans.lrp.errors import UnsupportedModelError

State = tuple[Tensor, Tensor]


def lstm_cell(
    input: Tensor,  # noqa: A002 the name of PyTorch's argument
    hx: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> State:
    """Return hidden state and cell after one step, with the arguments of PyTorch's function."""
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
