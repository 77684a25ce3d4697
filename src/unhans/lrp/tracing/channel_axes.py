"""Which axis of a layer's output holds the channels and which the places, told from what the network computes.

The axes of the images (n, C, H, W) are followed through the tape: a permutation moves them, a view merges or splits
them, a convolution makes channels of the second axis, a matrix product of the last one. Shapes alone cannot tell
(n, H, W, C), as in Swin, from (n, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from unhans.lrp.tracing import aten as known
from unhans.lrp.tracing.aten import UnsupportedModelError
from unhans.lrp.tracing.tape import Node, Tape, record

SAMPLE, CHANNEL, ROW, COLUMN, TOKEN, OTHER = "nchwt?"


@dataclass(frozen=True)
class Factor:
    """A factor of an axis' size and what it counts; tokens know their grid and how many others come before it."""

    kind: str
    size: int
    grid: tuple[int, int] = (0, 0)
    before: int = 0


Axis = tuple[Factor, ...]
Axes = tuple[Axis, ...]


@dataclass(frozen=True)
class Layout:
    """How the output of a layer is laid out.

    Attributes:
        channels: the axis of the channels: 1 for (n, C, H, W), 3 for (n, H, W, C), 2 for tokens (n, N, C).
        grid: rows and columns of places; None where there are none, as in (n, C).
        before: how many tokens, such as the class token, come before those of the grid.
    """

    channels: int
    grid: tuple[int, int] | None = None
    before: int = 0

    def places(self, values: Tensor) -> Tensor:
        """Return values of one layer's output, or sums over its channels, as (n, C, H, W) or (n, H, W).

        Tokens that have no place are left out.

        Raises:
            ValueError: the layer has no places.
        """
        if self.grid is None:
            raise ValueError(f"expected a layer with places, got an output of shape {tuple(values.shape)}.")
        first = values.movedim(self.channels, 1).flatten(2)
        return first[:, :, self.before : self.before + prod(self.grid)].unflatten(2, self.grid)

    def heatmap(self, relevance: Tensor) -> Tensor:
        """Return relevance summed over channels, (n, H, W); raises as `places` does."""
        return self.places(relevance).sum(1)


def layouts(model: nn.Module, inputs: Tensor) -> dict[str, Layout]:
    """Return the layout of every layer whose axes can be told, by its path; the model is not written.

    A module that runs several times has its runs told apart as `path#0`, `path#1`.

    Args:
        model: takes images (n, C, H, W); it runs in evaluation mode on two copies of the first image.
        inputs: at least one image.

    Raises:
        UnsupportedModelError: naming what cannot be followed.
    """
    if inputs.dim() != 4:
        return {}
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(inputs.device.type, enabled=False):
        return layouts_of(record(model, inputs[:1].repeat(2, 1, 1, 1)))


def layouts_or_none(model: nn.Module, inputs: Tensor) -> dict[str, Layout]:
    """Return `layouts`, and nothing for a network that cannot be followed."""
    try:
        return layouts(model, inputs)
    except UnsupportedModelError:
        return {}


def layouts_of(tape: Tape) -> dict[str, Layout]:
    """Return the layouts of the layers of a tape; see `layouts`."""
    axes = _axes_of(tape)
    runs = {
        path if len(nodes) == 1 else f"{path}#{i}": node
        for path, nodes in tape.layers.items()
        for i, node in enumerate(nodes)
    }
    found = {path: _layout(axes[node], tape.input.shape[0]) for path, node in runs.items() if node in axes}
    return {path: layout for path, layout in found.items() if layout is not None}


def layout_of_shape(shape: Sequence[int]) -> Layout | None:
    """Guess the layout of an output with four axes from its shape; None where it does not tell.

    Maps of square images have equal sides: (n, C, H, H) or (n, H, H, C). With C = H it is taken for (n, C, H, H).
    """
    if len(shape) != 4:
        return None
    if shape[2] == shape[3]:
        return Layout(1, (shape[2], shape[3]))
    return Layout(3, (shape[1], shape[2])) if shape[1] == shape[2] else None


def layout_along(shape: Sequence[int], channels: int) -> Layout:
    """Return the layout of an output with four axes whose channel axis is known.

    Raises:
        ValueError: there are not four axes, or the axis is neither 1 nor 3.
    """
    if len(shape) != 4 or channels not in (1, 3):
        raise ValueError(f"channel_axis expects 1 or 3 of an output with four axes, got {channels} of {tuple(shape)}.")
    return Layout(channels, (shape[2], shape[3]) if channels == 1 else (shape[1], shape[2]))


