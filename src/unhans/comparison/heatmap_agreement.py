"""Do two models' heatmaps of the same images show the same places?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

GRID = 28  # cells a side on which heatmaps of different sizes are compared


def on_grid(*heatmaps: ArrayLike) -> list[NDArray[np.floating]]:
    """Return heatmaps (n, H, W) of several models summed onto one grid, so that models of any input size are compared.

    The grid has 28 cells a side, or as many as the smallest map; sums stay.
    """
    maps = [np.asarray(each) for each in heatmaps]
    grid = tuple(min(GRID, *(each.shape[axis] for each in maps)) for axis in (1, 2))
    return [sum_onto(each, grid) for each in maps]


def sum_onto(heatmaps: ArrayLike, grid: tuple[int, int]) -> NDArray[np.float32]:
    """Return heatmaps (n, H, W) summed onto a grid of equal cells: (n, *grid); sums stay.

    A pixel that lies in several cells is shared by area: whole pixels would make cells of different sizes, and so a
    pattern that all maps share and that makes them look alike.
    """
    maps = np.asarray(heatmaps, np.float32)
    rows, columns = (_shares(side, cells) for side, cells in zip(maps.shape[1:], grid, strict=True))
    return np.einsum("gh,nhw,kw->ngk", rows, maps, columns, optimize=True)


def _shares(side: int, cells: int) -> NDArray[np.float32]:
    """How much of each pixel lies in each cell (cells, side)."""
    edges = np.arange(cells + 1)[:, None] * side / cells
    pixels = np.arange(side)[None]
    return np.clip(np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels), 0, 1).astype(np.float32)


def cosine(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine of two models' heatmaps (n, H, W) for every image (n,); NaN where one is empty."""
    one, two = _rows(first), _rows(second)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (one * two).sum(1) / np.sqrt((one**2).sum(1) * (two**2).sum(1))


def spearman(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the correlation of ranks of two models' heatmaps for every image (n,); NaN where one is constant."""
    one, two = (rankdata(_rows(each), axis=1) for each in (first, second))
    return cosine(one - one.mean(1, keepdims=True), two - two.mean(1, keepdims=True))


def top_overlap(first: ArrayLike, second: ArrayLike, share: float = 0.05) -> NDArray[np.float64]:
    """Return intersection over union of the most relevant cells of two models (n,); NaN where a map is constant.

    Args:
        first: heatmaps (n, H, W) of one model.
        second: those of the other, of the same shape.
        share: of the cells that count as most relevant, at least one; equal values are taken in the order of cells.

    Raises:
        ValueError: a share that is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share expects a number between 0 and 1, got {share}.")
    one, two = _rows(first), _rows(second)
    count = max(1, round(share * one.shape[1]))
    tops = (np.argsort(-each, axis=1, kind="stable")[:, :count] for each in (one, two))
    shared = np.array([len(np.intersect1d(a, b)) for a, b in zip(*tops, strict=True)])
    constant = np.any([each.min(1) == each.max(1) for each in (one, two)], axis=0)
    return np.where(constant, np.nan, shared / (2 * count - shared))


def _rows(heatmaps: ArrayLike) -> NDArray[np.float64]:
    maps = np.asarray(heatmaps, np.float64)
    return maps.reshape(len(maps), int(np.prod(maps.shape[1:])))
