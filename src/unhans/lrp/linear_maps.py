"""The linear layers, as L(x; w) + b with its transpose: what the rules are written with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unhans.lrp.numerics import divide

aten = torch.ops.aten


class Layer(ABC):
    """A function that is linear in x and in the weight."""

    @abstractmethod
    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return L(x; weight) + bias."""

    @abstractmethod
    def transpose(self, seed: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """Return Lᵀ(seed; weight), of the shape of x."""

    def spread(self, x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
        """Return the relevance shared equally among the inputs of each output, by ones in place of x and the weight."""
        ones = torch.ones_like(weight)
        count = self.forward(torch.ones_like(x), ones, None)
        return self.transpose(divide(relevance, count), x, ones)

    def scale_weight(self, weight: Tensor, scale: Tensor) -> Tensor | None:
        """Return the weight times a scale per output channel; None where that cannot be."""
        return None


@dataclass(frozen=True)
class Dense(Layer):
    """x w, for x (…, in) and w (in, out); with `left` it is w x."""

    left: bool = False

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        z = weight @ x if self.left else x @ weight
        return z if bias is None else z + bias

    def transpose(self, seed: Tensor, x: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        back = weight.transpose(-2, -1)
        return back @ seed if self.left else seed @ back

    def scale_weight(self, weight: Tensor, scale: Tensor) -> Tensor | None:  # noqa: D102
        return None if self.left else weight * scale


@dataclass(frozen=True)
class Convolution(Layer):
    """Any convolution, transposed ones as well, by the options of `aten.convolution` after the bias.

    A bias is a number per channel (C,), or for each channel and place (C, h, w).
    """

    options: tuple[Any, ...]  # stride, padding, dilation, transposed, output padding, groups

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        if bias is not None and bias.dim() > 1:
            return aten.convolution.default(x, weight, None, *self.options) + bias
        return aten.convolution.default(x, weight, bias, *self.options)

    def transpose(self, seed: Tensor, x: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        mask = [True, False, False]
        return aten.convolution_backward.default(seed, x, weight, None, *self.options, mask)[0]

    def spread(self, x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:
        """Return equal shares; one channel per group tells them, since all weights count alike."""
        groups = self.options[-1]
        kernel = weight.new_ones((groups, 1, *weight.shape[2:]))
        one = x.new_ones((1, groups, *x.shape[2:]))
        channels = x.shape[1] // groups
        count = self.forward(one, kernel, None) * channels
        pooled = divide(relevance.unflatten(1, (groups, -1)).sum(2), count)
        share = self.transpose(pooled, one.expand(len(x), *one.shape[1:]), kernel)
        return share.repeat_interleave(channels, 1) if groups > 1 else share.expand_as(x)

    def scale_weight(self, weight: Tensor, scale: Tensor) -> Tensor | None:  # noqa: D102
        transposed, groups = self.options[3], self.options[-1]
        if transposed and groups > 1:
            return None
        shape = (1, -1) if transposed else (-1, 1)
        return weight * scale.reshape(*shape, *[1] * (weight.dim() - 2))


class Local(Layer):
    """A layer whose transpose autograd computes."""

    def transpose(self, seed: Tensor, x: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        graph = torch.is_grad_enabled()
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            z = self.forward(leaf, weight, None)
        return torch.autograd.grad(z, leaf, seed, create_graph=graph)[0]


@dataclass(frozen=True)
class Widened(Layer):
    """A layer in half precision, whose products are in half precision and whose results are in float32."""

    layer: Layer

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        return self.layer.forward(x, weight, bias).float()

    def transpose(self, seed: Tensor, x: Tensor, weight: Tensor) -> Tensor:  # noqa: D102
        return self.layer.transpose(seed.to(weight.dtype), x, weight).float()

    def spread(self, x: Tensor, weight: Tensor, relevance: Tensor) -> Tensor:  # noqa: D102
        return self.layer.spread(x, weight, relevance.to(x.dtype)).float()


@dataclass(frozen=True)
class Averaging(Local):
    """Average pooling, a mean or a sum: one weight, which is 1, scales it."""

    function: Callable[[Tensor], Tensor]

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        return self.function(x) * weight


@dataclass(frozen=True)
class Scaling(Local):
    """x·weight per channel (dimension 1): batch norm that no layer takes in."""

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        shape = (1, -1, *[1] * (x.dim() - 2))
        z = x * weight.reshape(shape)
        return z if bias is None else z + bias.reshape(shape)


@dataclass(frozen=True)
class Normalization(Local):
    """(x − mean) · w/σ with σ held constant: layer and group norm (Ali et al. 2022, "XAI for Transformers").

    Args:
        deviation: σ, broadcastable to x as `grouped` shapes it.
        grouped: the shape that x takes so that the mean runs over its last `dims` dimensions.
        dims: over how many.
        affine: the shape of weight and bias against x.
    """

    deviation: Tensor
    grouped: Sequence[int]
    dims: int
    affine: Sequence[int]

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: D102
        parts = x.reshape(self.grouped)
        centred = parts - parts.mean(tuple(range(-self.dims, 0)), keepdim=True)
        z = (centred / self.deviation).reshape(x.shape) * weight.reshape(self.affine)
        return z if bias is None else z + bias.reshape(self.affine)
