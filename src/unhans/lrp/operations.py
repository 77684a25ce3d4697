"""What one node of the graph computes, and how relevance goes back through it (METHODS §1, "Layers")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Node
from torch.fx.node import map_arg

from unhans.lrp.rules import Epsilon, LinearCall, Rule, divide

ZERO = Epsilon(0.0)  # until the composite chooses
Parameters = tuple[Tensor, Tensor | None]
Shares = Sequence[Tensor | None]


class Operation(Protocol):
    """One operation: forward on the values of its input nodes, relevance back to each of them (None: takes none)."""

    def forward(self, *inputs: Any) -> Any:
        """Return the value of the node."""
        ...

    def relevance(self, inputs: Sequence[Any], output: Any, relevance: Tensor) -> Shares:
        """Return the relevance of every input, of its shape."""
        ...


@dataclass(frozen=True)
class Template:
    """A node's call with its constant arguments, as a function of the values of its input nodes."""

    node: Node
    target: Callable[..., Any]

    def __call__(self, *inputs: Any) -> Any:
        """Call the target with these values in place of the input nodes."""
        values = dict(zip(self.node.all_input_nodes, inputs, strict=True))
        kwargs = {key: value for key, value in self.node.kwargs.items() if key != "inplace"}
        return self.target(*map_arg(self.node.args, values.__getitem__), **map_arg(kwargs, values.__getitem__))


@dataclass(frozen=True)
class Value:
    """Something that is no activation (a shape, a number, a constant tensor): no relevance goes there."""

    function: Callable[..., Any]

    def forward(self, *inputs: Any) -> Any:  # noqa: D102
        return self.function(*inputs)

    def relevance(self, inputs: Sequence[Any], output: Any, relevance: Tensor) -> Shares:  # noqa: D102
        return [None] * len(inputs)


@dataclass(frozen=True)
class Linear:
    """A dense, convolutional, average-pooling or batch-norm layer; its rule comes from the composite.

    The function takes x, weight and bias, then the values of the node's further inputs (a window read from a shape).
    """

    kind: str
    name: str
    function: Callable[..., Tensor]
    parameters: Callable[[], Parameters]
    rule: Rule = ZERO
    non_negative: bool = False

    def forward(self, x: Tensor, *sizes: Any) -> Tensor:  # noqa: D102
        return self.function(x, *self._parameters(x.dtype), *sizes)

    def relevance(self, inputs: Sequence[Any], output: Tensor, relevance: Tensor) -> Shares:  # noqa: D102
        x, *sizes = inputs
        weight, bias = self._parameters(x.dtype)
        call = LinearCall(lambda x, w, b: self.function(x, w, b, *sizes), x, weight, bias, self.non_negative)
        return [self.rule(call, relevance), *[None] * len(sizes)]

    def _parameters(self, dtype: torch.dtype) -> Parameters:
        weight, bias = self.parameters()
        return weight.detach().to(dtype), None if bias is None else bias.detach().to(dtype)

    def followed_by(self, norm: nn.Module) -> Linear:
        """Return this layer with the batch norm after it folded in; the tensors of both are only read."""

        def folded() -> Parameters:
            weight, bias = self.parameters()
            scale, shift = batch_norm_parameters(norm)
            shape = (-1, *[1] * (weight.dim() - 1))
            return weight * scale.view(shape), shift if bias is None else bias * scale + shift

        return replace(self, parameters=folded)


@dataclass(frozen=True)
class Passing:
    """An activation, dropout or identity: relevance passes on unchanged."""

    function: Callable[..., Tensor]

    def forward(self, *inputs: Any) -> Tensor:  # noqa: D102
        return self.function(*inputs)

    def relevance(self, inputs: Sequence[Any], output: Tensor, relevance: Tensor) -> Shares:  # noqa: D102
        return [relevance, *[None] * (len(inputs) - 1)]


@dataclass(frozen=True)
class Rerouting:
    """A reshape, permutation, selection, padding or concatenation: relevance goes where the value came from."""

    function: Callable[..., Tensor]

    def forward(self, *inputs: Any) -> Tensor:  # noqa: D102
        return self.function(*inputs)

    def relevance(self, inputs: Sequence[Any], output: Tensor, relevance: Tensor) -> Shares:  # noqa: D102
        return transposed(self.function, inputs, relevance)


