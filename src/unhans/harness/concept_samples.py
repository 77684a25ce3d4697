"""From which samples a concept activation vector is fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Layered
from unhans.data import PixelScale, carriers_of, laid, read_batches
from unhans.effects import drawn, evenly

Indices = Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ConceptData:
    """Samples with and without an artifact.

    Either data-set indices: affected, and unaffected (None: the other samples of the affected ones' classes), as
    numbers or as (N,) bool. Or an artifact that is laid over samples of all classes, each of which then is in both
    groups. samples: of each group, at most, drawn by the seed.
    """

    affected: Indices | None
    unaffected: Indices | None
    artifact: Layered | None
    samples: int
    seed: int

    def read(
        self, dataset: Dataset, labels: NDArray[np.int64], scale: PixelScale | None, size: int, features: Features
    ) -> tuple[Tensor, NDArray[np.bool_]]:
        """Return activations (n, C, H, W) and which of them are affected (n,), `size` images at once.

        Raises ValueError where a group is empty or an index lies outside the data set.
        """
        groups = self._groups(labels, carriers_of(dataset))
        found, affected = [], []
        for group, pasted in groups:
            for images, kept, _ in read_batches(dataset, group, size):
                if len(kept):
                    inputs = laid(images, self.artifact, kept, scale) if pasted == "pasted" else images
                    found.append(features(inputs))
                    affected += [pasted != "without"] * len(kept)
        which = np.array(affected, dtype=bool)
        if not which.any() or which.all():
            raise ValueError("a concept needs samples with and without the artifact; none of one group can be read.")
        return torch.cat(found), which

    def _groups(self, labels: NDArray[np.int64], carriers: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], str]]:
        if self.artifact is not None:
            pool = np.flatnonzero((labels >= 0) & ~carriers)
            if not len(pool):
                raise ValueError("a concept needs samples to lay the artifact over, got none without it.")
            chosen = evenly(labels, pool, self.samples, self.seed)
            return [(chosen, "pasted"), (chosen, "without")]
        affected = _numbers("affected", self.affected, len(labels))
        if self.unaffected is None:
            others = np.flatnonzero(np.isin(labels, labels[affected]) & (labels >= 0))
            unaffected = np.setdiff1d(others, affected)
        else:
            unaffected = _numbers("unaffected", self.unaffected, len(labels))
        if not len(unaffected):
            raise ValueError("unaffected expects at least one sample without the artifact, got none.")
        chosen = [drawn(group, self.samples, self.seed) for group in (affected, unaffected)]
        return [(chosen[0], "with"), (chosen[1], "without")]


def _numbers(name: str, given: Indices | None, n: int) -> NDArray[np.int64]:
    """Indices from numbers or from (n,) bool."""
    array = np.asarray([] if given is None else given)
    if array.dtype == bool:
        if array.shape != (n,):
            raise ValueError(f"{name} expects ({n},) bool for the data set's {n} samples, got shape {array.shape}.")
        array = np.flatnonzero(array)
    if not array.size:
        raise ValueError(f"{name} expects at least one sample, got none.")
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= n:
        raise ValueError(f"{name} expects indices 0 … {n - 1} of the data set, got others.")
    return array.astype(np.int64)
