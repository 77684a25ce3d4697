"""From a cluster of images to the artifact that they share, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.isolation.colour import isolate_colored
from unhans.isolation.fixed import GAP, isolate_fixed
from unhans.isolation.isolated import Isolated, NothingIsolatedError
from unhans.isolation.rigid import isolate_rigid
from unhans.isolation.whole import Statistics, isolate_whole

_FEWEST = 3  # members, and images of the rest


FREE = {"rigid": isolate_rigid, "coloured": isolate_colored}


def isolate_by(
    way: str, images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0
) -> Isolated:
    """Find what a cluster's images share at changing places, in one of the WAYS.

    images (n, 3, H, W) in [0, 1], heatmaps (n, H, W), members (n,) of the cluster. Raises NothingIsolatedError where
    there is nothing, and for too few images or heatmaps without positive relevance.
    """
    _check_free(images, heatmaps, members)
    return FREE[way](images, heatmaps, members, seed)


def isolate_free(images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0) -> Isolated:
    """Find what a cluster's images share at changing places in the first of the WAYS that finds something."""
    reasons = []
    for way in FREE:
        try:
            return isolate_by(way, images, heatmaps, members, seed)
        except NothingIsolatedError as error:
            reasons.append(str(error))
    raise NothingIsolatedError("; ".join(dict.fromkeys(reasons)))


def _check_free(images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_]) -> None:
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


Sought = Literal["auto", "fixed", "free", "global"]
Way = Callable[[], tuple[Isolated, ...]]


def isolate(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    *,
    kind: Sought = "auto",
    mask: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> Isolated:
    """Isolate the artifact that the images of a cluster share and the rest of their class lacks: the first there is.

    The arguments and what is raised are those of `isolate_all`.
    """
    ways = _ways(images, heatmaps, members, kind, mask, seed)
    return next(iter(_found(ways)))


def isolate_all(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    *,
    kind: Sought = "auto",
    mask: NDArray[np.bool_] | None = None,
    seed: int = 0,
    numbers: Statistics | None = None,
    gap: float = GAP,
) -> tuple[Isolated, ...]:
    """Isolate everything that the images of a cluster may share and the rest of their class lacks.

    A fixed artifact comes first, then one at changing places, then what may have been done to whole images, of these
    first what explains most of the difference. Several can be found for one artifact: which it is, its effect tells.

    Args:
        images: (n, 3, H, W) in [0, 1], all of one class.
        heatmaps: (n, H, W), relevance with respect to it, of any positive scale.
        members: (n,) bool, the cluster.
        kind: "auto" looks for all kinds, the others for one.
        mask: (H, W) bool, given by the user: a fixed artifact is estimated inside it, and nothing else looked for.
        seed: of everything that is drawn.
        numbers: of the images, where several clusters of the same images are looked at.
        gap: robust standard deviations by which a fixed artifact must separate its carriers from the others.

    Raises:
        ValueError: arguments that do not fit.
        NothingIsolatedError: nothing is found; the message holds the reason of each kind.
    """
    return tuple(_found(_ways(images, heatmaps, members, kind, mask, seed, numbers, gap)))


def _ways(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    kind: Sought,
    mask: NDArray[np.bool_] | None,
    seed: int,
    numbers: Statistics | None = None,
    gap: float = GAP,
) -> list[Way]:
    """What is tried, in this order."""
    members = _check(images, heatmaps, members, kind, mask)
    region = None if mask is None else np.asarray(mask, dtype=bool)
    ways: dict[str, list[Way]] = {
        "fixed": [lambda: (isolate_fixed(images, heatmaps, members, seed, region, gap),)],
        "free": [partial(_free, way, images, heatmaps, members, seed) for way in FREE],
        "global": [lambda: isolate_whole(images, members, seed, numbers)],
    }
    if mask is not None:
        return ways["fixed"]
    return [*chain(*ways.values())] if kind == "auto" else ways[kind]


def _free(way: str, *arguments: Any) -> tuple[Isolated, ...]:
    return (isolate_by(way, *arguments),)


def _found(ways: Iterable[Way]) -> Iterator[Isolated]:
    reasons, some = [], False
    for way in ways:
        try:
            found = way()
        except NothingIsolatedError as error:
            reasons.append(str(error))
            continue
        some = True
        yield from found
    if not some:
        raise NothingIsolatedError("; ".join(dict.fromkeys(reasons)))


def _check(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    kind: str,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    _check_images(images)
    _check_heatmaps(heatmaps, images)
    if kind not in get_args(Sought):
        raise ValueError(f"kind must be one of {', '.join(get_args(Sought))}, got {kind!r}")
    if mask is not None:
        _check_mask(np.asarray(mask), tuple(images.shape[-2:]), kind)
    return _check_members(np.asarray(members), len(images))


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[-2:]) < 2:
        raise ValueError(f"images must be (n, 3, H, W) of at least 2 × 2 pixels, got shape {tuple(images.shape)}")
    low, high = torch.aminmax(images)
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(f"images must lie in [0, 1], got values from {low:.3g} to {high:.3g}")


def _check_heatmaps(heatmaps: NDArray[np.floating], images: Tensor) -> None:
    expected = len(images), *images.shape[-2:]
    if heatmaps.shape != expected:
        raise ValueError(f"heatmaps must be (n, H, W) like the images: expected {expected}, got {heatmaps.shape}")
    if bad := sum(not np.isfinite(heatmap).all() for heatmap in heatmaps):
        raise ValueError(f"heatmaps must be finite, got {bad} of {len(heatmaps)} with NaN or infinite relevance")


def _check_mask(mask: NDArray[np.bool_], size: tuple[int, ...], kind: str) -> None:
    if kind not in ("auto", "fixed"):
        raise ValueError(f"a mask tells where a fixed artifact lies, got kind {kind!r}; leave one of them out")
    if mask.shape != size or not mask.any():
        raise ValueError(
            f"the mask must be {size} like the images and hold a pixel, got {mask.shape}, {mask.sum()} set"
        )


def _check_members(members: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    if members.dtype != bool or members.shape != (n,):
        raise ValueError(
            f"members must be ({n},) bool, one for each image, got {members.dtype} of shape {members.shape}"
        )
    count = int(members.sum())
    if count < 2:
        raise NothingIsolatedError(f"an artifact is what images share: expected a cluster of 2 or more, got {count}")
    if n - count < 2:
        raise NothingIsolatedError(
            f"an artifact is what a cluster has and the rest of its class lacks: expected 2 or more others, got a "
            f"cluster of {count} of {n} images"
        )
    return members
