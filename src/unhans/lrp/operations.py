"""How relevance goes back through one operation (METHODS §1, "Layers")."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from unhans.lrp.linear_maps import Layer, Widened
from unhans.lrp.numerics import divide, times
from unhans.lrp.rules import Epsilon, LinearCall, Rule
from unhans.lrp.tracing import HALF, Node

ZERO = Epsilon(0.0)  # until the composite chooses
Shares = Iterable[tuple[Node, Tensor]]


@dataclass(frozen=True)
class Operation(ABC):
    """Sends the relevance of a node to the receivers, nodes that it was computed from."""

    receivers: Sequence[Node]

    @property
    def x(self) -> Node:
        """The first receiver, of most operations the only one."""
        return self.receivers[0]

    @abstractmethod
    def relevance(self, node: Node, above: Tensor) -> Shares:
        """Return the relevance of every receiver, of its shape."""


@dataclass(frozen=True)
class Linear(Operation):
    """A dense, convolutional, pooling or normalisation layer; its rule comes from the composite.

    Weight and bias hold what was folded in. `shape` is that of the layer's own output, which a reshape may follow.
    """

    kind: str
    name: str
    layer: Layer
    weight: Tensor
    bias: Tensor | None
    shape: torch.Size
    rule: Rule = ZERO
    non_negative: bool = False

    def relevance(self, node: Node, above: Tensor, ledger: list[Tensor] | None = None) -> Shares:
        """Return the relevance of the layer's input; what the bias takes is added to the ledger."""
        return [(self.x, self.rule(self.call(node, ledger), above.reshape(self.shape)))]

    def call(self, node: Node, ledger: list[Tensor] | None = None) -> LinearCall:
        """Return what the rule works on."""
        x = self.x.value
        half = x.dtype in HALF
        weight = self.weight.to(x.dtype)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        output = (lambda: wide(node.value).reshape(self.shape)) if node.held else None
        layer = Widened(self.layer) if half else self.layer
        return LinearCall(layer, x, weight, bias, self.non_negative, output, ledger)


@dataclass(frozen=True)
class Passing(Operation):
    """An activation, or a gated or normalised signal: relevance passes on unchanged; what was broadcast is summed."""

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        return [(self.x, above.sum_to_size(self.x.shape))]


@dataclass(frozen=True)
class Rerouting(Operation):
    """A reshape, permutation, selection, padding or concatenation: relevance goes where the value came from."""

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        return zip(self.receivers, apply_transpose(node, self.receivers, above), strict=True)


@dataclass(frozen=True)
class Proportional(Operation):
    """A sum, or a product linear in its receivers: relevance splits in proportion, x_i ∂z/∂x_i R/z.

    A constant summand keeps its share, as a bias does. `share` of R takes part: ½ for each factor of a matrix product.
    """

    share: float = 1.0

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        seed = divide(above if self.share == 1 else self.share * above, wide(node.value))
        shares = apply_transpose(node, self.receivers, seed)
        if len(self.receivers) == 1:
            return [(self.receivers[0], times(self.receivers[0].value, shares[0]))]
        return [(source, source.value * share) for source, share in zip(self.receivers, shares, strict=True)]


@dataclass(frozen=True)
class Equal(Operation):
    """Equal shares: of a product of two signals, and of a sum below a rule whose relevance ignores the activation.

    Of an elementwise product each factor takes half (Achtibat et al. 2024, "AttnLRP"). Below flat and w² the relevance
    R of a sum does not vanish with its value z, and R/z grows without bound where summands cancel, z = a + b ≈ 0. A sum
    is a layer with weights of 1, for which both rules give every summand R_j / (number of summands) ([003] §2.3;
    Montavon et al. 2017, "Explaining nonlinear classification decisions with deep Taylor decomposition").
    """

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        share = above / len(self.receivers)
        return [(source, share.sum_to_size(source.shape)) for source in self.receivers]


@dataclass(frozen=True)
class ByWeight(Operation):
    """A product linear in its receivers below such a rule: shares by the weights alone, as if all values were 1."""

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        values = {source: source.value for source in node.sources}
        ones = values | {source: torch.ones_like(values[source]) for source in self.receivers}
        none = values | {source: torch.zeros_like(values[source]) for source in self.receivers}
        seed = divide(above / len(self.receivers), wide(node.call(ones) - node.call(none)))
        shares = [apply_transpose(node, [source], seed)[0] for source in self.receivers]
        return zip(self.receivers, shares, strict=True)


