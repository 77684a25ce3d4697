"""What happens to heatmaps before they are compared: smoothed, pooled, normalised, block by block ([000] §2.1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Normalisation = Literal["max", "sum"]
Grid = int | tuple[int, int]

ROWS = 512  # heatmaps read and prepared at once


def prepare(
    heatmaps: Any, pooling: Grid | None = None, normalisation: Normalisation | None = None, smoothing: float = 0.0
) -> NDArray:
    """Return heatmaps checked, smoothed, sum-pooled and normalised, as one floating-point array.

    Half precision and bytes become float32, other whole numbers float64; float32 and float64 stay what they are, and
    are not copied where there is nothing to do.

    Args:
        heatmaps: (n, H, W) or (n, d), whatever NumPy reads, or an object with `shape` and slicing, which is read 512
            heatmaps at a time.
        pooling: the grid onto which relevance is summed, or the cells of its side.
        normalisation: by what every heatmap is divided; see `normalise`.
        smoothing: standard deviation of a Gaussian in pixels of the heatmap; see `smooth`.

    Raises:
        ValueError: another number of dimensions, an empty map, or a value that is not finite.
    """
    source = heatmaps if hasattr(heatmaps, "shape") and hasattr(heatmaps, "__getitem__") else np.asarray(heatmaps)
    shape = tuple(source.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"heatmaps must have shape (n, H, W) or (n, d) without an empty axis, got {shape}")
    idle = pooling is None and normalisation is None and not smoothing and isinstance(source, np.ndarray)
    idle = idle and source.dtype in (np.float32, np.float64)
    maps, broken = source if idle else np.empty(0), []
    for start, block in _blocks(source):
        finite = np.isfinite(block.reshape(len(block), -1)).all(axis=1)
        broken += (start + np.flatnonzero(~finite)).tolist()
        if broken or idle:
            continue
        block = smooth(block, smoothing) if smoothing else block
        block = block if pooling is None else sum_pool(block, pooling)
        block = block if normalisation is None else normalise(block, normalisation)
        if start == 0:
            maps = np.empty((shape[0], *block.shape[1:]), dtype=block.dtype)
        maps[start : start + len(block)] = block
    if broken:
        raise ValueError(
            f"heatmaps must be finite, but {len(broken)} of {shape[0]} hold NaN or infinity, first number {broken[0]}"
        )
    return maps


def smooth(heatmaps: NDArray[np.floating], deviation: float) -> NDArray[np.floating]:
    """Convolve relevance (n, H, W) with a Gaussian of a standard deviation in pixels; total relevance is kept.

    Beyond the rim a map is mirrored, so nothing is lost there.

    Raises:
        ValueError: the heatmaps are vectors.
    """
    if heatmaps.ndim != 3:
        raise ValueError(f"smoothing needs heatmaps of shape (n, H, W), got {heatmaps.shape}")
    return gaussian_filter(heatmaps, deviation, mode="reflect", axes=(1, 2))


def sum_pool(heatmaps: NDArray[np.floating], grid: Grid) -> NDArray[np.floating]:
    """Sum relevance (n, H, W) over the cells of a grid (rows, columns), so that total relevance is kept.

    Where the grid does not divide the map, cells differ by one pixel; a map with fewer pixels than the grid stays as it
    is.

    Raises:
        ValueError: the heatmaps are vectors, or the grid has no cells.
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


def _blocks(source: Any) -> Iterator[tuple[int, NDArray[np.floating]]]:
    for start in range(0, source.shape[0], ROWS):
        block = np.asarray(source[start : start + ROWS])
        if block.dtype.kind not in "fiub":
            raise ValueError(f"heatmaps must hold real numbers, got values of type {block.dtype}")
        yield start, block.astype(np.result_type(block.dtype, np.float32), copy=False)


def _starts(length: int, cells: int) -> NDArray[np.int64]:
    cells = min(cells, length)
    return np.arange(cells) * length // cells


ELEMENTS = 2**22  # values handled at once: 32 MB in float64


def slices(shape: tuple[int, ...]) -> Iterator[slice]:
    """Cut the first axis of an array of this shape into slices of about four million values."""
    step = max(1, ELEMENTS // math.prod(shape[1:]))
    return (slice(start, min(start + step, shape[0])) for start in range(0, shape[0], step))


def row_blocks(maps: NDArray[np.floating]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Give maps (n, ...) as float64 matrices (b, d) of a few rows each, with the slice that they are."""
    for part in slices(maps.shape):
        yield part, maps[part].reshape(part.stop - part.start, -1).astype(np.float64)


def mean_pool(images: NDArray[np.generic], grid: tuple[int, int]) -> NDArray[np.float64]:
    """Average images (n, C, h, w) over the cells onto which `sum_pool` sums relevance, as (n, C·cells).

    Where the grid is finer than the images, its cells repeat the nearest pixel.
    """
    flat = images.reshape(-1, *images.shape[2:]).astype(np.float64)
    means = sum_pool(flat, grid) / sum_pool(np.ones((1, *flat.shape[1:])), grid)
    rows, columns = (np.arange(cells) * side // cells for cells, side in zip(grid, means.shape[1:], strict=True))
    return means[:, rows[:, None], columns].reshape(len(images), -1)
