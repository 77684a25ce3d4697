"""Artifacts that lie at the same place in every image: a watermark, a border, rounded corners."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom
from torch import Tensor

from unhans.artifacts.agreement import auc
from unhans.artifacts.discriminant import Discriminant
from unhans.artifacts.extent import contrast, extent, grown
from unhans.artifacts.isolated import Isolated, Match, NothingIsolatedError, boxes
from unhans.artifacts.layer_estimate import estimate_layer, statistics
from unhans.artifacts.membership import GAP, Membership, settle
from unhans.artifacts.relevant import Part, parts_of
from unhans.artifacts.wording import describe

_CHANCE = 0.01  # probability that permuted memberships share as much with the images found
_NEAR = 3  # pixels round the strong contrast in which a faint rim of the mark can lie
_VISIBLE = 0.05  # median alpha where the means differ, below which the images do not agree there
_DISAGREE = (
    "no agreement at a fixed place: where the mean images differ there is no connected part in which the cluster's "
    "images agree more than the others"
)
_HALF = 0.5  # of the layer's alpha: where the mark is


@dataclass(frozen=True)
class FixedDetector:
    """Finds a mark at its place by a matched filter.

    filter: discriminant on image gradients; threshold: of its scores; mask: (H, W) bool, where the mark lies.
    """

    filter: Discriminant
    threshold: float
    mask: NDArray[np.bool_]

    def match(self, images: Tensor) -> Match:
        """Look for the mark in images (n, 3, H, W) in [0, 1]; ValueError for images of another size."""
        if tuple(images.shape[-2:]) != self.mask.shape:
            size = tuple(images.shape[-2:])
            raise ValueError(
                f"a fixed artifact is found in images of its own size: {self.mask.shape} pixels, got {size}"
            )
        scores = self.filter.scores(images).double().numpy()
        carries = scores > self.threshold
        return Match(carries, scores, carries[:, None, None] & self.mask)


def isolate_fixed(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    seed: int = 0,
    mask: NDArray[np.bool_] | None = None,
) -> Isolated:
    """Isolate what a cluster's images share at a fixed place and the rest of their class does not.

    images: (n, 3, H, W) in [0, 1]; heatmaps: (n, H, W), relevance of the class; members: (n,) bool; mask: (H, W) bool,
    where the user says it lies. Raises NothingIsolatedError where nothing is shared, or no part of it is relevant.
    """
    region = None if mask is None else torch.from_numpy(grown(mask, 1))
    found = settle(images, members, seed, region)
    _check_agreement(found, members)
    layer = _layer(images, found, mask)
    kept, left = _relevant(layer, heatmaps, found.members, mask)
    layer, place = _restricted(layer, kept)
    detector = FixedDetector(found.discriminant, found.split.threshold, place)
    separation = auc(found.scores, members)
    masks = found.members[:, None, None] & place
    sentence = describe(layer, place, found.members, separation, left)
    return Isolated("fixed", (layer,), found.members, masks, detector, separation, boxes(masks), sentence, seed)


def _check_agreement(found: Membership, cluster: NDArray[np.bool_]) -> None:
    shared = int((found.members & cluster).sum())
    probability = hypergeom.sf(shared - 1, len(cluster), int(cluster.sum()), int(found.members.sum()))
    if found.split.gap < GAP or 2 * shared <= cluster.sum() or probability > _CHANCE:
        raise NothingIsolatedError(
            f"no agreement at a fixed place: what the {cluster.sum()} images of the cluster share there separates no "
            f"group with most of them from the others of their class (gap of {found.split.gap:.1f} standard "
            f"deviations, expected at least {GAP:g}; {shared} of {cluster.sum()} found again, p = {probability:.2g})"
        )


def _layer(images: Tensor, found: Membership, mask: NDArray[np.bool_] | None) -> Tensor:
    change = contrast(found.carriers, found.rest)
    core = extent(change) if mask is None else mask
    near = grown(core, _NEAR) if mask is None else mask
    carriers, rest = (statistics(images, group) for group in (found.members, ~found.members))
    layer = estimate_layer(carriers, rest, change, near)
    if not core.any() or np.median(layer[3].numpy()[core]) < _VISIBLE:
        raise NothingIsolatedError(_DISAGREE)
    return layer


def _relevant(
    layer: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], mask: NDArray[np.bool_] | None
) -> tuple[list[Part], list[Part]]:
    alpha = layer[3].numpy()
    strong = alpha > _HALF * _strength(alpha)
    relevance = np.maximum(heatmaps[members], 0).mean(0)
    parts = parts_of(strong, relevance)
    relevant = [part.density > 1 or mask is not None for part in parts]
    if not any(relevant):
        raise NothingIsolatedError(_nothing_relevant(parts))
    return list(compress(parts, relevant)), [part for part, yes in zip(parts, relevant, strict=True) if not yes]


def _nothing_relevant(parts: list[Part]) -> str:
    if not parts:
        return _DISAGREE
    best = max(part.density for part in parts)
    return (
        f"no agreement at a fixed place that matters: the images share {len(parts)} part(s), but relevance there is at "
        f"most {best:.2f} of the map's mean"
    )


def _strength(alpha: NDArray[np.floating]) -> float:
    visible = alpha[alpha > 0.1]
    return float(np.quantile(visible, 0.9)) if visible.size else 1.0


def _restricted(layer: Tensor, kept: list[Part]) -> tuple[Tensor, NDArray[np.bool_]]:
    place = np.any([part.mask for part in kept], axis=0)
    rim = torch.from_numpy(grown(place, _NEAR))
    return layer * rim, place