@dataclass(frozen=True)
class Proportional:
    """A sum, or a product with a constant: relevance splits in proportion to the summands, x_i ∂z/∂x_i R/z.

    A constant summand keeps its share, as a bias does.
    """

    function: Callable[..., Tensor]

    def forward(self, *inputs: Any) -> Tensor:  # noqa: D102
        return self.function(*inputs)

    def relevance(self, inputs: Sequence[Any], output: Tensor, relevance: Tensor) -> Shares:  # noqa: D102
        shares = transposed(self.function, inputs, divide(relevance, output))
        return [None if share is None else x * share for x, share in zip(inputs, shares, strict=True)]


@dataclass(frozen=True)
class WinnerTakesAll:
    """Max pooling: the winner takes the relevance; winners that tie share it equally."""

    function: Callable[[Tensor], Tensor]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.function(x)

    def relevance(self, inputs: Sequence[Tensor], output: Tensor, relevance: Tensor) -> Shares:  # noqa: D102
        x = inputs[0]
        after = [self._after(axis, x.shape[2 + axis], output.shape[2 + axis]) for axis in range(len(self.kernel))]
        pads = [side for pair in zip(reversed(self.padding), reversed(after), strict=True) for side in pair]
        padded = F.pad(x, pads, value=-torch.inf)
        windows = [self._window(offset, output.shape[2:]) for offset in product(*map(range, self.kernel))]
        share = relevance / sum((padded[window] == output).to(x.dtype) for window in windows)
        routed = torch.zeros_like(padded)
        for window in windows:
            routed[window] += share * (padded[window] == output)
        inner = [slice(before, before + size) for before, size in zip(self.padding, x.shape[2:], strict=True)]
        return [routed[(..., *inner)]]

    def _after(self, axis: int, size: int, pooled: int) -> int:
        """Padding behind the image so that the last window (ceil_mode) fits in."""
        reach = (pooled - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return max(0, reach - size - self.padding[axis])

    def _window(self, offset: tuple[int, ...], pooled: Sequence[int]) -> tuple[Any, ...]:
        """The positions, one per output, of the kernel element at this offset."""
        starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
        ends = [start + s * (n - 1) + 1 for start, s, n in zip(starts, self.stride, pooled, strict=True)]
        return (..., *[slice(a, b, s) for a, b, s in zip(starts, ends, self.stride, strict=True)])


def transposed(function: Callable[..., Tensor], inputs: Sequence[Any], seed: Tensor) -> Shares:
    """Return the transpose of a linear function applied to the seed, one tensor per floating-point input."""
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() if is_activation(x) else x for x in inputs]
        output = function(*leaves)
    shares = iter(torch.autograd.grad(output, [x for x in leaves if is_activation(x)], seed))
    return [next(shares) if is_activation(x) else None for x in leaves]


def is_activation(value: Any) -> bool:
    """Tell a floating-point tensor from a shape, a number or an index."""
    return isinstance(value, Tensor) and value.is_floating_point()


def scaled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return x·weight + bias per channel (dimension 1): batch norm as a linear layer."""
    shape = (1, -1, *[1] * (x.dim() - 2))
    return x * weight.view(shape) + (0 if bias is None else bias.view(shape))


def averaging(name: str, function: Callable[..., Tensor]) -> Linear:
    """Return average pooling as a linear layer whose one weight is 1."""

    def average(x: Tensor, weight: Tensor, _: None, *sizes: Any) -> Tensor:
        return function(x, *sizes) * weight

    return Linear("average_pool", name, average, lambda: (torch.ones(()), None))


def layer_parameters(layer: nn.Module) -> Parameters:
    """Return weight and bias, after the hooks that compute them (weight norm, spectral norm, pruning)."""
    for hook in layer._forward_pre_hooks.values():
        hook(layer, ())
    return layer.weight, layer.bias


def batch_norm_parameters(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return scale γ/√(σ² + ε) and shift β − μ·scale of a batch norm in evaluation mode."""
    wide = torch.promote_types(norm.running_var.dtype, torch.float32)
    scale = torch.rsqrt(norm.running_var.to(wide) + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -norm.running_mean * scale
    return scale, shift if norm.bias is None else shift + norm.bias
