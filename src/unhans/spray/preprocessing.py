"""What happens to heatmaps before they are compared: checked, sum-pooled, normalised ([000] §2.1)."""

from __future__ import annotations

from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Normalisation = Literal["max", "sum"]


def check_heatmaps(heatmaps: ArrayLike) -> NDArray[np.floating]:
    """Return the heatmaps as a floating-point array (n, H, W) or (n, d).

    Raises ValueError for another number of dimensions, an empty map, or a value that is not finite.
    """
    maps = np.asarray(heatmaps)
    if maps.ndim not in (2, 3) or 0 in maps.shape:
        raise ValueError(f"heatmaps must have shape (n, H, W) or (n, d) without an empty axis, got {maps.shape}")
    if not np.issubdtype(maps.dtype, np.floating) or maps.dtype == np.float16:
        maps = maps.astype(np.float64)
    broken = np.flatnonzero(~np.isfinite(maps.reshape(len(maps), -1)).all(axis=1))
    if len(broken):
        raise ValueError(
            f"heatmaps must be finite, but {len(broken)} of {len(maps)} hold NaN or infinity, first number {broken[0]}"
        )
    return maps


def sum_pool(heatmaps: NDArray[np.floating], grid: int | tuple[int, int]) -> NDArray[np.floating]:
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


def _starts(length: int, cells: int) -> NDArray[np.int64]:
    cells = min(cells, length)
    return np.arange(cells) * length // cells
