"""Many heatmaps or images, handled part by part, so that they may lie on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

ELEMENTS = 2**22  # values handled at once: 32 MB in float64


def slices(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut the first axis of an array of this shape into slices of about four million values."""
    step = max(1, ELEMENTS // math.prod(shape[1:]))
    return (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))


def rows(maps: NDArray[np.floating]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give maps (n, ...) as float64 matrices (b, d) of a few rows each, with the slice that they are."""
    for part in slices(maps.shape):
        yield part, maps[part].reshape(part.stop - part.start, -1).astype(np.float64)


def averaged(images: NDArray[np.generic], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Average images (n, C, h, w) over the cells of a grid, those onto which relevance is summed, as (n, C·cells).

    Where the grid is finer than the images, its cells repeat the nearest pixel.
    """
    found = images.astype(np.float64)
    for axis, cells in zip((2, 3), grid, strict=True):
        starts = np.arange(cells) * found.shape[axis] // cells
        if cells <= found.shape[axis]:
            sizes = np.diff(starts, append=found.shape[axis])
            shape = np.ones(4, dtype=np.int64)
            shape[axis] = cells
            found = np.add.reduceat(found, starts, axis) / sizes.reshape(shape)
        else:
            found = found.take(starts, axis)
    return found.reshape(len(found), -1)
