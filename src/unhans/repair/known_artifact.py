"""An artifact whose carriers are known, on a bench: which image carries it, where it lies, how it looks without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, put_on, transform_of
from unhans.artifacts.transforms import Transform
from unhans.effects import Bench


class Carried(Protocol):
    """An artifact of one class, and the samples that carry it; every index counts in the sample's own split.

    As `unhans.harness.affected_class.Affected`, which says more about it.
    """

    @property
    def artifact(self) -> Layered:
        """Its layer on every sample."""
        ...

    @property
    def label(self) -> int:
        """The class that it belongs to."""
        ...

    @property
    def source(self) -> str:
        """Where it is known from: "planted", "isolated" or "picture"."""
        ...

    @property
    def carriers(self) -> Mapping[str, NDArray[np.bool_]]:
        """The samples of each split that carry it."""
        ...

    @property
    def mask(self) -> Callable[[str, int], NDArray[np.bool_]]:
        """Where it lies on a sample."""
        ...

    @property
    def clean(self) -> Callable[[str, int], Tensor]:
        """A sample's image without it."""
        ...


@dataclass(frozen=True)
class OnBench:
    """A known artifact by the indices of a bench.

    splits: by name, "val" and possibly "train", the bench's indices of a split's samples in the order that they have
    there. Raises ValueError for splits of other lengths than the carriers, and without "val".
    """

    bench: Bench
    affected: Carried
    splits: Mapping[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        if "val" not in self.splits:
            raise ValueError(
                f"an assessment needs the indices of the split 'val', got {', '.join(self.splits) or 'none'}"
            )
        for name, indices in self.splits.items():
            if len(self.affected.carriers[name]) != len(indices):
                raise ValueError(
                    f"the carriers must be known of all {len(indices)} samples of split {name!r}, "
                    f"got {len(self.affected.carriers[name])}"
                )

    @cached_property
    def _places(self) -> dict[int, tuple[str, int]]:
        """Split and own index of every sample."""
        return {int(i): (name, own) for name, indices in self.splits.items() for own, i in enumerate(indices)}

    @cached_property
    def cleaned(self) -> Bench:
        """The bench, reading those that carry the artifact without it."""

        def read(indices: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
            images, kept = self.bench.read(indices)
            rows = [row for row, index in enumerate(kept) if self._carries(int(index))]
            if rows:
                images = images.clone()
                images[rows] = torch.stack([self.clean(int(kept[row])) for row in rows]).to(images)
            return images, kept

        return replace(self.bench, read=read)

    def carriers(self, split: str) -> NDArray[np.int64]:
        """Return the samples of a split that carry the artifact; none where the bench does not hold the split."""
        if split not in self.splits:
            return np.zeros(0, dtype=np.int64)
        return self.splits[split][self.affected.carriers[split]]

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        return self.affected.artifact.layer(self._places[index][1], size)

    @property
    def transform(self) -> Transform | None:
        """What the artifact does to whole images; None where it has layers."""
        return transform_of(self.affected.artifact)

    def put_on(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] of samples (n,) with the artifact."""
        own = np.array([self._places[int(index)][1] for index in indices], dtype=np.int64)
        return put_on(self.affected.artifact, images, own)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return where the artifact lies on a sample that carries it: (H, W)."""
        return self.affected.mask(*self._places[index])

    def clean(self, index: int) -> Tensor:
        """Return a sample's image without the artifact: (3, H, W) in [0, 1]."""
        return self.affected.clean(*self._places[index])

    def _carries(self, index: int) -> bool:
        split, own = self._places[index]
        return bool(self.affected.carriers[split][own])
