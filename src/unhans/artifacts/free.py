"""Isolation of an artifact at changing places: an object, or a coloured patch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.colored import isolate_colored
from unhans.artifacts.isolated import Isolated, NothingIsolatedError
from unhans.artifacts.rigid import isolate_rigid

_FEWEST = 3  # members, and images of the rest


WAYS = {"rigid": isolate_rigid, "coloured": isolate_colored}


def isolate_by(
    way: str, images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0
) -> Isolated:
    """Find what a cluster's images share at changing places, in one of the WAYS.

    images (n, 3, H, W) in [0, 1], heatmaps (n, H, W), members (n,) of the cluster. Raises NothingIsolatedError where
    there is nothing, and for too few images or heatmaps without positive relevance.
    """
    _check(images, heatmaps, members)
    return WAYS[way](images, heatmaps, members, seed)


def isolate_free(images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0) -> Isolated:
    """Find what a cluster's images share at changing places in the first of the WAYS that finds something."""
    reasons = []
    for way in WAYS:
        try:
            return isolate_by(way, images, heatmaps, members, seed)
        except NothingIsolatedError as error:
            reasons.append(str(error))
    raise NothingIsolatedError("; ".join(dict.fromkeys(reasons)))


def _check(images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_]) -> None:
    if min(members.sum(), (~members).sum()) < _FEWEST:
        raise NothingIsolatedError(
            f"an artifact at changing places needs at least {_FEWEST} images in the cluster and as many outside, "
            f"got {members.sum()} and {(~members).sum()}"
        )
    if not (np.isfinite(heatmaps).all() and bool(images.isfinite().all())):
        raise NothingIsolatedError("images and heatmaps must be finite, got values that are not")
    dark = int((heatmaps[members].max((1, 2)) <= 0).sum())
    if dark == members.sum():
        raise NothingIsolatedError("no positive relevance: the heatmaps of the cluster are zero or negative everywhere")
