"""Operations that move values: relevance goes where each value came from, found by moving the numbers of positions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lrp_networks import Written, images
from test_lrp_rules import relevance_of
from torch import nn

from unhans.lrp import LRP, Epsilon, UnsupportedModelError

ZERO = Epsilon(0.0)
MAPS, VECTORS = (2, 4, 4, 4), (2, 6)

MOVES = {  # of maps: every output is one input or, where it is 0 below, a constant
    "reflect": lambda x: F.pad(x, (1, 2, 3, 0), mode="reflect"),
    "replicate": lambda x: F.pad(x, (1, 2, 0, 3), mode="replicate"),
    "circular": lambda x: F.pad(x, (1, 2, 2, 0), mode="circular"),
    "zeros": lambda x: F.pad(x, (1, 2, 0, 1)),
    "cropped": lambda x: F.pad(x, (-1, 0, 1, -1)),
    "channels": lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)),
    "reflect1d": lambda x: F.pad(x.flatten(2), (3, 1), mode="reflect"),
    "replicate3d": lambda x: F.pad(x, (1, 1, 1, 1, 2, 0), mode="replicate"),
    "roll": lambda x: x.roll((1, -2), (2, 3)),
    "flip": lambda x: x.flip(1, 3),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "index": lambda x: x[:, [2, 0, 2]],
    "two indices": lambda x: x[:, torch.tensor([[0], [3]]), torch.tensor([1, 1, 2])],
    "mask": lambda x: x[:, :, torch.eye(4, dtype=torch.bool)],
    "steps": lambda x: x[:, ::2, 1:, -1:],
    "ellipsis": lambda x: x[..., None, 2],
    "index_select": lambda x: x.index_select(1, torch.tensor([3, 3, 0])),
    "gather": lambda x: x.gather(1, torch.tensor([[[[0, 1, 2, 3]]], [[[3, 3, 0, 1]]]]).expand(2, 1, 4, 4)),
    "take_along_dim": lambda x: torch.take_along_dim(x, torch.zeros(2, 1, 4, 4, dtype=torch.long), 1),
    "chunk": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "split": lambda x: torch.cat(x.split([1, 3], 1)[::-1], 2 - 1),
    "unbind": lambda x: torch.stack(x.unbind(1)[1:], -1),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "tile": lambda x: torch.tile(x, (2, 2)),
    "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "broadcast": lambda x: torch.broadcast_to(x.unsqueeze(1), (2, 2, 4, 4, 4)),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "nearest, unequal": lambda x: F.interpolate(x, size=(3, 7)),
    "nearest exact": lambda x: F.interpolate(x, size=(3, 7), mode="nearest-exact"),
    "nearest1d": lambda x: F.interpolate(x.flatten(2), size=9),
    "nearest3d": lambda x: F.interpolate(x[:, None], scale_factor=2),
    "pixel_shuffle": nn.PixelShuffle(2),
    "pixel_unshuffle": nn.PixelUnshuffle(2),
    "channel_shuffle": nn.ChannelShuffle(2),
    "unfold": lambda x: F.unfold(x, 2, padding=1, stride=2),
    "patches": lambda x: x.unfold(2, 2, 2).unfold(3, 2, 1),
    "einsum": lambda x: torch.einsum("nchw->nwhc", x),
    "diagonal": lambda x: torch.einsum("nchh->nch", x),
    "identity": nn.Identity(),
    "unflatten": lambda x: nn.Unflatten(1, (2, 2))(nn.Flatten(2)(x)),
    "movedim": lambda x: x.movedim(1, -1).swapaxes(1, 2).contiguous().ravel().reshape(4, -1).mT,
    "masked_fill": lambda x: x.masked_fill(torch.eye(4, dtype=torch.bool), 0.0),
    "masked_fill_": lambda x: x.masked_fill_(torch.eye(4, dtype=torch.bool), 0.0),
    "where": lambda x: torch.where(torch.eye(4, dtype=torch.bool), x, x.transpose(2, 3).flip(1)),
    "triangle": lambda x: x.tril(1) + 0,
    "assigned": lambda x: torch.cat([x[:, :1], x.new_zeros(2, 1, 4, 4), x[:, 1:]], 1),
}


def moved(move, x, above):
    """Return Σ of the relevance of the outputs that each input is copied to: `move` on the numbers of positions."""
    positions = torch.arange(1.0, x.numel() + 1, dtype=x.dtype).view_as(x)
    relevance = [0.0] * (x.numel() + 1)
    for position, r in zip(move(positions).flatten().tolist(), above.flatten().tolist(), strict=True):
        assert position == int(position)
        relevance[int(position)] += r
    return torch.tensor(relevance[1:], dtype=x.dtype).view_as(x)


@pytest.mark.parametrize("name", MOVES)
def test_relevance_goes_where_the_value_came_from(name):
    x, move = images(*MAPS), MOVES[name]
    above = images(*move(x.clone()).shape, seed=7)
    result = relevance_of(Written(lambda _, x: move(x)), ZERO, x, above)
    torch.testing.assert_close(result, moved(move, x, above))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_a_convolution_that_pads(mode):
    """As padding first, then a convolution without."""
    conv = nn.Conv2d(4, 2, 3, padding=(1, 2), padding_mode=mode).double()
    bare = nn.Conv2d(4, 2, 3).double()
    bare.load_state_dict(conv.state_dict())
    how = "constant" if mode == "zeros" else mode
    apart = Written(lambda net, x: net.conv(F.pad(x, (2, 2, 1, 1), mode=how)), conv=bare)
    x, above = images(*MAPS), images(2, 2, 4, 6, seed=7)
    for rule in (ZERO, "epsilon_alpha2_beta1"):
        expected = relevance_of(apart, rule, x, above)
        torch.testing.assert_close(relevance_of(nn.Sequential(conv), rule, x, above), expected)


def test_topk_and_sort_route_by_position():
    x, above = images(*VECTORS), images(2, 3, seed=7)
    expected = torch.zeros_like(x).scatter(1, x.topk(3, 1).indices, above)
    for take in (lambda t: t.topk(3, 1)[0], lambda t: t.sort(1, descending=True).values[:, :3]):
        torch.testing.assert_close(relevance_of(Written(lambda _, x, take=take: take(x)), ZERO, x, above), expected)


def test_a_constant_beside_a_value_keeps_its_relevance():
    x, constant = images(*VECTORS), images(2, 2, seed=3)
    result = LRP(Written(lambda _, x: torch.cat([x, constant], 1)), ZERO).attribute(x, start=images(2, 8, seed=7))
    torch.testing.assert_close(result, images(2, 8, seed=7)[:, :6])
    with pytest.raises(UnsupportedModelError, match="cumsum"):
        LRP(Written(lambda _, x: x.cumsum(1)), ZERO).attribute(x, 0)
