"""Which of several concepts takes an artifact's effect away at the least cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unhans.attribution.isolation import frozen_view
from unhans.clarc.concept import Concept
from unhans.clarc.corrected import corrected
from unhans.clarc.correction import Correction
from unhans.lrp.view import computing_dtype

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

    Raises ValueError without concepts and where no image is of another class than the target.
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
