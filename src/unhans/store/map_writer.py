"""Adding the samples of one class to HDF5 files, batch by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.attribution.heatmap import scale
from unhans.store.hdf5 import Disk

COLUMNS = {  # ViRelAy takes "index" for the row's position, so the number in the data set is called otherwise
    "sample": np.int64,
    "split": np.uint8,
    "label": np.int64,
    "target": np.int64,
    "top1": np.int64,
    "rank": np.int64,
    "peak": np.float32,
}
IMAGE_COLUMNS = ("sample", "split", "label")
LATENT = "latent"  # the group with the relevance of layers


class MapWriter:
    """Adds the samples of one class, batch by batch, to the files that `writing_maps` opened."""

    def __init__(self, attribution: h5py.File, dataset: h5py.File, disks: Sequence[Disk]) -> None:
        self._maps, self._logits = attribution["attribution"], attribution["prediction"]
        self._images, self._disks = dataset["data"], disks
        self._columns: dict[str, list[NDArray[Any]]] = {name: [] for name in COLUMNS}
        self._paths: list[str] = []
        self._latent: dict[str, h5py.Dataset] = {}
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(
        self,
        index: ArrayLike,
        split: ArrayLike,
        label: ArrayLike,
        target: ArrayLike,
        images: NDArray[np.uint8],
        maps: NDArray[np.floating],
        logits: NDArray[np.floating],
        paths: Sequence[str] | None = None,
        latent: Mapping[str, NDArray[np.floating]] = MappingProxyType({}),
    ) -> None:
        """Write b samples.

        index, split (0 training, 1 validation), label, target (the explained class): (b,) or one number for all;
        images (b, C, H, W) as a person sees them, C 1 or 3; maps (b, H, W); logits (b, K); paths of the images;
        latent: by layer (b, 2, C), the relevance of its channels, of the same layers in every batch.

        Raises:
            ValueError: the numbers of samples differ, or a shape or type is wrong, or a heatmap is not finite.
            OSError: the disk is full.
        """
        b = len(maps)
        self._check(b, images, maps, logits, paths)
        self._check_latent(b, latent)
        rows = slice(self._n, self._n + b)
        scaled = scale(maps)  # checks that they are finite
        half = self._maps.dtype == np.float16
        peak = np.abs(maps).max((1, 2)) if half and b else 1
        self._maps[rows, 0] = scaled if half else maps
        self._images[rows] = np.broadcast_to(images, (b, *self._images.shape[1:]))
        self._logits[rows] = logits
        for layer, pooled in latent.items():
            self._latent[layer][rows] = pooled
        self._note(b, sample=index, split=split, label=label, target=target, peak=peak, **_order(logits, label))
        self._paths += paths or [""] * b
        self._n += b
        for disk in self._disks:
            disk.check()

    def finish(self) -> None:
        """Cut every array to the samples that were added, and write what was kept until now."""
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        for array in (self._maps, self._logits, self._images, *self._latent.values()):
            array.resize(self._n, axis=0)
        self._maps.file.update(columns)
        self._images.file.update({name: columns[name] for name in IMAGE_COLUMNS})
        paths = [path.encode("utf-8", "surrogateescape") for path in self._paths]  # file names may be no UTF-8
        self._images.file.create_dataset("path", data=paths, dtype=h5py.string_dtype())

    def _check(self, b: int, images: Any, maps: Any, logits: Any, paths: Sequence[str] | None) -> None:
        """Raise ValueError for a batch that does not fit: NumPy would broadcast some of them silently."""
        if not len(images) == len(logits) == b == len(paths or range(b)):
            raise ValueError(
                f"a batch needs as many images and logits as heatmaps ({b}); got {len(images)} images, {len(logits)} "
                f"logits and {len(paths or range(b))} paths"
            )
        if images.dtype != np.uint8:
            raise ValueError(f"images must be uint8, from 0 to 255, got {images.dtype}")
        if self._n + b > len(self._maps):
            raise ValueError(f"{len(self._maps)} samples were announced, but {self._n + b} are added")
        for name, batch, stored in (("heatmaps", maps, self._maps[:0, 0]), ("logits", logits, self._logits)):
            if batch.shape[1:] != stored.shape[1:]:
                raise ValueError(f"{name} must have the shape {(b, *stored.shape[1:])}, got {batch.shape}")

    def _check_latent(self, b: int, latent: Mapping[str, NDArray[np.floating]]) -> None:
        """Make the arrays of the layers with the first batch; raise ValueError where a later one does not fit."""
        if not self._n and not self._latent:
            self._latent = {layer: self._layer(layer, pooled.shape[1:]) for layer, pooled in latent.items()}
        shapes = {layer: (b, *array.shape[1:]) for layer, array in self._latent.items()}
        got = {layer: tuple(pooled.shape) for layer, pooled in latent.items()}
        if got != shapes:
            raise ValueError(f"the relevance of layers must have the shapes {shapes}, got {got}")

    def _layer(self, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        file = self._maps.file
        group = file[LATENT] if LATENT in file else file.create_group(LATENT, track_order=True)
        whole = (len(self._maps), *shape)
        return group.create_dataset(name, whole, np.float32, chunks=(1, *shape), maxshape=whole)

    def _note(self, b: int, **columns: ArrayLike) -> None:
        for name, values in columns.items():
            self._columns[name].append(np.broadcast_to(np.asarray(values), (b,)).astype(COLUMNS[name]))


def _order(logits: NDArray[np.floating], label: ArrayLike) -> dict[str, NDArray[np.int64]]:
    """Top-1 class, and rank of the true label."""
    column = np.broadcast_to(np.asarray(label), len(logits))[:, None]
    return {"top1": logits.argmax(1), "rank": (logits > np.take_along_axis(logits, column, 1)).sum(1)}
