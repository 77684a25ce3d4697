"""What happens to heatmaps before they are compared: checked, sum-pooled, normalised, block by block ([000] §2.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Normalisation = Literal["max", "sum"]
Grid = int | tuple[int, int]

ROWS = 512  # heatmaps read and prepared at once


def prepared(heatmaps: Any, pooling: Grid | None = None, normalisation: Normalisation | None = None) -> NDArray:
    """Return heatmaps (n, H, W) or (n, d) checked, sum-pooled and normalised, as one floating-point array.

    heatmaps: whatever NumPy reads, or an object with `shape` and slicing, which is read 512 heatmaps at a time.
    Half precision and bytes become float32, other whole numbers float64; float32 and float64 stay what they are, and
    are not copied where there is nothing to do.
    Raises ValueError for another number of dimensions, an empty map, or a value that is not finite.
    """
    source = heatmaps if hasattr(heatmaps, "shape") and hasattr(heatmaps, "__getitem__") else np.asarray(heatmaps)
    shape = tuple(source.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"heatmaps must have shape (n, H, W) or (n, d) without an empty axis, got {shape}")
    idle = pooling is None and normalisation is None and isinstance(source, np.ndarray)
    if not idle or source.dtype not in (np.float32, np.float64):
        return _gathered(source, pooling, normalisation)
    _refuse_broken([start + bad for start, block in _blocks(source) for bad in _broken(block)], len(source))
    return source


def sum_pool(heatmaps: NDArray[np.floating], grid: Grid) -> NDArray[np.floating]:
    """Sum relevance (n, H, W) over the cells of a grid (rows, columns), so that total relevance is kept.

    Where the grid does not divide the map, cells differ by one pixel; a map with fewer pixels than the grid stays as it
    is. Raises ValueError for vectors or a grid without cells.
    """
    rows, columns = (grid, grid) if isinstance(grid, Integral) else grid
    if heatmaps.ndim != 3:
        raise ValueError(f"pooling needs heatmaps of shape (n, H, W), got {heatmaps.shape}")
    if min(rows, columns) < 1:
        raise ValueError(f"pooling must be the size of a grid, 1 or more, got {grid!r}")
    pooled = np.add.reduceat(heatmaps, _starts(heatmaps.shape[1], rows), axis=1)
    return np.add.reduceat(pooled, _starts(heatmaps.shape[2], columns), axis=2)


def normalise(heatmaps: NDArray[np.floating], normalisation: Normalisation) -> NDArray[np.floating]:
    """Divide every map by its largest absolute value ("max") or its absolute sum ("sum"); a map of zeros stays zero.

    Never by the signed sum, which can be near zero (METHODS §2.1).
    """
    size = np.abs(heatmaps.reshape(len(heatmaps), -1))
    scale = size.max(axis=1) if normalisation == "max" else size.sum(axis=1)
    scale = np.where(scale == 0, 1, scale).reshape(-1, *(1,) * (heatmaps.ndim - 1))
    return heatmaps / scale


def _gathered(source: Any, pooling: Grid | None, normalisation: Normalisation | None) -> NDArray[np.floating]:
    maps, broken = np.empty(0), []
    for start, block in _blocks(source):
        broken += [start + bad for bad in _broken(block)]
        if broken:
            continue
        block = block if pooling is None else sum_pool(block, pooling)
        block = block if normalisation is None else normalise(block, normalisation)
        if start == 0:
            maps = np.empty((source.shape[0], *block.shape[1:]), dtype=block.dtype)
        maps[start : start + len(block)] = block
    _refuse_broken(broken, source.shape[0])
    return maps


def _blocks(source: Any) -> Iterator[tuple[int, NDArray[np.floating]]]:
    for start in range(0, source.shape[0], ROWS):
        block = np.asarray(source[start : start + ROWS])
        if block.dtype.kind not in "fiub":
            raise ValueError(f"heatmaps must hold real numbers, got values of type {block.dtype}")
        yield start, block.astype(np.result_type(block.dtype, np.float32), copy=False)


def _broken(block: NDArray[np.floating]) -> list[int]:
    return np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(axis=1)).tolist()


def _refuse_broken(broken: list[int], n: int) -> None:
    if broken:
        raise ValueError(
            f"heatmaps must be finite, but {len(broken)} of {n} hold NaN or infinity, first number {broken[0]}"
        )


def _starts(length: int, cells: int) -> NDArray[np.int64]:
    cells = min(cells, length)
    return np.arange(cells) * length // cells


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
