"""From a cluster of images to the artifact that they share, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.isolation.fixed import GAP, isolate_fixed
from unhans.isolation.free import isolate_colored, isolate_rigid
from unhans.isolation.isolated import Failure, Isolated, NothingIsolatedError
from unhans.isolation.whole import Statistics, isolate_whole

_FEWEST = 3  # members, and images of the rest, for what lies at changing places
FREE = (isolate_rigid, isolate_colored)

SearchKind = Literal["auto", "fixed", "free", "global"]
Way = Callable[[], tuple[Isolated, ...]]


def isolate(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    *,
    kind: SearchKind = "auto",
    mask: NDArray[np.bool_] | None = None,
    seed: int = 0,
    numbers: Statistics | None = None,
    gap: float = GAP,
) -> Iterator[Isolated]:
    """Isolate, one after the other, what the images of a cluster may share and the rest of their class lacks.

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
    region = None if mask is None else np.asarray(mask, dtype=bool)
    members = _check(images, heatmaps, members, kind, region)
    ways: dict[str, list[Way]] = {
        "fixed": [lambda: (isolate_fixed(images, heatmaps, members, seed, region, gap),)],
        "free": [partial(_free, way, images, heatmaps, members, seed) for way in FREE],
        "global": [lambda: isolate_whole(images, members, seed, numbers)],
    }
    kinds = ["fixed"] if mask is not None else list(ways) if kind == "auto" else [kind]
    failures, some = [], False
    for way in chain(*(ways[each] for each in kinds)):
        try:
            found = way()
        except NothingIsolatedError as error:
            failures += error.failures
            continue
        some = True
        yield from found
    if not some:
        raise NothingIsolatedError(*failures)


def _free(
    way: Callable[..., Isolated], images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int
) -> tuple[Isolated, ...]:
    """What a cluster's images share at changing places, found in one way."""
    if min(members.sum(), (~members).sum()) < _FEWEST:
        raise NothingIsolatedError(_too_few(members, _FEWEST))
    if not (heatmaps[members] > 0).any():
        raise NothingIsolatedError(Failure("no positive relevance"))
    return (way(images, heatmaps, members, seed),)


def _check(
    images: Tensor,
    heatmaps: NDArray[np.floating],
    members: NDArray[np.bool_],
    kind: str,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    if images.ndim != 4 or images.shape[1] != 3 or min(images.shape[-2:]) < 2:
        raise ValueError(f"images must be (n, 3, H, W) of at least 2 × 2 pixels, got shape {tuple(images.shape)}")
    low, high = torch.aminmax(images)
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(f"images must lie in [0, 1], got values from {low:.3g} to {high:.3g}")
    expected = len(images), *images.shape[-2:]
    if heatmaps.shape != expected:
        raise ValueError(f"heatmaps must be (n, H, W) like the images: expected {expected}, got {heatmaps.shape}")
    if bad := sum(not np.isfinite(heatmap).all() for heatmap in heatmaps):
        raise ValueError(f"heatmaps must be finite, got {bad} of {len(heatmaps)} with NaN or infinite relevance")
    if kind not in get_args(SearchKind):
        raise ValueError(f"kind must be one of {', '.join(get_args(SearchKind))}, got {kind!r}")
    if mask is not None and kind not in ("auto", "fixed"):
        raise ValueError(f"a mask tells where a fixed artifact lies, got kind {kind!r}; leave one of them out")
    if mask is not None and (mask.shape != expected[1:] or not mask.any()):
        raise ValueError(
            f"the mask must be {expected[1:]} like the images and hold a pixel, got {mask.shape}, {mask.sum()} set"
        )
    return _check_members(np.asarray(members), len(images))


def _check_members(members: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    if members.dtype != bool or members.shape != (n,):
        raise ValueError(
            f"members must be ({n},) bool, one for each image, got {members.dtype} of shape {members.shape}"
        )
    if min(members.sum(), (~members).sum()) < 2:
        raise NothingIsolatedError(_too_few(members, 2))
    return members


def _too_few(members: NDArray[np.bool_], least: int) -> Failure:
    counts = {"members": int(members.sum()), "others": int((~members).sum())}
    return Failure("too few images", {"least": least, **counts})
