"""Samples that carry an artifact, with where it lies on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unhans.artifacts import Layered, check_part, covered_by
from unhans.class_names import class_index
from unhans.data import carriers_of, laid, read_samples, scale_of
from unhans.effects import check_label, drawn
from unhans.harness.network_bench import class_names, planted_in

Masks = Callable[[NDArray[np.int64]], Any]


@dataclass(frozen=True)
class Carrying:
    """n samples that carry the artifact of a class.

    label: the class; index: (n,) in the data set; inputs: (n, C, H, W) as the network takes them; mask: (n, H, W) bool.
    """

    label: int
    index: NDArray[np.int64]
    inputs: Tensor
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Wanted:
    """Which samples to follow; see `MaskRelevance`."""

    target: int | str | None
    masks: Masks | None
    artifact: Layered | None
    indices: NDArray[np.int64] | None
    samples: int
    seed: int

    def of(self, dataset: Dataset, labels: NDArray[np.int64]) -> Carrying:
        """Read the samples; ValueError where there are none, or the artifact or its class does not fit them."""
        label, artifact, carriers = self._resolved(dataset, labels)
        check_part(artifact, "following relevance inside an artifact")
        pool = carriers if carriers.any() else (labels == label) & ~carriers_of(dataset)
        index = drawn(np.flatnonzero(pool), self.samples, self.seed) if self.indices is None else self.indices
        if len(index) and (index.min() < 0 or index.max() >= len(labels)):
            raise ValueError(f"indices expects numbers 0 … {len(labels) - 1} of the data set, got others.")
        inputs, kept = read_samples(dataset, index)
        if not len(kept):
            raise ValueError(f"at least one sample that carries the artifact is needed, got none of class {label}.")
        if artifact is None:
            return Carrying(label, kept, inputs, self._given(kept, inputs))
        bare = ~carriers[kept]
        if bare.any():
            inputs[bare] = laid(inputs[bare], artifact, kept[bare], scale_of(dataset, self.seed))
        return Carrying(label, kept, inputs, opaque(artifact, kept, inputs))

    def _resolved(self, dataset: Dataset, labels: NDArray[np.int64]) -> tuple[int, Layered | None, NDArray[np.bool_]]:
        """The class, the artifact, and which samples carry it by themselves."""
        names, nobody = class_names(dataset, labels), np.zeros(len(labels), dtype=bool)
        planted = planted_in(dataset) if self.masks is None and self.artifact is None else None
        if planted is not None:
            return planted.target, planted, planted.carriers & (labels == planted.target)
        if self.target is None:
            raise ValueError("the data set plants no artifact of its own; give artifact= or masks=, and target=.")
        if isinstance(self.target, str):
            return class_index(self.target, names, "target"), self.artifact, nobody
        return check_label(self.target, names), self.artifact, nobody

    def _given(self, index: NDArray[np.int64], inputs: Tensor) -> NDArray[np.bool_]:
        found = self.masks(index) if self.masks is not None else None
        mask = np.asarray(found) > 0
        if mask.shape != (len(index), *inputs.shape[-2:]) or not mask.any((1, 2)).all():
            expected = (len(index), *inputs.shape[-2:])
            raise ValueError(f"masks expects to return masks {expected}, none of them empty, got shape {mask.shape}.")
        return mask


def opaque(artifact: Layered, index: NDArray[np.int64], inputs: Tensor) -> NDArray[np.bool_]:
    """Return where an artifact lies on samples (n, H, W): where it is more than half as opaque as at most."""
    return covered_by(artifact, index, (inputs.shape[-2], inputs.shape[-1]))
