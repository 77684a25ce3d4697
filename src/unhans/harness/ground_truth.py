"""The artifact that our own data sets plant, and an isolated one beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Subset

from unhans.artifacts import Artifact, Layered, covered, is_whole
from unhans.data import ImageDataset, TrainValUnion, own_index_of
from unhans.effects import Bench, Case, Effect, Known, flip_effect, measure
from unhans.effects.interventions import pasted
from unhans.isolation import Isolated


@dataclass(frozen=True)
class Planted:
    """The artifact that our own data set plants, by the indices of the data set that it was asked of.

    Attributes:
        artifact: with a layer on every sample.
        dataset: that plants it.
        indices: (n,) of the samples in that data set.
        target: its class.
        carriers: (n,) bool, the samples that carry it.
    """

    artifact: Artifact
    dataset: ImageDataset | TrainValUnion
    indices: NDArray[np.int64]
    target: int
    carriers: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """What kind of artifact it is, such as "watermark"."""
        return type(self.artifact).__name__.lower()

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        own = own_index_of(self.dataset)
        return self.artifact.layer(int(own[self.indices[index]]), size)

    def truth(self, index: int) -> Tensor:
        """Return the image as it was without the artifact: (3, H, W) in [0, 1]."""
        return self.dataset.clean(int(self.indices[index]))


def planted_in(dataset: Dataset) -> Planted | None:
    """Return the artifact that a data set of ours plants, or None; a `Subset` of it counts its own indices."""
    indices = np.arange(len(dataset))  # type: ignore[arg-type]
    while isinstance(dataset, Subset):
        indices = np.asarray(dataset.indices, dtype=np.int64)[indices]
        dataset = dataset.dataset
    artifact = getattr(dataset, "artifact", None)
    if not isinstance(dataset, ImageDataset | TrainValUnion) or artifact is None:
        return None
    return Planted(artifact, dataset, indices, artifact.target_index(dataset.classes), dataset.carriers[indices])


def compare_with_planted(bench: Bench, case: Case, planted: Planted, index: NDArray[np.int64]) -> Known | None:
    """Compare a case with the artifact that was planted in its class.

    Args:
        bench: the network and the data set.
        case: with what was isolated.
        planted: the true artifact.
        index: (n,) of the samples that it was isolated from.

    Returns:
        None where nothing was isolated, or another class carries the planted artifact.
    """
    found = case.isolated
    if found is None or case.label != planted.target:
        return None
    carriers = planted.carriers[index]
    right = carriers & found.members
    iou = None if is_whole(found) else overlap(found, planted, index, np.flatnonzero(right))
    counts = int(carriers.sum()), int(found.members.sum()), int(right.sum())
    if case.proof is None:
        return Known(iou, *counts)
    added = case.proof.added[0]
    effect = measure_pasted(bench, planted, case.label, added.indices)
    low, high = effect.probability_interval
    return Known(iou, *counts, effect, low <= added.effect.probability <= high)


def overlap(found: Isolated, planted: Layered, index: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Return the mean IoU of both artifacts' pixels over some rows of the class; NaN without any."""
    ious = []
    for row in rows:
        ours = covered(found.layers[0][3].numpy()) if found.kind == "fixed" else found.masks[row]
        truth = covered(planted.layer(int(index[row]), ours.shape)[3].numpy())
        ious.append((ours & truth).sum() / max(1, (ours | truth).sum()))
    return float(np.mean(ious)) if ious else float("nan")


def measure_pasted(bench: Bench, artifact: Layered, label: int, indices: NDArray[np.int64]) -> Effect:
    """Return what an artifact does to samples of other classes; raises ValueError where none can be read."""
    found = measure(bench, indices, {"artifact": pasted(artifact)}, lambda images: None)
    return flip_effect(found.before, found.after["artifact"], label, bench.seed)
