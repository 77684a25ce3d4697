"""Linear layers with the batch norms, scales and biases that follow them taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unhans.lrp.linear_maps import Convolution, Dense
from unhans.lrp.operations import Linear
from unhans.lrp.tracing import Node
from unhans.lrp.tracing import aten as known

VIEWS = {"view", "_unsafe_view", "_reshape_alias"}
Affine = tuple[Tensor, Tensor | None]


def linear_of(node: Node) -> Linear | None:
    """Return the convolution or matrix product with constant weights that a node is, if it is one."""
    if node.kind in known.CONVOLUTIONS:
        x, weight, bias, *options = node.arguments
        if isinstance(x, Node) and isinstance(weight, Tensor) and not isinstance(bias, Node):
            return Linear([x], "convolution", node.module, Convolution(tuple(options)), weight, bias, node.shape)
    elif node.kind in ("mm", "bmm"):
        return _product(node, node.arguments, None)
    elif node.kind in ("addmm", "baddbmm") and not node.options:
        bias, *factors = node.arguments
        return None if isinstance(bias, Node) else _product(node, factors, bias)
    elif node.kind in ("mv", "addmv") and not node.options:
        *bias, matrix, vector = node.arguments
        return None if isinstance(bias and bias[0], Node) else _with_vector(node, matrix, vector, *bias)
    return None


def _product(node: Node, factors: Sequence[Any], bias: Tensor | None) -> Linear | None:
    """A matrix product of one factor that depends on the input and one that does not."""
    depends = [isinstance(factor, Node) for factor in factors]
    if sum(depends) != 1:
        return None
    x, weight = factors if depends[0] else reversed(factors)
    return Linear([x], "dense", node.module, Dense(left=depends[1]), weight, bias, node.shape)


def _with_vector(node: Node, matrix: Any, vector: Any, bias: Tensor | None = None) -> Linear | None:
    """A matrix times a vector: rows of x times one column of weights, or a weight matrix times x."""
    if isinstance(vector, Node):
        if isinstance(matrix, Node):
            return None
        return Linear([vector], "dense", node.module, Dense(left=True), matrix, bias, node.shape)
    column = None if bias is None else bias.unsqueeze(-1)
    shape = torch.Size((*node.shape, 1))
    return Linear([matrix], "dense", node.module, Dense(), vector.unsqueeze(-1), column, shape)


def fold(node: Node, users: dict[Node, int]) -> tuple[Linear, list[Node]] | None:
    """Return the linear layer that ends with this node, and the nodes in it, last first; None where none does.

    What follows a layer is taken in where it alone reads the layer: batch norm in evaluation mode, products and sums
    with one constant per channel, and reshapes between them that keep the channels.
    """
    chain: list[Node] = []
    current = node
    while (layer := linear_of(current)) is None:
        source = _affine_source(current, first=not chain)
        if source is None or users[source] != 1:
            return None
        chain.append(current)
        current = source
    for after in reversed(chain):
        layer = _take_in(layer, after)
        if layer is None:
            return None
    return layer, [*chain, current]


def _affine_source(node: Node, first: bool) -> Node | None:
    """What a node reads, if it is something that may be folded into that."""
    kinds = known.BATCH_NORMS | known.SUMS | known.MULTIPLICATIONS | known.DIVISIONS | (set() if first else VIEWS)
    sources = node.sources
    return sources[0] if node.kind in kinds and len(sources) == 1 and node.output in (None, 0) else None


def _take_in(layer: Linear, node: Node) -> Linear | None:
    """The layer followed by this node's operation, or None where it is no scale and shift per channel."""
    if node.kind in VIEWS:
        keeps = isinstance(layer.layer, Dense) and not layer.layer.left and node.shape[-1:] == layer.shape[-1:]
        return layer if keeps else None
    dense = isinstance(layer.layer, Dense)
    axis = len(node.shape) - 1 if dense else 1
    if node.kind in known.BATCH_NORMS and axis != 1:
        return None
    affine = affine_of(node, axis)
    if affine is None:
        return _with_bias_of_places(layer, node)
    scale, shift = affine
    weight = layer.layer.scale_weight(layer.weight, scale)
    bias = layer.bias
    if bias is not None and weight is not None and bias.dim() > 1:  # for each place
        scale, shift = (value if value is None else _over_places(value, bias) for value in (scale, shift))
        return replace(layer, weight=weight, bias=bias * scale if shift is None else bias * scale + shift)
    if weight is None or (bias is not None and bias.shape != scale.shape):
        return None
    if bias is not None:
        shift = bias * scale if shift is None else bias * scale + shift
    return replace(layer, weight=weight, bias=shift)


def _with_bias_of_places(layer: Linear, node: Node) -> Linear | None:
    """A convolution followed by a sum with a constant for each channel and place, which then is its bias."""
    constants = [each for each in node.arguments[:2] if isinstance(each, Tensor)]
    convolution = isinstance(layer.layer, Convolution) and len(node.shape) == layer.weight.dim()
    if node.kind != "add" or node.options or not convolution or len(constants) != 1:
        return None
    if constants[0].shape not in (node.shape[1:], (1, *node.shape[1:])):
        return None
    bias = constants[0].reshape(node.shape[1:])
    return replace(layer, bias=bias if layer.bias is None else bias + _over_places(layer.bias, bias))


def _over_places(value: Tensor, bias: Tensor) -> Tensor:
    """A number per channel against a bias (C, h, w)."""
    return value if value.dim() > 1 else value.reshape(-1, *[1] * (bias.dim() - 1))


def affine_of(node: Node, axis: int) -> Affine | None:
    """Return scale and shift per channel of a batch norm, or of a product or sum with a constant."""
    if node.kind in known.BATCH_NORMS:
        return batch_norm(node)
    first, second = node.arguments[:2]
    constant = second if isinstance(first, Node) else first
    value = _per_channel(constant, node.shape, axis)
    if (
        value is None
        or isinstance(constant, Node)
        or (isinstance(second, Node) and node.kind in ("div", "sub", "rsub"))
    ):
        return None
    if node.kind in known.MULTIPLICATIONS:
        return value, None
    if node.kind in known.DIVISIONS:
        return None if node.options else (1 / value, None)
    if node.kind not in ("add", "sub") or node.options:
        return None
    return torch.ones_like(value), -value if node.kind == "sub" else value


def batch_norm(node: Node) -> Affine | None:
    """Return scale γ/√(σ² + ε) and shift β − μ·scale of a batch norm in evaluation mode."""
    _, weight, bias, mean, variance, *rest = node.arguments
    if mean is None:
        return None
    eps = rest[-1]
    scale = torch.rsqrt(variance + eps) * (1 if weight is None else weight)
    return scale, -mean * scale + (0 if bias is None else bias)


def _per_channel(constant: Any, shape: Sequence[int], axis: int) -> Tensor | None:
    """A constant tensor as a vector with one number per channel, or None where it varies along another axis."""
    if not isinstance(constant, Tensor) or not constant.is_floating_point() or constant.dim() > len(shape):
        return None
    sizes = [1] * (len(shape) - constant.dim()) + list(constant.shape)
    if any(size != 1 for i, size in enumerate(sizes) if i != axis):
        return None
    return constant.reshape(-1).expand(shape[axis])
