"""An artifact whose carriers are known, on a bench: which image carries it, where it lies, how it looks without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Layered, Transform, put_on, transform_of
from unhans.effects import Bench, Case

Source = Literal["planted", "isolated", "picture"]


@dataclass(frozen=True)
class KnownArtifact:
    """An artifact of one class and the samples that carry it: what a repair starts from.

    Attributes:
        artifact: its layer on every sample, by the sample's index in its own split.
        label, class_name: of the class that it belongs to.
        name: of the planted artifact, of the picture's file, or the kind of the isolated one.
        source: where it is known from.
        carriers: by split, "train" and "val", (N,) the samples that carry it, all False where nobody knows.
        mask: (split, index) → (H, W), where it lies on a sample that carries it.
        clean: (split, index) → (3, H, W) in [0, 1], the sample's image without it: as it was before it was planted,
            else inpainted; samples that do not carry it as they are; it raises UnreadableImageError where a file
            cannot be read.
        case: of an isolated one; it tells whether the network uses it.
        other_network: whether the case was measured on another network than the one to repair.
    """

    artifact: Layered
    label: int
    class_name: str
    name: str
    source: Source
    carriers: Mapping[str, NDArray[np.bool_]]
    mask: Callable[[str, int], NDArray[np.bool_]]
    clean: Callable[[str, int], Tensor]
    case: Case | None = None
    other_network: bool = False


@dataclass(frozen=True)
class OnBench:
    """A known artifact by the indices of a bench.

    Attributes:
        bench: the network and a data set.
        known: the artifact.
        splits: by name, "val" and possibly "train", the bench's indices of a split's samples in the order that they
            have there.

    Raises:
        ValueError: splits of other lengths than the carriers, and none called "val".
    """

    bench: Bench
    known: KnownArtifact
    splits: Mapping[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        if "val" not in self.splits:
            raise ValueError(
                f"an assessment needs the indices of the split 'val', got {', '.join(self.splits) or 'none'}"
            )
        for name, indices in self.splits.items():
            if len(self.known.carriers[name]) != len(indices):
                raise ValueError(
                    f"the carriers must be known of all {len(indices)} samples of split {name!r}, "
                    f"got {len(self.known.carriers[name])}"
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
            places = (self._places[int(index)] for index in kept)
            rows = [row for row, (split, own) in enumerate(places) if self.known.carriers[split][own]]
            if rows:
                images = images.clone()
                images[rows] = torch.stack([self.clean(int(kept[row])) for row in rows]).to(images)
            return images, kept

        return replace(self.bench, read=read)

    def carriers(self, split: str) -> NDArray[np.int64]:
        """Return the samples of a split that carry the artifact; none where the bench does not hold the split."""
        if split not in self.splits:
            return np.zeros(0, dtype=np.int64)
        return self.splits[split][self.known.carriers[split]]

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        return self.known.artifact.layer(self._places[index][1], size)

    @property
    def transform(self) -> Transform | None:
        """What the artifact does to whole images; None where it has layers."""
        return transform_of(self.known.artifact)

    def put_on(self, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] of samples (n,) with the artifact."""
        own = np.array([self._places[int(index)][1] for index in indices], dtype=np.int64)
        return put_on(self.known.artifact, images, own)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return where the artifact lies on a sample that carries it: (H, W)."""
        return self.known.mask(*self._places[index])

    def clean(self, index: int) -> Tensor:
        """Return a sample's image without the artifact: (3, H, W) in [0, 1]."""
        return self.known.clean(*self._places[index])
