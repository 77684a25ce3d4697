"""How striking sets of samples are, for many sets at once, given as a membership matrix (m, n).

Each measure is about 0 for a random subset of the class, and 1 for the most striking cluster there can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.spray.pooling import mean_pool, row_blocks, slices

ROUNDING = 1e-9  # of the mean square: a variance below it is that of equal pixels

Members = NDArray[np.bool_]
Measure = NDArray[np.float64]
Rows = NDArray[np.float64]


def compactness(maps: NDArray[np.floating], members: Members) -> Measure:
    """Return how alike the heatmaps (n, ...) of each set are: (c − c₀) / (1 − c₀), at least 0.

    c is the mean cosine over all pairs of different members, c₀ that over all pairs of a member and another sample of
    the class. 1 where the members' maps differ by positive factors only, and others are unlike them; a map of zeros has
    the cosine 0 with every map.
    """
    return _beyond_chance(maps, members, lambda block: _divided(block, np.sqrt(np.square(block).sum(axis=1))))


def relevance_consistency(maps: NDArray[np.floating], members: Members) -> Measure:
    """Return how far relevance lies in the same places in all members: (b − b₀) / (1 − b₀), at least 0.

    b is the mean over the same pairs as for `compactness` of Bhattacharyya's coefficient Σ √(pᵢ pⱼ) of the shares
    p = |R| / Σ|R|. Unlike the cosine it has no sign and is not ruled by the few strongest pixels.
    """
    return _beyond_chance(maps, members, lambda block: np.sqrt(_share(np.abs(block))))


def image_consistency(maps: NDArray[np.floating], members: Members, images: ArrayLike | Any) -> Measure:
    """Return how far the members' images are the same where their relevance is: 1 − v / v₀, at least 0.

    v is the variance of each pixel over the members, summed over channels and averaged with the set's mean positive
    relevance as weight; v₀ is, with the same weight, the mean squared difference of the rest of the class from the
    members' mean. 1 for identical pixels; 0 where there is no positive relevance, or the rest has the same pixels.

    Args:
        maps: (n, rows, columns).
        members: (m, n) of m sets.
        images: (n, C, h, w), averaged onto the grid of the maps.

    Raises:
        ValueError: the shapes are others.
    """
    shape = tuple(np.shape(images))
    if maps.ndim != 3 or len(shape) != 4 or shape[0] != len(maps):
        raise ValueError(
            f"images must have shape (n, C, h, w) and heatmaps (n, rows, columns), as many of each, "
            f"got shapes {shape} and {maps.shape}"
        )
    weight = _sums(maps, members, lambda block: _share(np.maximum(block, 0)))
    inside, outside = ((weight * pixels).sum(axis=1) for pixels in _differences(images, members, maps.shape[1:]))
    return np.clip(1 - np.divide(inside, outside, out=np.ones(len(members)), where=outside > 0), 0, 1)


def dispersion(maps: NDArray[np.floating], members: Members) -> Measure:
    """Return how unlike the members (m, n) of m sets are: mean squared distance to their mean over |mean|².

    Zero for maps that are equal but not zero, infinite where they cancel out or are zero. It does not depend on the
    scale of the maps (n, ...).
    """
    size = members.sum(axis=1)
    mean = _sums(maps, members, lambda block: block) / size[:, None]
    squared = _sums(maps, members, lambda block: np.square(block).sum(axis=1, keepdims=True))[:, 0] / size
    strength = np.square(mean).sum(axis=1)
    spread = np.maximum(squared - strength, 0)
    return np.divide(spread, strength, out=np.full(len(members), np.inf), where=strength > 0)


def _beyond_chance(maps: NDArray[np.floating], members: Members, unit: Callable[[Rows], Rows]) -> Measure:
    """(s − s₀) / (1 − s₀) ≥ 0: s the mean product of the unit vectors of two members, s₀ of a member and another."""
    total = _sums(maps, _with_class(members), unit)
    own = _sums(maps, members, lambda block: np.square(unit(block)).sum(axis=1, keepdims=True))[:, 0]
    size, n, total, whole = members.sum(axis=1), members.shape[1], total[:-1], total[-1]
    within = (np.square(total).sum(axis=1) - own) / np.maximum(size * (size - 1), 1)
    across = (total * (whole - total)).sum(axis=1) / np.maximum(size * (n - size), 1)
    return np.clip((within - across) / np.maximum(1 - across, ROUNDING), 0, 1)


def _sums(maps: NDArray[np.floating], members: Members, change: Callable[[Rows], Rows]) -> Rows:
    """The sum (m, d) over each set's members of what `change` makes of their maps."""
    return sum(members[:, part].astype(np.float64) @ change(block) for part, block in row_blocks(maps))


def _share(block: Rows) -> Rows:
    return _divided(block, block.sum(axis=1))


def _divided(block: Rows, size: NDArray[np.float64]) -> Rows:
    return block / np.where(size > 0, size, 1)[:, None]


def _differences(images: ArrayLike | Any, members: Members, grid: tuple[int, ...]) -> tuple[Rows, Rows]:
    """Mean squared difference (m, cells) of each set's images, and of the others, from the set's mean, over channels.

    From sums of pixels and of their squares; what is left of equal pixels is rounding, and set to zero.
    """
    total, squared = _moments(images, _with_class(members), (grid[0], grid[1]))
    size, n = members.sum(axis=1)[:, None], members.shape[1]
    mean, whole, whole_squared = total[:-1] / size, total[-1], squared[-1]
    inside = squared[:-1] / size - np.square(mean)
    other, other_squared = (
        (all_ - sum_) / (n - size) for all_, sum_ in ((whole, total[:-1]), (whole_squared, squared[:-1]))
    )
    outside = other_squared - 2 * mean * other + np.square(mean)
    least = ROUNDING * whole_squared / n
    shape = (len(members), np.shape(images)[1], -1)
    return tuple(np.where(found > least, found, 0).reshape(shape).sum(axis=1) for found in (inside, outside))


def _moments(images: ArrayLike | Any, members: Members, grid: tuple[int, int]) -> tuple[Rows, Rows]:
    """Sum and sum of squares (m, C·cells) of each set's images on the grid."""
    total = squared = np.zeros(())
    for part in slices(np.shape(images)):
        pixels = mean_pool(np.asarray(images[part]), grid)
        chosen = members[:, part].astype(np.float64)
        total, squared = total + chosen @ pixels, squared + chosen @ np.square(pixels)
    return total, squared


def _with_class(members: Members) -> Members:
    return np.concatenate([members, np.ones((1, members.shape[1]), dtype=bool)])
