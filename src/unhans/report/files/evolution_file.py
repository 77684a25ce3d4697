"""The heatmaps of fixed samples after chosen epochs of a repair, on disk, and two of them side by side."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.report.figures import Pair, choose_evenly
from unhans.store import replacing


class Evolution(NamedTuple):
    """The heatmaps of n fixed samples that carry an artifact, after E epochs.

    Attributes:
        images: (n, 3, H, W) in [0, 1].
        masks: (n, H, W), where the artifact is.
        index: (n,), their index in the data.
        epochs: (E,) ascending, 0 is before training.
        maps: (E, n, H, W).
    """

    images: NDArray[np.floating]
    masks: NDArray[np.bool_]
    index: NDArray[np.integer]
    epochs: NDArray[np.integer]
    maps: NDArray[np.floating]


def save_evolution(
    path: str | os.PathLike[str], images: ArrayLike, masks: ArrayLike, index: ArrayLike, maps: Mapping[int, ArrayLike]
) -> None:
    """Write an `Evolution`, whose maps are given by epoch, as `.npz`, whole or not at all.

    Raises:
        ValueError: there is no heatmap, or not one per sample and epoch.
    """
    epochs = sorted(maps)
    found = Evolution(
        np.asarray(images, dtype=np.float16),  # finer than what a screen shows
        np.asarray(masks, dtype=bool),
        np.asarray(index, dtype=np.int64),
        np.asarray(epochs, dtype=np.int64),
        np.asarray([maps[epoch] for epoch in epochs], dtype=np.float32),
    )
    expected = (len(epochs), len(found.index), *found.masks.shape[1:])
    if not epochs or found.maps.shape != expected or len({len(found.images), len(found.masks), len(found.index)}) > 1:
        raise ValueError(f"An evolution needs heatmaps {expected}, one per epoch and sample; got {found.maps.shape}.")
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **found._asdict())


def load_evolution(path: str | os.PathLike[str]) -> Evolution:
    """Read what `save_evolution` wrote.

    Raises:
        OSError: it cannot be read.
        ValueError: it is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Evolution(*(file[name] for name in Evolution._fields))
    except (KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{Path(path)} does not hold heatmaps by epoch (expected {', '.join(Evolution._fields)})."
        ) from error


def evolution_pairs(first: Evolution, second: Evolution, count: int = 4, split: str = "sample") -> list[Pair]:
    """Return samples that both have, at the epochs that both have, evenly chosen, at most `count`.

    Args:
        first, second: of the two networks.
        count: samples at most.
        split: what the samples are called in their titles.

    Raises:
        ValueError: they have no sample or no epoch in common.
    """
    common = np.intersect1d(first.index, second.index)
    epochs = np.intersect1d(first.epochs, second.epochs)
    if not len(common) or not len(epochs):
        raise ValueError(
            f"Two evolutions need samples and epochs in common; got samples {first.index.tolist()} and "
            f"{second.index.tolist()}, epochs {first.epochs.tolist()} and {second.epochs.tolist()}."
        )
    return [_pair(first, second, sample, epochs, split) for sample in choose_evenly(common, count)]


def _pair(first: Evolution, second: Evolution, sample: int, epochs: NDArray[np.integer], split: str) -> Pair:
    at = [int(np.flatnonzero(each.index == sample)[0]) for each in (first, second)]
    rows = [each.maps[np.isin(each.epochs, epochs)][:, i] for each, i in zip((first, second), at, strict=True)]
    image = first.images[at[0]].astype(np.float32)
    return Pair(image, first.masks[at[0]], epochs.tolist(), *rows, title=f"{split} {sample}")
