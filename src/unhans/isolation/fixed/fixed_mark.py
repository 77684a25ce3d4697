"""Artifacts that lie at the same place in every image: a watermark, a border, rounded corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom
from torch import Tensor

from unhans.isolation.fixed.discriminant import Discriminant, grown
from unhans.isolation.fixed.mark_parts import estimate_mark
from unhans.isolation.fixed.membership import GAP, Membership, refine_by_colour, refine_membership
from unhans.isolation.isolated import Failure, Isolated, Match, NothingIsolatedError, boxes
from unhans.isolation.validation import area_under_roc
from unhans.spray.groups import MARK, ColourFilter, jaccard

_ALIKE = 0.8  # overlap with the cluster from which its edges have found the mark, and colours are not looked at
_CHANCE = 0.01  # probability that permuted memberships share as much with the images found


@dataclass(frozen=True)
class FixedDetector:
    """Finds a mark at its place by a matched filter.

    Attributes:
        filter: on image gradients, or on colours.
        threshold: of its scores.
        mask: (H, W), where the mark lies.
    """

    filter: Discriminant | ColourFilter
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
    gap: float = GAP,
) -> Isolated:
    """Isolate what a cluster's images share at a fixed place and the rest of their class does not.

    Args:
        images: (n, 3, H, W) in [0, 1].
        heatmaps: (n, H, W), relevance of the class.
        members, seed: (n,) of the cluster, and the seed of what is drawn.
        mask: (H, W), where the user says it lies.
        gap: robust standard deviations by which scores must separate those who share it from the others.

    Raises:
        NothingIsolatedError: nothing is shared, or no part of it is relevant.
    """
    region = None if mask is None else torch.from_numpy(grown(mask, 1))
    found = refine_membership(images, members, seed, region)
    if region is None and jaccard(found.members, members) < _ALIKE:
        found = _better(found, refine_by_colour(images, members, seed), members)
    _check_agreement(found, members, gap)
    layer, place, evidence = estimate_mark(images, heatmaps, found, mask)
    detector = FixedDetector(found.discriminant, found.split.threshold, place)
    separation = area_under_roc(found.scores[members], found.scores[~members])
    masks = found.members[:, None, None] & place
    return Isolated("fixed", (layer,), found.members, masks, detector, separation, boxes(masks), evidence, seed)


def _better(by_edges: Membership, by_colour: Membership | None, cluster: NDArray[np.bool_]) -> Membership:
    """Whichever finds the cluster's images again; colours that separate them less than a mark's do are a scene's."""
    if by_colour is None or by_colour.split.gap < MARK:
        return by_edges
    if by_edges.split.gap < GAP or jaccard(by_colour.members, cluster) > jaccard(by_edges.members, cluster):
        return by_colour
    return by_edges


def _check_agreement(found: Membership, cluster: NDArray[np.bool_], gap: float) -> None:
    shared = int((found.members & cluster).sum())
    probability = hypergeom.sf(shared - 1, len(cluster), int(cluster.sum()), int(found.members.sum()))
    if found.split.gap < gap or 2 * shared <= cluster.sum() or probability > _CHANCE:
        values = {"members": int(cluster.sum()), "gap": found.split.gap, "least": gap}
        values |= {"found": shared, "p_value": float(probability)}
        raise NothingIsolatedError(Failure("nothing at a fixed place", values))
