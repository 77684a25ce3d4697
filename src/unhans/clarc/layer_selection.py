"""Which layer a correction is best made at: by held-out separation, and by the effect that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unhans.attribution import frozen_view
from unhans.clarc.cav import Concept, Estimator, Spatial, fit
from unhans.clarc.corrected_model import corrected
from unhans.clarc.correction import Correction
from unhans.clarc.layers import check_layer, outputs_of, placed
from unhans.clarc.layers import layers as layers_of
from unhans.lrp.tracing import computing_dtype, layouts_or_none

TOLERATED = 0.01  # share of the images that a correction may classify worse than the network does
ROUNDING = 1e-9  # 0.93 − 0.92 is more than 0.01


@dataclass(frozen=True)
class Tried:
    """A concept, projected out: accuracy on images without the artifact, and its mean effect Δp on these images."""

    concept: Concept
    accuracy: float
    effect: float


def least_effect(
    network: nn.Module,
    concepts: Sequence[Concept],
    images: Tensor,
    pasted: Tensor,
    labels: Tensor,
    target: int,
    *,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
) -> Tried:
    """Project every concept out in turn and return the one that leaves the least effect.

    Separation alone does not tell: an artifact that is plain to see is separated without error at nearly every layer,
    also where projecting does not help. Of the concepts that cost at most one image in a hundred, the one with the
    smallest |Δp| towards the target is returned; where all cost more, the one that costs least.

    Args:
        network: in any mode; it is not written.
        concepts: of one layer each; at least one.
        images, pasted: (n, 3, H, W) without and with the artifact, as the network takes them; not those that a result
            is reported on. Samples of the target count for the accuracy only.
        labels: (n,) of the images.
        target: the artifact's class.
        batch_size, device: where and in what portions the network runs.

    Raises:
        ValueError: there are no concepts, or no image is of another class than the target.
    """
    if not concepts or not bool((labels != target).any()):
        others = int((labels != target).sum())
        raise ValueError(f"a choice needs concepts and images of other classes, got {len(concepts)} and {others}.")
    before = _accuracy(_logits(network, images, batch_size, device), labels)
    tried = []
    for concept in concepts:
        repaired = corrected(network, {concept.layer: Correction.projective([concept])})
        clean, marked = (_logits(repaired, part, batch_size, device) for part in (images, pasted))
        change = (marked.softmax(1) - clean.softmax(1))[labels != target, target]
        tried.append(Tried(concept, _accuracy(clean, labels), float(change.mean())))
    good = [one for one in tried if before - one.accuracy <= TOLERATED + ROUNDING]
    return min(good, key=lambda one: abs(one.effect)) if good else max(tried, key=lambda one: one.accuracy)


def _logits(network: nn.Module, images: Tensor, batch_size: int, device: torch.device | str) -> Tensor:
    view = frozen_view(network, computing_dtype(network, images)).to(device)
    with torch.no_grad():
        return torch.cat([view(part.to(device)).double().cpu() for part in images.split(batch_size)])


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


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
        return {name: check_layer(network, name, example).numel() for name in names}
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
