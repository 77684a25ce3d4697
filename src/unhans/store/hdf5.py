"""HDF5 files that are whole or absent, say clearly why they cannot be read, and give rows when asked for."""

from __future__ import annotations

import errno
import io
import json
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from unhans.store.atomic import replacing
from unhans.store.codec import jsonable

CREATOR = "unhans"
FORMAT = 1


class DamagedError(ValueError):
    """A file was cut or is incomplete; what it held can be computed again."""


class Disk(io.FileIO):
    """A file whose `write` remembers the first error and goes on in memory; `check` raises the error.

    HDF5 writes from destructors, too, where an error on a full disk ends the process, and it reads back what it wrote:
    where that was lost, it would take whatever lies in memory for its own addresses.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []  # what the disk did not take: where, and what

    def write(self, content: Any) -> int:
        """Write all bytes, to memory once a write has failed."""
        rest = memoryview(content).cast("B")
        size = len(rest)
        try:
            while rest and self.error is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.error = error
        if rest:
            at = self.tell()
            self._kept.append((at, bytes(rest)))
            self.seek(at + len(rest))
        return size

    def readinto(self, buffer: Any) -> int:
        """Read what was written, from the disk and from memory; zeros where nothing was."""
        view = memoryview(buffer).cast("B")
        at = self.tell()
        end = at + len(view)
        read = super().readinto(view)
        if self.error is None:
            return read
        view[read:] = bytes(len(view) - read)
        for start, content in self._kept:
            first, last = max(at, start), min(end, start + len(content))
            if first < last:
                view[first - at : last - at] = content[first - start : last - start]
        self.seek(end)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file, which needs room as well."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return self.tell() if size is None else size

    def check(self) -> None:
        """Raise the first error, if any."""
        if self.error is not None:
            raise self.error


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[tuple[h5py.File, Disk]]:
    """Give a new HDF5 file, which takes its name when the block ends well, and the disk it lies on.

    A long block calls the disk's `check` now and then, so as to end early when the disk is full.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as part, Disk(part) as disk:
        try:
            with h5py.File(disk, "w", track_order=True) as file:
                file.attrs.update(creator=CREATOR, format=FORMAT)
                yield file, disk
        except Exception:
            disk.check()  # what HDF5 says after a failed write is a consequence
            raise
        disk.check()


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Open a file that `writing` wrote; nothing is locked, since a finished file never changes.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedError: it was cut or is incomplete.
        ValueError: it is foreign, or from a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    try:
        with h5py.File(path, "r", locking=False) as file:
            _check_format(path, file)
            yield file
    except (KeyError, RuntimeError, OSError) as error:
        if not _of_content(error):
            raise
        raise DamagedError(f"{path} is damaged (cut or incomplete): delete it to compute it again.") from error


def _of_content(error: Exception) -> bool:
    """Tell whether h5py raised an error about what a file holds: neither the system, nor who reads it."""
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    return "h5py" in last.f_code.co_filename and getattr(error, "errno", None) is None


def write_values(group: h5py.Group, name: str, values: Any) -> None:
    """Write plain values as a JSON text: an HDF5 attribute could hold 64 kB at most."""
    group.create_dataset(name, data=json.dumps(jsonable(values)))


def read_values(group: h5py.Group, name: str) -> Any:
    """Read what `write_values` wrote; raises KeyError where there is none."""
    return json.loads(group[name].asstr()[()])


def stored_key(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the key that a file of a class was stored with, or None where there is no such file.

    Raises:
        DamagedError: it was cut or is incomplete.
        ValueError: it is foreign, or from a newer version.
    """
    if not Path(path).is_file():
        return None
    with reading(path) as file:
        return read_values(file, file.attrs["key"])


def write_key(group: h5py.Group, key: Mapping[str, Any]) -> None:
    """Write a key where `stored_key` finds it."""
    write_values(group, "key", key)
    group.file.attrs["key"] = f"{group.name}/key"


def _check_format(path: Path, file: h5py.File) -> None:
    if file.attrs.get("creator") != CREATOR:
        raise ValueError(
            f"{path} was not written by unhans, or by an older version of it: move it away, or give another folder."
        )
    if file.attrs["format"] > FORMAT:
        raise ValueError(
            f"{path} was written by a newer version of unhans (format {file.attrs['format']}; this is {FORMAT})."
        )


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