@dataclass(frozen=True)
class WinnerTakesAll(Operation):
    """Max pooling: the winner takes the relevance; winners that tie share it equally."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        x, output = self.x.value, node.value
        after = [self._after(axis, x.shape[axis], output.shape[axis]) for axis in range(-len(self.kernel), 0)]
        pads = [side for pair in zip(reversed(self.padding), reversed(after), strict=True) for side in pair]
        padded = F.pad(x, pads, value=-torch.inf) if any(pads) else x
        sizes = output.shape[-len(self.kernel) :]
        windows = [self._window(offset, sizes) for offset in product(*map(range, self.kernel))]
        wins = [padded[window] == output for window in windows]
        count = _count(wins)
        one = count == 1
        if not above.requires_grad:  # a tie without relevance, as of zeros after ReLU, has nothing to share
            one |= above == 0
        if bool(one.all()):
            return [(self.x, self._to_winners(node, above, x))]
        share = above / count
        routed = torch.zeros_like(padded, dtype=above.dtype)
        for window, won in zip(windows, wins, strict=True):
            routed[window] += share * won
        inner = [slice(b, b + s) for b, s in zip(self.padding, x.shape[-len(self.kernel) :], strict=True)]
        return [(self.x, routed[(..., *inner)])]

    def _to_winners(self, node: Node, above: Tensor, x: Tensor) -> Tensor:
        """Route by the indices that the model's own pooling found: where no tie has relevance they say all."""
        dims = len(self.kernel)
        backward = getattr(torch.ops.aten, f"max_pool{dims}d_with_indices_backward").default
        ceil = bool(node.arguments[5]) if len(node.arguments) > 5 else False
        sizes = (self.kernel, self.stride, self.padding, self.dilation)
        return wide(backward(above.to(x.dtype), x, *sizes, ceil, node.further[0].value))

    def _after(self, axis: int, size: int, pooled: int) -> int:
        """Padding behind the image so that the last window (ceil_mode) fits in."""
        reach = (pooled - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return max(0, reach - size - self.padding[axis])

    def _window(self, offset: tuple[int, ...], pooled: Sequence[int]) -> tuple[Any, ...]:
        """The positions, one per output, of the kernel element at this offset."""
        starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
        ends = [start + s * (n - 1) + 1 for start, s, n in zip(starts, self.stride, pooled, strict=True)]
        return (..., *[slice(a, b, s) for a, b, s in zip(starts, ends, self.stride, strict=True)])


def _count(wins: Sequence[Tensor]) -> Tensor:
    """How many elements of each window are its maximum."""
    count = wins[0].to(torch.uint8 if len(wins) < 256 else torch.int32)
    for won in wins[1:]:
        count += won
    return count


@dataclass(frozen=True)
class Extreme(Operation):
    """The largest or smallest element, of all or along a dimension; elements that tie share equally."""

    dim: int | None
    keepdim: bool

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        output = node.value
        if self.dim is not None and not self.keepdim:
            output, above = output.unsqueeze(self.dim), above.unsqueeze(self.dim)
        wins = (self.x.value == output).to(above.dtype)
        count = wins.sum() if self.dim is None else wins.sum(self.dim, keepdim=True)
        return [(self.x, wins * (above / count))]


@dataclass(frozen=True)
class AdaptiveWinners(Operation):
    """Adaptive max pooling: as max pooling, with windows from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉."""

    dims: int

    def relevance(self, node: Node, above: Tensor) -> Shares:  # noqa: D102
        x, output = self.x.value, node.value
        routed = torch.zeros_like(x, dtype=above.dtype)
        pairs = list(zip(x.shape[-self.dims :], output.shape[-self.dims :], strict=True))
        for cell in product(*[range(pooled) for _, pooled in pairs]):
            window = (..., *[_window(i, *pair) for i, pair in zip(cell, pairs, strict=True)])
            here = (..., *[slice(i, i + 1) for i in cell])
            winners = (x[window] == output[here]).to(x.dtype)
            routed[window] += winners * above[here] / winners.sum(tuple(range(-self.dims, 0)), keepdim=True)
        return [(self.x, routed)]


def _window(index: int, size: int, pooled: int) -> slice:
    return slice(index * size // pooled, math.ceil((index + 1) * size / pooled))


def apply_transpose(node: Node, receivers: Sequence[Node], seed: Tensor) -> Sequence[Tensor]:
    """Return the transpose of a node's operation, linear in its receivers, applied to the seed."""
    graph = torch.is_grad_enabled()
    values = {source: source.value for source in node.sources}
    with torch.enable_grad():
        leaves = {source: _leaf(values[source], graph) for source in receivers}
        output = node.call(values | leaves)
    shares = torch.autograd.grad(output, list(leaves.values()), seed.to(output.dtype), create_graph=graph)
    return [wide(share) for share in shares]


def wide(value: Tensor) -> Tensor:
    """Return a half-precision tensor in float32, others as they are."""
    return value.float() if value.dtype in HALF else value


def _leaf(value: Tensor, graph: bool) -> Tensor:
    """A tensor to differentiate by, which keeps its own history where that is wanted."""
    return value.view_as(value) if graph and value.requires_grad else value.detach().requires_grad_()
