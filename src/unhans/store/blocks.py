"""Rows of an HDF5 file, read when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unhans.store.hdf5 import reading


class Blocks:
    """An array on the disk: it has a length and a shape, and an index of its first axis reads those rows.

    It holds the path alone, so it can be sent to other processes; each access opens the file.

    Attributes: shape (n, …), dtype of what is returned.
    """

    def __init__(self, path: str | os.PathLike[str], name: str, rows: NDArray[np.int64] | None = None) -> None:
        self.path, self.name = Path(path), name
        with reading(self.path) as file:
            stored = file[name]
            self.rows = np.arange(len(stored)) if rows is None else np.asarray(rows)
            self.shape, self.dtype = self._layout(stored)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return rows, for whatever NumPy takes as index of the first axis; further indices cut what was read."""
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        wanted = self.rows[first]
        with reading(self.path) as file:
            block = self._read(file, np.atleast_1d(wanted))
        return block[0][rest] if np.ndim(wanted) == 0 else block[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows: NDArray[np.integer]) -> Blocks:
        """Return the same array restricted to some rows; nothing is read."""
        return type(self)(self.path, self.name, self.rows[rows])

    def _layout(self, stored: h5py.Dataset) -> tuple[tuple[int, ...], np.dtype[Any]]:
        return (len(self.rows), *stored.shape[1:]), stored.dtype

    def _read(self, file: h5py.File, rows: NDArray[np.int64]) -> NDArray[Any]:
        return rows_of(file[self.name], rows)


class Heatmaps(Blocks):
    """Heatmaps (n, H, W) float32 in their true scale: what is stored times the stored peak."""

    def _layout(self, stored: h5py.Dataset) -> tuple[tuple[int, ...], np.dtype[Any]]:
        return (len(self.rows), *stored.shape[2:]), np.dtype(np.float32)

    def _read(self, file: h5py.File, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        maps = rows_of(file[self.name], rows)[:, 0].astype(np.float32)
        maps *= file["peak"][:][rows, None, None]
        return maps


def rows_of(stored: h5py.Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Return rows of an HDF5 dataset in any order, also repeated."""
    if not len(rows) or (np.diff(rows) == 1).all():
        start = int(rows[0]) if len(rows) else 0
        return stored[start : start + len(rows)]
    block = np.empty((len(rows), *stored.shape[1:]), stored.dtype)
    for place, row in enumerate(rows):  # h5py takes increasing lists only, and is slower with them than one by one
        stored.read_direct(block, np.s_[int(row)], np.s_[place])
    return block
