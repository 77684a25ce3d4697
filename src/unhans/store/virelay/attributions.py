"""The images, heatmaps and logits of one class on disk, in ViRelAy's layout, added batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.attribution import scale
from unhans.store.hdf5 import Blocks, Disk, Heatmaps, read_values, reading, write_key, writing
from unhans.store.virelay.class_files import ClassFiles

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
        """Write b samples; what is (b,) may be one number for all.

        Args:
            index: (b,) in the data set.
            split: (b,) 0 training, 1 validation.
            label: (b,).
            target: (b,) the explained class.
            images: (b, C, H, W) as a person sees them, C 1 or 3.
            maps: (b, H, W).
            logits: (b, K).
            paths: of the images.
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


Precision = Literal["float16", "float32"]

BLOCK = 1 << 16  # bytes of logits per chunk


@contextmanager
def writing_maps(
    files: ClassFiles,
    n: int,
    map_shape: tuple[int, int],
    outputs: int,
    image_shape: tuple[int, int, int],
    key: Mapping[str, Any],
    precision: Precision = "float16",
) -> Iterator[MapWriter]:
    """Give a writer of up to `n` samples of one class; the files are there, whole, when the block has ended well.

    Memory holds one batch. With float16 each heatmap is stored divided by its maximum, so that nothing overflows; a
    value comes back within 1/2048 of itself if it is more than 1/16,000 of the maximum. float32 is exact and takes
    twice the room. Images are stored in RGB. What an earlier run stored of this class is removed.

    Args:
        files: of the class.
        n: samples, at most.
        map_shape: (H, W).
        outputs: K logits.
        image_shape: (C, H, W).
        key: what the maps depend on, see `stored_key`.
        precision: of the heatmaps.

    Raises:
        ValueError: no sample was added.
        OSError: the files cannot be written.
    """
    # The attribution is the last to take its name: where it is, the images are too.
    with writing(files.attribution) as (attribution, maps_disk), writing(files.dataset) as (dataset, images_disk):
        write_key(attribution, key)
        write_key(dataset, key)
        _shrinkable(attribution, "attribution", (n, 1, *map_shape), precision)
        _shrinkable(attribution, "prediction", (n, outputs), "float32", max(1, BLOCK // (4 * outputs)))
        _shrinkable(dataset, "data", (n, 3, *image_shape[1:]), "uint8")  # gzip saves a quarter in 5 ms an image
        writer = MapWriter(attribution, dataset, (maps_disk, images_disk))
        yield writer
        if not len(writer):
            raise ValueError(f"nothing could be read of the {n} samples of class {files.folder.name}")
        writer.finish()
        for stale in (files.attribution, files.analysis):
            stale.unlink(missing_ok=True)


@dataclass(frozen=True)
class StoredMaps:
    """What `writing_maps` stored of one class; the large arrays stay on the disk until rows of them are asked for.

    Attributes:
        index: (n,) numbers in the data set.
        split: (n,) 0 training, 1 validation.
        label, target, prediction: (n,) true, explained and top-1 class.
        rank: (n,) of the true label, 0 = first.
        logits: (n, K).
        maps: (n, H, W) float32 in true scale.
        images: (n, 3, H, W) uint8.
        paths: of the images.
        key: what the maps depend on.
        latent: by layer (n, 2, C) float32, the relevance of its channels summed and maximised over places; none where
            it was not stored.
    """

    index: NDArray[np.int64]
    split: NDArray[np.uint8]
    label: NDArray[np.int64]
    target: NDArray[np.int64]
    prediction: NDArray[np.int64]
    rank: NDArray[np.int64]
    logits: Blocks
    maps: Heatmaps
    images: Blocks
    paths: list[str]
    key: dict[str, Any]
    latent: dict[str, Blocks] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)


def open_maps(files: ClassFiles) -> StoredMaps:
    """Open what `writing_maps` stored.

    Raises:
        FileNotFoundError: nothing is stored of this class.
        ValueError: a file is damaged, foreign, or from a newer version.
    """
    with reading(files.attribution) as file, reading(files.dataset) as dataset:
        names = {"sample": "index", "top1": "prediction"}
        columns = {names.get(name, name): file[name][:] for name in COLUMNS if name != "peak"}
        return StoredMaps(
            **columns,
            logits=Blocks(files.attribution, "prediction"),
            maps=Heatmaps(files.attribution, "attribution"),
            images=Blocks(files.dataset, "data"),
            paths=list(dataset["path"].asstr("utf-8", "surrogateescape")[:]),
            key=read_values(file, "key"),
            latent={layer: Blocks(files.attribution, f"{LATENT}/{layer}") for layer in file.get(LATENT, ())},
        )


def _shrinkable(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str, rows: int = 1, **options: Any) -> None:
    """Make an array whose first axis can be cut, in chunks of some rows."""
    if shape[0] < 1:
        raise ValueError(f"a class needs at least one sample to store, got {shape[0]}")
    chunks = (min(rows, shape[0]), *shape[1:])
    file.create_dataset(name, shape, dtype, chunks=chunks, maxshape=shape, **options)
