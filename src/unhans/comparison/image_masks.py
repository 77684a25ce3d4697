"""Rounded masks of some of many images, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.comparison.mask_agreement import mask_overlap, rounded

AT_ONCE = 256  # masks that are unpacked together


@dataclass(frozen=True)
class ImageMasks:
    """Masks of m of n images, cut at one half: a bit a pixel, m · ⌈h · w / 8⌉ bytes, whatever n is.

    Attributes:
        rows: (m,) ascending, which of the images have one.
        size: (h, w).
        bits: (m, ⌈h · w / 8⌉) uint8.
    """

    rows: NDArray[np.int64]
    size: tuple[int, int]
    bits: NDArray[np.uint8]

    @staticmethod
    def of(rows: ArrayLike, masks: ArrayLike) -> ImageMasks:
        """Keep masks (m, h, w) in [0, 1] of the images in these rows (m,), ascending."""
        cut = rounded(masks)
        return ImageMasks(np.asarray(rows, np.int64), cut.shape[1:], np.packbits(cut.reshape(len(cut), -1), axis=1))

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        return self.bits.nbytes + self.rows.nbytes

    def at(self, rows: ArrayLike) -> NDArray[np.bool_]:
        """Return the masks (k, h, w) of some rows that have one."""
        places = np.searchsorted(self.rows, rows)
        pixels = np.unpackbits(self.bits[places], axis=1, count=self.size[0] * self.size[1])
        return pixels.reshape(len(pixels), *self.size).astype(bool)

    def take(self, rows: NDArray[np.int64]) -> ImageMasks:
        """Return those of some of the images, which are counted in their new order."""
        new = np.flatnonzero(np.isin(rows, self.rows))
        return ImageMasks(new, self.size, self.bits[np.searchsorted(self.rows, rows[new])])


def blocks(rows: NDArray[np.int64], count: int = AT_ONCE) -> Iterator[NDArray[np.int64]]:
    """Give rows in blocks of so many."""
    return (rows[start : start + count] for start in range(0, len(rows), count))


def overlap_of(first: ImageMasks, second: ImageMasks, n: int) -> NDArray[np.float64]:
    """Return the overlap of two models' masks of one size for n images; NaN for images without both."""
    found = np.full(n, np.nan)
    for rows in blocks(np.intersect1d(first.rows, second.rows)):
        found[rows] = mask_overlap(first.at(rows), second.at(rows))
    return found
