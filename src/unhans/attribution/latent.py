"""Relevance of the channels of several layers, from the pass that explains the input.

What a network uses can lie anywhere in an image; relevance summed, or maximised, over the places of a layer tells which
channels were used and not where (concept-space SpRAy: Achtibat et al. 2023, Pahde et al. 2023, Dreyer et al. 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import Attribution, Explain, Heatmaps, Relevance
from unhans.lrp import LRP, UnsupportedModelError
from unhans.lrp.tracing import Layout, layouts

MOST_LAYERS = 3
POOLED = ("sum", "maximum")  # the rows of a pooled relevance


def layers_with_places(
    shapes: Mapping[str, Sequence[int]], outputs: int, layouts: Mapping[str, Layout] = MappingProxyType({})
) -> list[str]:
    """Return layers to pool, at most six: the last of each of the coarsest grids of features, the coarsest first.

    Where there are few grids, as in a transformer whose tokens stay as they are, layers between them are added.

    Args:
        shapes: of the outputs of all layers that run once, in their order, as `LRP.layers` gives them.
        outputs: number of logits; a layer with as many channels scores classes already and is left out.
        layouts: which axes hold the channels, where the network told; else the shape does, see `channel_axis`.
    """
    axes = {name: channel_axis(shape, layouts.get(name)) for name, shape in shapes.items()}
    places = {name: _places(shape, axes[name]) for name, shape in shapes.items()}
    fit = [name for name, shape in shapes.items() if places[name] > 1 and shape[axes[name]] != outputs]
    grids = {places[name]: name for name in fit}
    chosen = [grids[size] for size in sorted(grids)][: 2 * MOST_LAYERS]
    missing = MOST_LAYERS - len(chosen)
    between = [fit[len(fit) * (k + 1) // (missing + 1) - 1] for k in range(missing)] if fit else []
    return list(dict.fromkeys([*chosen, *between]))


def channel_axis(shape: Sequence[int], layout: Layout | None = None) -> int:
    """Return the axis of the channels: the second of (n, C, H, W), the last of tokens (n, N, C) and of (n, H, W, C).

    Without a layout feature maps with the channels last are known by sides that are equal and another number of
    channels.
    """
    if layout is not None:
        return layout.channels
    return 1 if len(shape) == 4 and not (shape[1] == shape[2] != shape[3]) else len(shape) - 1


def _places(shape: Sequence[int], channels: int) -> int:
    """How many places a layer has: 0 for a shape without channels and places."""
    if len(shape) not in (3, 4):
        return 0
    return prod(shape[1:]) // shape[channels]


def pooled(relevance: Tensor, layout: Layout | None = None) -> Tensor:
    """Return the sum and the largest relevance of each channel over all places: (n, …) → (n, 2, C)."""
    flat = relevance.movedim(channel_axis(relevance.shape, layout), 1).flatten(2)
    return torch.stack([flat.sum(2), flat.amax(2)], 1)


def with_latent(attribution: Attribution, network: nn.Module, example: Tensor) -> tuple[Explain, tuple[str, ...]]:
    """Return the function that explains, and pools the relevance of some layers as well, and these layers.

    LRP heatmaps of the input give both in one pass; for another method LRP's default rules give the layers in a second
    one. There are no layers where LRP cannot follow the network, or it has no layer with channels and places.

    Args:
        attribution: how to explain.
        network: on the device of the example.
        example: (1, C, H, W) as the network takes it.
    """
    lrp = attribution.lrp(network) if isinstance(attribution, Relevance) else LRP(network)
    explain = attribution.of(network)
    try:
        told = layouts(network, example)
        layers = _different(lrp, example, told)
    except (UnsupportedModelError, ValueError):
        return explain, ()
    pools = _pools(layers, told)
    whole = isinstance(attribution, Relevance) and attribution.layer is None

    def explain_all_layers(images: Tensor, target: int | Tensor) -> Heatmaps:
        found = lrp.explain_through(images, target, layers, pools)
        maps = sum_channels(found.relevance) if whole else explain(images, target).maps
        return Heatmaps(maps, found.logits, found.layers)

    return (explain_all_layers, layers) if layers else (explain, ())


def _pools(layers: Sequence[str], told: Mapping[str, Layout]) -> dict[str, Callable[[Tensor], Tensor]]:
    return {name: partial(pooled, layout=told.get(name)) for name in layers}


def _different(lrp: LRP, example: Tensor, told: Mapping[str, Layout]) -> tuple[str, ...]:
    """Return up to three layers of which no two have the same relevance, as those before and after a pooling have."""
    outputs = lrp.explain(example, 0).logits.shape[1]
    names = layers_with_places(lrp.layers(example), outputs, told)
    found = lrp.explain_through(example, 0, names, _pools(names, told)).layers
    kept: list[str] = []
    for name in names:
        if not any(_same(found[name][:, 0], found[other][:, 0]) for other in kept):
            kept.append(name)
    return tuple(kept[:MOST_LAYERS])


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-3 * float(one.abs().max()))
