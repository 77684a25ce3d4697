"""LSTMs: PyTorch's own numbers, and relevance that stays out of the gates."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import Written, images, seeded
from test_lrp_architectures import EXACT
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unhans.lrp import LRP, UnsupportedModelError

VARIANTS = {
    "plain": {},
    "batch first": {"batch_first": True},
    "both directions": {"bidirectional": True},
    "two layers": {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
    "without bias": {"bias": False},
    "projection": {"proj_size": 2, "bidirectional": True},
}


def network(**options):
    """An LSTM over sequences (n, time, 5); logits are sums of its output over time, and its last states."""
    batch_first = options.get("batch_first", False)

    def forward(net, x):
        output, (hidden, cells) = net.lstm(x if batch_first else x.transpose(0, 1))
        return torch.cat([output.sum(1 if batch_first else 0), *hidden, *cells], 1)

    return seeded(lambda: Written(forward, lstm=nn.LSTM(5, 3, **options)))


def cells(net, x):
    state = None
    for step in x.unbind(1):
        state = net.cell(step, state)
    return state[0]


@torch.no_grad()
def biases_at_zero(model):
    for name, parameter in model.named_parameters():
        if "bias" in name:
            parameter.zero_()
    return model


@pytest.mark.parametrize("name", VARIANTS)
def test_the_logits_are_those_of_the_network(name):
    model, x = network(**VARIANTS[name]), images(2, 4, 5)
    _, logits = LRP(model, EXACT).explain(x, 1)
    torch.testing.assert_close(logits, model.eval()(x))


@pytest.mark.parametrize("target", [0, -1])
@pytest.mark.parametrize("name", VARIANTS)
def test_without_biases_relevance_sums_to_the_logit(name, target):
    model, x = biases_at_zero(network(**VARIANTS[name])), images(2, 4, 5)
    assert LRP(model, EXACT).conservation(x, target % model(x).shape[1]).deviation < 1e-9


def linear_in_the_signal(cell, x):
    """The last hidden state, with gates and tanh(z) / z as constants: its gradient times x is LRP-0."""
    hidden = memory = torch.zeros(len(x), cell.hidden_size, dtype=x.dtype)
    for step in x.unbind(1):
        z = step @ cell.weight_ih.T + cell.bias_ih + hidden @ cell.weight_hh.T + cell.bias_hh
        i, f, g, o = z.reshape(len(x), 4, -1).unbind(1)
        memory = f.sigmoid().detach() * memory + i.sigmoid().detach() * g * (g.tanh() / g).detach()
        hidden = o.sigmoid().detach() * memory * (memory.tanh() / memory).detach()
    return hidden


def test_relevance_goes_to_the_signal_and_not_to_the_gates():
    model, x = seeded(lambda: Written(cells, cell=nn.LSTMCell(5, 3))), images(2, 4, 5).requires_grad_()
    hidden = linear_in_the_signal(model.cell, x)
    (slope,) = torch.autograd.grad(hidden[:, 2].sum(), x)
    relevance, logits = LRP(model, EXACT).explain(x.detach(), 2)
    torch.testing.assert_close(logits, hidden.detach())
    torch.testing.assert_close(relevance, (slope * x).detach())


def test_cells_and_sequences_are_the_same():
    whole, x = network(), images(2, 4, 5)
    steps = seeded(lambda: Written(cells, cell=nn.LSTMCell(5, 3)))
    for own, name in zip(steps.cell.parameters(), ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), strict=True):
        own.data = getattr(whole.lstm, f"{name}_l0").data
    torch.testing.assert_close(LRP(steps).attribute(x, 1), LRP(whole).attribute(x, 4))


def test_a_network_in_half_precision_is_computed_in_float32():
    model, x = network(), images(2, 4, 5).half()
    assert LRP(model.half()).attribute(x.float(), 1).isfinite().all()


def packed(net, x):
    """The sequences (n, 4, 5) as PyTorch packs them: step by step."""
    return net.lstm(PackedSequence(x.transpose(0, 1).flatten(0, 1), torch.full((4,), len(x))))[1][0][0]


def test_packed_sequences_are_refused():
    model = seeded(lambda: Written(packed, lstm=nn.LSTM(5, 3)))
    with pytest.raises(UnsupportedModelError, match="sequences of one length, got packed ones"):
        LRP(model).attribute(images(2, 4, 5), 0)