def _layout(axes: Axes, samples: int) -> Layout | None:
    """The layout of an output whose first axis counts the samples and which has one axis of channels."""
    kinds = [_kind(axis) for axis in axes]
    if kinds[:1] != [SAMPLE] or _size(axes[0]) != samples or kinds.count(CHANNEL) != 1:
        return None
    places = [axis for axis, kind in zip(axes, kinds, strict=True) if kind not in (SAMPLE, CHANNEL)]
    tokens = _tokens(_joined(places))
    if len(places) not in (1, 2) or tokens is None:
        return Layout(kinds.index(CHANNEL))
    return Layout(kinds.index(CHANNEL), tokens.grid, tokens.before)


def _axes_of(tape: Tape) -> dict[Node, Axes]:
    """What the axes of every node count, where that is known."""
    n, channels, rows, columns = tape.input.shape
    start = (Factor(SAMPLE, n), Factor(CHANNEL, channels), Factor(ROW, rows), Factor(COLUMN, columns))
    axes: dict[Node, Axes] = {tape.input: tuple((factor,) for factor in start)}
    for node in tape.nodes:
        found = _result(node, axes)
        if found is not None and [_size(axis) for axis in found] == list(node.shape):
            axes[node] = found
    return axes


def _result(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    for kinds, follow in FOLLOWED:
        if node.kind in kinds:
            return follow(node, axes)
    return _alike(node, axes)


def _alike(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """An operation that keeps its axes, which may change in size: from every source what it knows of each."""
    sources = [axes[source] for source in node.sources if source in axes and len(source.shape) == len(node.shape)]
    if not sources:
        return None
    return tuple(_best([axes[i] for axes in sources], size) for i, size in enumerate(node.shape))


def _best(candidates: Sequence[Axis], size: int, otherwise: str = OTHER) -> Axis:
    fit = [axis for axis in candidates if _size(axis) == size]
    told = [axis for axis in fit if _kind(axis) != OTHER or _tokens(axis)]
    if fit:
        return (told or fit)[0]
    kind = _kind(candidates[0])
    return (Factor(kind if kind in (CHANNEL, ROW, COLUMN) else otherwise, size),)


def _convolution(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    x, *places = node.sources[0], *range(2, len(node.shape))
    given = axes.get(x) or ((Factor(SAMPLE, node.shape[0]),), (), *[(Factor(OTHER, x.shape[i]),) for i in places])
    if len(given) != len(node.shape):
        return None
    kinds = [ROW, COLUMN] if len(places) == 2 else [OTHER] * len(places)
    after = [_best([given[i]], node.shape[i], kind) for i, kind in zip(places, kinds, strict=True)]
    return (given[0], (Factor(CHANNEL, node.shape[1]),), *after)


def _product(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """A matrix product: rows of the first factor, columns of the second; a weight makes channels of channels."""
    left, right = node.arguments[-2:]
    ours, theirs = axes.get(left), axes.get(right)  # a tensor is no key
    if isinstance(left, Node) and isinstance(right, Node):
        return ours and (*ours[:-1], theirs[-1] if theirs else (Factor(OTHER, node.shape[-1]),))
    given, contracted = (ours, -1) if isinstance(left, Node) else (theirs, -2)
    if given is None or len(node.shape) != len(given):
        return None
    made = (Factor(CHANNEL if CHANNEL in _kinds(given[contracted]) else OTHER, node.shape[contracted]),)
    return tuple(made if i == len(given) + contracted else axis for i, axis in enumerate(given))


def _view(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """The same elements in the same order, in other groups."""
    given = axes.get(node.sources[0])
    return None if given is None else _regrouped([factor for axis in given for factor in axis], node.shape)


def _regrouped(factors: list[Factor], shape: Sequence[int]) -> Axes | None:
    """Give every axis of a new shape its factors; one that is cut makes two of its kind."""
    left, groups = list(factors), []
    for size in shape:
        group: list[Factor] = []
        while (missing := size // max(1, prod(f.size for f in group))) > 1 or (left and left[0].size == size == 1):
            if not left:
                return None
            factor = left.pop(0)
            if factor.size > missing:
                if factor.size % missing:
                    return None
                kind = OTHER if factor.kind == TOKEN else factor.kind
                left.insert(0, Factor(kind, factor.size // missing))
                factor = Factor(kind, missing)
            group.append(factor)
            if size == 1:
                break
        groups.append(group)
    if groups:
        groups[-1] += left  # of size 1
    return tuple(tuple(group) for group in groups)


def _permutation(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    given = axes.get(node.sources[0])
    if given is None:
        return None
    order = list(range(len(given)))
    if node.kind == "permute":
        return tuple(given[i] for i in node.arguments[1])
    first, second = node.arguments[1:3] if node.kind == "transpose" else (0, len(given) - 1)
    order[first], order[second] = order[second], order[first]
    return tuple(given[i] for i in order)


def _fewer(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """An operation along some dimensions, which it leaves out or keeps with another size."""
    given = axes.get(node.sources[0])
    if given is None or len(given) == len(node.shape):
        return _alike(node, axes)
    dims = node.arguments[1] if len(node.arguments) > 1 else 0 if node.kind == "unbind" else None
    gone = {i % len(given) for i in ([dims] if isinstance(dims, int) else dims or range(len(given)))}
    if node.kind == "squeeze":
        gone = {i for i in gone if _size(given[i]) == 1}
    return tuple(axis for i, axis in enumerate(given) if i not in gone)


def _more(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """A new axis: unsqueeze and stack."""
    given = next((axes[source] for source in node.sources if source in axes), None)
    if given is None:
        return None
    at = (node.arguments[1] if len(node.arguments) > 1 else 0) % len(node.shape)
    return (*given[:at], (Factor(OTHER, node.shape[at]),), *given[at:])


def _concatenation(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """Tokens behind others keep their grid, further on."""
    parts, at = node.arguments[0], (node.arguments[1] if len(node.arguments) > 1 else 0) % len(node.shape)
    found, before = _alike(node, axes), 0
    for part in parts if found else ():
        tokens = _tokens(axes[part][at]) if part in axes else None
        if tokens is not None:
            joined = (replace(tokens, size=node.shape[at], before=tokens.before + before),)
            return (*found[:at], joined, *found[at + 1 :])
        before += part.shape[at]
    return found


def _slice(node: Node, axes: Mapping[Node, Axes]) -> Axes | None:
    """Tokens of which the first, or those behind the grid, are left out."""
    given, found = axes.get(node.sources[0]), _alike(node, axes)
    dim, start, _, step = (*node.arguments[1:], *(0, 0, None, 1)[len(node.arguments) - 1 :])
    if given is None or found is None or node.shape == node.sources[0].shape:
        return found
    at, tokens = dim % len(given), _tokens(given[dim])
    if tokens is None or step != 1:
        return found
    first = max(0, start + tokens.size if start < 0 else start or 0)
    whole = first <= tokens.before and first + node.shape[at] >= tokens.before + prod(tokens.grid)
    cut = replace(tokens, size=node.shape[at], before=tokens.before - first)
    kept = _grid(cut) if whole else (Factor(OTHER, node.shape[at]),)
    return (*found[:at], kept, *found[at + 1 :])


def _grid(tokens: Factor) -> Axis:
    """Tokens as rows and columns, where there are no others."""
    if tokens.size != prod(tokens.grid):
        return (tokens,)
    return Factor(ROW, tokens.grid[0]), Factor(COLUMN, tokens.grid[1])


def _tokens(axis: Axis) -> Factor | None:
    """An axis of places as tokens; None if it is none."""
    factors = [factor for factor in axis if factor.size > 1]
    kinds = "".join(factor.kind for factor in factors)
    if kinds == TOKEN:
        return factors[0]
    if not axis or kinds.lstrip(ROW).lstrip(COLUMN) or not _kinds(axis) <= {ROW, COLUMN}:
        return None
    rows = prod(factor.size for factor in factors if factor.kind == ROW)
    columns = prod(factor.size for factor in factors if factor.kind == COLUMN)
    return Factor(TOKEN, rows * columns, (rows, columns))


def _joined(axes: Iterable[Axis]) -> Axis:
    return tuple(factor for axis in axes for factor in axis)


def _size(axis: Axis) -> int:
    return prod(factor.size for factor in axis)


def _kinds(axis: Axis) -> set[str]:
    """What the factors count that are larger than 1, or all if none is."""
    return {factor.kind for factor in axis if factor.size > 1} or {factor.kind for factor in axis} or {OTHER}


def _kind(axis: Axis) -> str:
    """The one thing that an axis counts."""
    kinds = _kinds(axis)
    return kinds.pop() if len(kinds) == 1 else OTHER


FOLLOWED: list[tuple[set[str], Callable[[Node, Mapping[Node, Axes]], Any]]] = [
    (known.CONVOLUTIONS, _convolution),
    (known.PRODUCTS - {"mv", "addmv"}, _product),
    ({"view", "_unsafe_view", "_reshape_alias", "reshape", "view_copy"}, _view),
    ({"permute", "transpose", "t"}, _permutation),
    ({"mean", "sum", "amax", "amin", "max", "min", "select", "squeeze", "unbind"}, _fewer),
    ({"unsqueeze", "stack"}, _more),
    ({"cat"}, _concatenation),
    ({"slice"}, _slice),
]
