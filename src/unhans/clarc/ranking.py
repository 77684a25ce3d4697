"""Which layer a correction is best made at: where the direction separates samples that it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from unhans.clarc.activation import outputs_of, placed
from unhans.clarc.concept import Concept, Estimator, Spatial
from unhans.clarc.fitting import fit
from unhans.clarc.layer import layers as layers_of
from unhans.clarc.layer import shape_of
from unhans.lrp.layout import layouts_or_none

MEMORY = 2**30  # bytes of activations held at once


def rank_layers(
    network: nn.Module,
    affected: Tensor,
    unaffected: Tensor,
    layers: Sequence[str] | None = None,
    *,
    estimator: Estimator = "pattern",
    spatial: Spatial = "positions",
    penalty: float = 1.0,
    seed: int = 0,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    memory: int = MEMORY,
    advance: Callable[[str], None] = lambda layer: None,
) -> list[Concept]:
    """Fit a concept at every layer and return them, the best separation (AUC on held-out samples) first.

    Many layers separate a marked artifact without error. Of those the one with the largest distance between held-out
    affected and unaffected samples comes first: a choice of ours, tried on one network with one planted watermark,
    where the layers of smallest distance were those at which projecting left most of the effect. The distance did not
    order the other layers.

    Args:
        network: in any mode; it is not written.
        affected, unaffected: images (n, 3, H, W) with and without the artifact, as the network takes them.
        layers: the names to try, by default all that can be corrected and whose activations fit into `memory`.
        estimator, spatial, penalty, seed: as in `fit`.
        batch_size, device: as in `activations`.
        memory: bytes of activations that are held at once.
        advance: called with the name of each layer that is done.

    Raises:
        ValueError: as `check_layer` and `fit` do, and where no layer fits into the memory.
    """
    network, images = placed(network, device), torch.cat([affected, unaffected])
    example = images[:1].to(device)
    labels = torch.arange(len(images)) < len(affected)
    sizes = _sizes(network, example, layers, memory // (4 * len(images)))
    told = layouts_or_none(network, example)
    options = {"estimator": estimator, "spatial": spatial, "penalty": penalty, "seed": seed}
    found: list[Concept] = []
    for group in _groups(sizes, memory // (4 * len(images))):
        outputs = outputs_of(network, group, images, batch_size, device)
        for name in group:
            axis = told[name].channels if name in told else None
            found.append(fit(outputs.pop(name), labels, layer=name, axis=axis, **options))
            advance(name)
    return sorted(found, key=lambda concept: (-concept.separation, -concept.distance))


def _sizes(network: nn.Module, example: Tensor, names: Sequence[str] | None, limit: int) -> Mapping[str, int]:
    """Elements of each layer's output, in order of execution."""
    if names is not None:
        return {name: shape_of(network, name, example).numel() for name in names}
    small = {name: shape.numel() for name, shape in layers_of(network, example).items() if shape.numel() <= limit}
    if not small:
        raise ValueError(f"No layer's activations of at most {limit} elements a sample fit into the memory; name some.")
    return small


def _groups(sizes: Mapping[str, int], limit: int) -> Iterator[list[str]]:
    """Layers whose activations fit into the memory together, at least one at a time."""
    group: list[str] = []
    total = 0
    for name, size in sizes.items():
        if group and total + size > limit:
            yield group
            group, total = [], 0
        group.append(name)
        total += size
    if group:
        yield group
