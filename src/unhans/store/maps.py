"""The images, heatmaps and logits of one class on disk, in ViRelAy's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from unhans.store.blocks import Blocks, Heatmaps
from unhans.store.class_files import ClassFiles
from unhans.store.hdf5 import read_json, reading, write_key, writing
from unhans.store.map_writer import COLUMNS, LATENT, MapWriter

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

    map_shape: (H, W); outputs: K logits; image_shape: (C, H, W); key: what the maps depend on, see `stored_key`.

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
        _shrinkable(dataset, "data", (n, 3, *image_shape[1:]), "uint8", compression="gzip", compression_opts=1)
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

    index, split, label, target, prediction, rank: (n,) number in the data set, 0 training or 1 validation, true and
    explained class, top-1 class, rank of the true label (0 = first); logits: (n, K); maps: (n, H, W) float32 in true
    scale; images: (n, 3, H, W) uint8; paths: of the images; key: what the maps depend on; latent: by layer (n, 2, C)
    float32, the relevance of its channels summed and maximised over places, none where it was not stored.
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
            key=read_json(file, "key"),
            latent={layer: Blocks(files.attribution, f"{LATENT}/{layer}") for layer in file.get(LATENT, ())},
        )


def _shrinkable(file: h5py.File, name: str, shape: tuple[int, ...], dtype: str, rows: int = 1, **options: Any) -> None:
    """Make an array whose first axis can be cut, in chunks of some rows."""
    if shape[0] < 1:
        raise ValueError(f"a class needs at least one sample to store, got {shape[0]}")
    chunks = (min(rows, shape[0]), *shape[1:])
    file.create_dataset(name, shape, dtype, chunks=chunks, maxshape=shape, **options)
