"""The layers of a network: relevance of their channels, and features averaged over places, which can be moved.

What a network uses can lie anywhere in an image; relevance summed, or maximised, over the places of a layer tells which
channels were used and not where (concept-space SpRAy: Achtibat et al. 2023, Pahde et al. 2023, Dreyer et al. 2024).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unhans.attribution.heatmaps import sum_channels
from unhans.attribution.method import Attribution, Explain, Heatmaps, Relevance
from unhans.attribution.places import MOST_LAYERS, channel_axis, layers_with_places
from unhans.attribution.side_effects import run_with_hooks
from unhans.lrp import LRP, UnsupportedModelError
from unhans.lrp.tracing import Layout, layouts, layouts_or_none, unwrap

POOLED = ("sum", "maximum")  # the rows of a pooled relevance


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


@dataclass(frozen=True)
class Features:
    """The output of one layer, which has channels and places and runs once.

    Attributes:
        network: in any mode; it runs in evaluation mode and is not written.
        layer: the name of a module.
        layout: which axis of its output holds the channels; None where the shape is to tell.
    """

    network: nn.Module
    layer: str
    layout: Layout | None = None

    def means(self, images: Tensor) -> Tensor:
        """Return the features averaged over all places, (n, C) in float64, of images as the network takes them."""
        found: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found.append(output.movedim(channel_axis(output.shape, self.layout), 1).flatten(2).double().mean(2))

        run_with_hooks(self.network, images, {self.layer: keep})
        return found[0]

    def moved(self, images: Tensor, shifts: Tensor) -> Tensor:
        """Return the logits (n, classes) in float64, with shifts (n, C) added to the features at every place."""

        def add(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            shape = [len(output), *[1] * (output.dim() - 1)]
            shape[channel_axis(output.shape, self.layout)] = -1
            return output + shifts.to(output).reshape(shape)

        return run_with_hooks(self.network, images, {self.layer: add}).double()


def last_features(network: nn.Module, example: Tensor) -> Features | None:
    """Return the last features that still have places; None where no layer with channels and places runs once.

    A layer with as many channels as there are logits scores classes already and is left out, as in `with_latent`.

    Args:
        network: takes images (n, C, H, W), returns logits (n, classes).
        example: (1, C, H, W) as the network takes it.
    """
    shapes: dict[str, torch.Size] = {}
    calls: Counter[str] = Counter()

    def note(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        calls[name] += 1
        if isinstance(output, Tensor) and output.is_floating_point():
            shapes[name] = output.shape

    names = [name for name, _ in unwrap(network).named_modules() if name]
    logits = run_with_hooks(network, example, {name: partial(note, name) for name in names})
    once = {name: shape for name, shape in shapes.items() if calls[name] == 1 and shape[0] == len(example)}
    told = layouts_or_none(network, example)
    chosen = layers_with_places(once, logits.shape[1], told)
    return Features(network, chosen[0], told.get(chosen[0])) if chosen else None
