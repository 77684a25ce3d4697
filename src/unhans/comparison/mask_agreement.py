"""Do two models' masks of the same images show the same part?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rounded(masks: ArrayLike) -> NDArray[np.bool_]:
    """Return masks in [0, 1] cut at one half."""
    return np.asarray(masks) > 0.5


def mask_overlap(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return |m₁ ∩ m₂| divided by the mean size of both rounded masks (n, H, W), for every image (n,).

    It is NaN where both are empty.
    """
    one, two = rounded(first), rounded(second)
    sizes = (one.sum((1, 2)) + two.sum((1, 2))) / 2
    with np.errstate(invalid="ignore"):
        return (one & two).sum((1, 2)) / sizes


def share_inside(masks: ArrayLike, regions: ArrayLike) -> NDArray[np.float64]:
    """Return the share of rounded masks (n, H, W) that lies inside regions (n, H, W); NaN where a mask is empty."""
    cut = rounded(masks)
    with np.errstate(invalid="ignore"):
        return (cut & np.asarray(regions, bool)).sum((1, 2)) / cut.sum((1, 2))


def chance_overlap(masks: ArrayLike, draws: int = 200, seed: int = 0) -> NDArray[np.float64]:
    """Return overlaps of each mask with connected masks of its size at random places, (n, draws).

    A random mask is another image's mask of the same set, moved to a random place (it goes on at the opposite border),
    so that it is as connected and as smooth as masks of these models are.

    Raises:
        ValueError: no masks.
    """
    cut = rounded(masks)
    if not len(cut):
        raise ValueError("chance overlaps need at least one mask, got none")
    rng, (height, width) = np.random.default_rng(seed), cut.shape[1:]
    found = np.empty((len(cut), draws))
    for draw in range(draws):
        others = cut[rng.integers(len(cut), size=len(cut))]
        moved = np.stack([np.roll(each, (rng.integers(height), rng.integers(width)), (0, 1)) for each in others])
        found[:, draw] = mask_overlap(cut, moved)
    return found
