"""Samples of a data set with an artifact: to follow relevance inside of it, and to fit a concept vector on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Layered, check_part, covered_by
from unhans.class_names import class_index
from unhans.data import (
    PixelScale,
    carriers_of,
    entries_at,
    once,
    paste_artifact,
    pixel_scale,
    read_batches,
    read_samples,
    rows_of,
)
from unhans.effects import draw_evenly, drawn
from unhans.harness.ground_truth import planted_in
from unhans.harness.network_bench import class_names

Masks = Callable[[NDArray[np.int64]], Any]
Indices = Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ArtifactSamples:
    """n samples that carry the artifact of a class.

    Attributes:
        label: the class.
        index: (n,) in the data set, where a sample of several classes occurs once for each of them.
        own_index: (n,) the same in the data set as it was given.
        inputs: (n, C, H, W) as the network takes them.
        mask: (n, H, W) bool, where the artifact lies.
    """

    label: int
    index: NDArray[np.int64]
    own_index: NDArray[np.int64]
    inputs: Tensor
    mask: NDArray[np.bool_]


def samples_with_artifact(
    dataset: Dataset,
    labels: NDArray[np.int64],
    target: int | str | None = None,
    masks: Masks | None = None,
    artifact: Layered | None = None,
    indices: NDArray[np.int64] | None = None,
    samples: int = 32,
    seed: int = 0,
) -> ArtifactSamples:
    """Read samples that carry an artifact; where none does, it is laid over samples of its class.

    Args:
        dataset: of (image, label, …) items.
        labels: (N,) of the data set.
        target: the artifact's class, by number or name; None for the class of the planted artifact.
        masks: from indices (n,) to where the artifact lies on each sample (n, H, W).
        artifact: laid over the samples in place of masks; None, without masks, is the one that the data set plants.
        indices: the samples of the data set as it was given; by default drawn from those that carry the planted
            artifact, else from the class.
        samples: how many are drawn, at most.
        seed: of the draw.

    Raises:
        ValueError: there are no such samples, or the artifact or its class does not fit them.
    """
    carriers = np.zeros(len(labels), dtype=bool)
    planted = planted_in(dataset) if masks is None and artifact is None else None
    if planted is not None:
        label, artifact, carriers = planted.target, planted, planted.carriers & (labels == planted.target)
    else:
        if target is None or (masks is None and artifact is None):
            raise ValueError("the data set plants no artifact of its own; give artifact= or masks=, and target=.")
        label = class_index(target, class_names(dataset, labels), "target")
    check_part(artifact, "mask relevance")
    if indices is None:
        pool = carriers if carriers.any() else (labels == label) & ~carriers_of(dataset)
        entries = drawn(np.flatnonzero(pool), samples, seed)
    else:
        entries = entries_at(dataset, indices, label)
    inputs, kept = read_samples(dataset, entries)
    own = rows_of(dataset)[kept]
    if not len(kept):
        raise ValueError(f"at least one sample that carries the artifact is needed, got none of class {label}.")
    if artifact is None:
        return ArtifactSamples(label, kept, own, inputs, _checked(np.asarray(masks(own)) > 0, kept, inputs))
    bare = ~carriers[kept]
    if bare.any():
        inputs[bare] = paste_artifact(inputs[bare], artifact, kept[bare], pixel_scale(dataset, seed))
    return ArtifactSamples(label, kept, own, inputs, covered_by(artifact, kept, (inputs.shape[-2], inputs.shape[-1])))


def _checked(mask: NDArray[np.bool_], index: NDArray[np.int64], inputs: Tensor) -> NDArray[np.bool_]:
    expected = (len(index), *inputs.shape[-2:])
    if mask.shape != expected or not mask.any((1, 2)).all():
        raise ValueError(f"masks expects to return masks {expected}, none of them empty, got shape {mask.shape}.")
    return mask


def concept_features(
    dataset: Dataset,
    labels: NDArray[np.int64],
    features: Features,
    *,
    affected: Indices | None = None,
    unaffected: Indices | None = None,
    artifact: Layered | None = None,
    scale: PixelScale | None = None,
    samples: int = 200,
    batch_size: int = 32,
    seed: int = 0,
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Return the activations (n, C, H, W) of samples with and without an artifact, and which of them have it (n,).

    Args:
        dataset: of (image, label, …) items.
        labels: (N,) of the data set.
        features: from images (n, C, H, W) as the network takes them to activations.
        affected: samples with the artifact, as numbers or bool of the data set as it was given.
        unaffected: samples without it; None: the other samples of the affected ones' classes.
        artifact: in place of indices: laid over samples of all classes, each of which then is in both groups.
        scale: between the network's images and [0, 1], to lay the artifact over them.
        samples: of each group, at most.
        batch_size: images at once.
        seed: of the draw.

    Raises:
        ValueError: a group is empty, or an index lies outside the data set.
    """
    if artifact is None:
        groups = _groups(dataset, labels, affected, unaffected)
        with_it, without = (drawn(once(dataset, group), samples, seed) for group in groups)
    else:
        pool = np.flatnonzero((labels >= 0) & ~carriers_of(dataset))
        if not len(pool):
            raise ValueError("a concept needs samples to lay the artifact over, got none without it.")
        with_it = without = draw_evenly(labels, pool, samples, seed)
    found, which = [], []
    for group, carries in ((with_it, True), (without, False)):
        for images, kept, _ in read_batches(dataset, group, batch_size):
            if len(kept):
                pasted = images if artifact is None or not carries else paste_artifact(images, artifact, kept, scale)
                found.append(features(pasted))
                which += [carries] * len(kept)
    if all(which) or not any(which):
        raise ValueError("a concept needs samples with and without the artifact; none of one group can be read.")
    return torch.cat(found), np.array(which, dtype=bool)


def _groups(
    dataset: Dataset, labels: NDArray[np.int64], affected: Indices | None, unaffected: Indices | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The samples with and without the artifact, with all their entries."""
    count = int(rows_of(dataset).max(initial=-1)) + 1
    having = entries_at(dataset, _numbers("affected", affected, count))
    if unaffected is not None:
        return having, entries_at(dataset, _numbers("unaffected", unaffected, count))
    others = np.setdiff1d(np.flatnonzero(np.isin(labels, labels[having]) & (labels >= 0)), having)
    if not len(others):
        raise ValueError("unaffected expects at least one sample without the artifact, got none.")
    return having, others


def _numbers(name: str, given: Indices | None, n: int) -> NDArray[np.int64]:
    """Indices from numbers or from (n,) bool."""
    array = np.asarray([] if given is None else given)
    if array.dtype == bool:
        if array.shape != (n,):
            raise ValueError(f"{name} expects ({n},) bool for the data set's {n} samples, got shape {array.shape}.")
        array = np.flatnonzero(array)
    if not array.size:
        raise ValueError(f"{name} expects at least one sample, got none.")
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= n:
        raise ValueError(f"{name} expects indices 0 … {n - 1} of the data set, got others.")
    return array.astype(np.int64)
