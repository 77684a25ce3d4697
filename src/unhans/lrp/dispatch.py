"""How relevance goes back through a node that is no layer with weights: the choice of its operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from torch import Tensor

from unhans.lrp.canonization import affine_of
from unhans.lrp.linear_maps import Averaging, Layer, Normalization, Scaling
from unhans.lrp.operations import (
    AdaptiveWinners,
    Equal,
    Extreme,
    Linear,
    Operation,
    Passing,
    Proportional,
    Rerouting,
    WinnerTakesAll,
)
from unhans.lrp.tracing import Node
from unhans.lrp.tracing import aten as known
from unhans.lrp.tracing.aten import UnsupportedModelError


def operation_of(node: Node, gates: set[Node]) -> Operation:
    """Return how relevance goes back through a node; raises UnsupportedModelError where nothing tells."""
    weighed = [(kinds, partial(build, gates=gates)) for kinds, build in WEIGHED]
    for kinds, build in (*weighed, *BUILDERS):
        if node.kind in kinds and (operation := build(node)) is not None:
            return operation
    raise UnsupportedModelError(f"LRP has no rule for the operation {node}.")


def _signals(node: Node) -> list[Node]:
    return [source for source in node.sources if source.floating]


def _passing(node: Node, signal: int = 0) -> Operation | None:
    """The argument of this number passes on all."""
    source = node.arguments[signal]
    return Passing([source]) if isinstance(source, Node) and source.floating else None


def _rerouting(node: Node) -> Operation | None:
    return Rerouting(_signals(node)) if node.floating and _signals(node) else None


def _sum(node: Node) -> Operation:
    return Proportional(_signals(node))


def _multiplication(node: Node, gates: set[Node]) -> Operation | None:
    """A product with a constant or a gate gives all to the signal; one of two signals half to each."""
    factors, signals = _factors(node.arguments[:2], gates)
    if not all(signal.floating for signal in signals):
        return None
    if len(factors) == 1:
        return Proportional(factors)
    return Passing(signals[:1]) if len(set(signals)) == 1 else Equal(signals)


def _division(node: Node) -> Operation | None:
    """The denominator weighs the numerator, as in layer norm."""
    numerator, denominator = node.arguments[:2]
    if not isinstance(numerator, Node) or not numerator.floating or node.options:
        return None
    return Passing([numerator]) if isinstance(denominator, Node) else Proportional([numerator])


def _power(node: Node) -> Operation | None:
    """x^c with c > 0 is a product of x alone."""
    base, exponent = node.arguments[:2]
    return Passing([base]) if isinstance(base, Node) and isinstance(exponent, (int, float)) and exponent > 0 else None


def _product(node: Node, gates: set[Node]) -> Operation | None:
    """A matrix product of two values that depend on the input.

    Attention weights are held constant, so that relevance goes through the values and is conserved (Ali et al. 2022,
    "XAI for Transformers: Better Explanations through Conservative Propagation"); two signals take half each.
    """
    added = len(node.arguments) == 3  # addmm and its like
    factors, signals = _factors(node.arguments[-2:], gates)
    if not factors or (added and (len(factors) > 1 or node.options)):
        return None
    both = [*signals, *[term for term in node.arguments[:-2] if isinstance(term, Node)]]
    return Proportional(list(dict.fromkeys(both)), 1 / len(signals))


def _factors(arguments: Sequence[Any], gates: set[Node]) -> tuple[list[Node], list[Node]]:
    """The factors that depend on the input, and those of them that carry the signal: all where all are gates."""
    factors = [factor for factor in arguments if isinstance(factor, Node)]
    return factors, [factor for factor in factors if factor not in gates] or factors


def _extreme(node: Node) -> Operation | None:
    """The largest or smallest element; the index carries no relevance."""
    x, *rest = node.arguments
    if node.output not in (None, 0) or any(isinstance(argument, Node) for argument in rest):
        return None
    keepdim = bool(node.options.get("keepdim", rest[1] if len(rest) > 1 else False))
    return Extreme([x], rest[0] if rest else None, keepdim)


def _batch_norm(node: Node) -> Operation | None:
    """Batch norm that no layer takes in; one with statistics of the batch where that is a single sample."""
    x = node.arguments[0]
    affine = affine_of(node, 1)
    if affine is not None:
        return Linear([x], "batch_norm", node.module, Scaling(), *affine, node.shape)
    if node.shape[0] != 1:
        raise UnsupportedModelError(f"LRP needs running statistics, which the batch norm{node.place} lacks.")
    groups = (node.shape[1], -1)
    return _normalization("group_norm", node, node.arguments[1:3], node.arguments[-1], groups, 1)


def _layer_norm(node: Node) -> Operation:
    _, shape, weight, bias, eps = node.arguments
    return _normalization("layer_norm", node, (weight, bias), eps, node.shape, len(shape), shape)


def _group_norm(node: Node) -> Operation:
    _, weight, bias, samples, _, _, groups, eps = node.arguments
    return _normalization("group_norm", node, (weight, bias), eps, (samples, groups, -1), 1)


def _normalization(
    kind: str,
    node: Node,
    affine: Sequence[Tensor | None],
    eps: float,
    grouped: Sequence[int],
    dims: int,
    shape: Sequence[int] | None = None,
) -> Operation:
    """Normalisation as a linear layer, its deviation held constant; weight and bias have a shape against x."""
    x, (weight, bias) = node.arguments[0], affine
    value = x.value
    variance = value.reshape(grouped).var(tuple(range(-dims, 0)), unbiased=False, keepdim=True)
    shape = shape or (1, -1, *[1] * (len(node.shape) - 2))
    layer = Normalization((variance + eps).sqrt(), tuple(grouped), dims, tuple(shape))
    weight = value.new_ones(node.shape[1] if shape[0] == 1 else shape) if weight is None else weight
    return Linear([x], kind, node.module, layer, weight, bias, node.shape)


def _average(node: Node) -> Operation:
    x = node.sources[0]
    layer: Layer = Averaging(lambda values: node.call({x: values}))
    return Linear([x], "average_pool", node.module, layer, x.value.new_ones(()), None, node.shape)


def _max_pool(node: Node) -> Operation | None:
    """Max pooling; its indices carry no relevance."""
    if node.output != 0:
        return None
    x, kernel, stride, padding, dilation = [*node.arguments, *DEFAULTS[len(node.arguments) :]][:5]
    dims = known.MAX_POOLS[node.kind]
    sizes = [_sizes(size, dims) for size in (kernel, stride or kernel, padding, dilation)]
    return WinnerTakesAll([x], *sizes)


DEFAULTS = (None, None, [], [0], [1])  # of max pooling: input, kernel, stride, padding, dilation


def _sizes(size: Any, dims: int) -> tuple[int, ...]:
    values = [size] if isinstance(size, int) else list(size)
    return tuple(values * dims if len(values) == 1 else values)


def _adaptive_max_pool(node: Node) -> Operation | None:
    return AdaptiveWinners(node.sources, known.ADAPTIVE_MAX_POOLS[node.kind]) if node.output == 0 else None


WEIGHED = [(known.MULTIPLICATIONS, _multiplication), (known.PRODUCTS, _product)]
BUILDERS: list[tuple[Iterable[str], Callable[[Node], Operation | None]]] = [
    (known.ACTIVATIONS, _passing),
    (known.REROUTING | known.CASTS, _rerouting),
    (known.SUMS | known.RESAMPLING | known.OVERLAYING | known.HOMOGENEOUS, _sum),
    (known.DIVISIONS, _division),
    (known.POWERS, _power),
    (known.BATCH_NORMS, _batch_norm),
    ({"native_layer_norm"}, _layer_norm),
    ({"native_group_norm"}, _group_norm),
    (known.AVERAGES, _average),
    (known.EXTREMES, _extreme),
    (known.COPIES, partial(_passing, signal=1)),
    (known.MAX_POOLS, _max_pool),
    (known.ADAPTIVE_MAX_POOLS, _adaptive_max_pool),
]
