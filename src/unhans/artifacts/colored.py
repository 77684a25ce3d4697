"""Isolation of things that share their colours but no shape: patches, labels, marks of a pen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.color_cluster import ColorCluster
from unhans.artifacts.color_detector import ColorDetector
from unhans.artifacts.isolated import Isolated, NothingIsolatedError, boxes
from unhans.artifacts.prototypes import prototypes
from unhans.artifacts.separation import LEAST_AREA, Separation, held_out_separation

_AGREED = 0.5  # overlap of two masks of a thing, by relevance and by colour, that makes it a prototype's candidate
_WHOLE = 0.5  # of the image: what covers more is no patch


def isolate_colored(
    images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0
) -> Isolated:
    """Find the things at which relevance points in a cluster's images, if their colours tell the cluster from the rest.

    images (n, 3, H, W) in [0, 1], heatmaps (n, H, W), members (n,) of the cluster. Raises NothingIsolatedError where
    colours learnt from one half of the members do not separate the other half from the rest.
    """
    cluster = ColorCluster(images, heatmaps, members, seed)
    separation = held_out_separation(cluster.score_images, cluster.learners, np.flatnonzero(~members), seed)
    if separation.convincing:
        return _with_detector(cluster, separation)
    agreement = held_out_separation(cluster.score_masks, cluster.learners, cluster.rest, seed)
    if agreement.convincing:
        return _without_detector(cluster, separation, agreement)
    raise NothingIsolatedError(
        "what relevance points at in the cluster has no colours of its own: those of one half of the members separate "
        "the other half's images from the rest with an area under the ROC curve of "
        f"{separation.area:.2f}, the places of most relevance with {agreement.area:.2f}, where {LEAST_AREA} is needed"
    )


def _with_detector(cluster: ColorCluster, separation: Separation) -> Isolated:
    detector = cluster.detector(cluster.learners, separation.threshold)
    match = detector.match(cluster.images)
    agreed = [i for i in cluster.learners.tolist() if _overlap(match.masks[i], cluster.masks[i]) > _AGREED]
    _check_size(match.masks[match.carries & cluster.members])
    layers = _layers(cluster, agreed)
    found, others = match.carries[cluster.members].sum(), match.carries[~cluster.members].sum()
    sentence = (
        f"{_things(layers)}: found by colour in {found} of {cluster.members.sum()} images of the cluster and {others} "
        f"of {(~cluster.members).sum()} others; held-out area under the ROC curve {separation.area:.2f}"
    )
    return _isolated(layers, match.carries, match.masks, detector, separation.area, sentence, cluster.seed)


def _without_detector(cluster: ColorCluster, separation: Separation, agreement: Separation) -> Isolated:
    masks = np.zeros((len(cluster.images), *cluster.images.shape[-2:]), dtype=bool)
    for index, mask in cluster.grabbed(np.flatnonzero(cluster.members)).items():
        masks[index] = mask
    _check_size(masks[cluster.members])
    layers = _layers(cluster, [i for i in cluster.learners.tolist() if masks[i].any()])
    sentence = (
        f"{_things(layers)}: what relevance points at looks alike in the {cluster.members.sum()} images of the cluster "
        f"(held-out area under the ROC curve {agreement.area:.2f}), but other images show such colours too "
        f"({separation.area:.2f}), so it cannot be looked for in images without heatmaps"
    )
    return _isolated(layers, cluster.members.copy(), masks, None, separation.area, sentence, cluster.seed)


def _isolated(
    layers: tuple[Tensor, ...],
    members: NDArray[np.bool_],
    masks: NDArray[np.bool_],
    detector: ColorDetector | None,
    area: float,
    sentence: str,
    seed: int,
) -> Isolated:
    return Isolated("free", layers, members, masks, detector, area, boxes(masks), sentence, seed)


def _layers(cluster: ColorCluster, indices: list[int]) -> tuple[Tensor, ...]:
    if not indices:
        raise NothingIsolatedError("what relevance points at could not be cut out of any of the cluster's images")
    return prototypes(
        cluster.images[indices],
        np.stack([cluster.lab[i] for i in indices]),
        np.stack([cluster.masks[i] for i in indices]),
    )


def _things(layers: tuple[Tensor, ...]) -> str:
    count = "one colour" if len(layers) == 1 else f"{len(layers)} colours"
    return f"things of {count} and of changing shape at changing places"


def _check_size(masks: NDArray[np.bool_]) -> None:
    covered = float(np.median(masks.mean((1, 2)))) if len(masks) else 0.0
    if covered > _WHOLE:
        raise NothingIsolatedError(
            "the cluster's colours are not those of a part of the images: what has them covers "
            f"{covered:.0%} of an image, and at most {_WHOLE:.0%} is a patch"
        )


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))
