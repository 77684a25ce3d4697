"""A planted artifact: which samples carry it, what it looks like, where it goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, zeros
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts.overlay import Paste
from unhans.artifacts.placement import Placement, check_placement, place
from unhans.class_names import class_index

_SPLITS = ("train", "val")


class Layered(Protocol):
    """An artifact: an RGBA layer that has its place on every sample."""

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        ...


class Artifact(ABC):
    """An RGBA stamp that a known share of one class's samples carries.

    target: class name, or index into the classes. coverage, val_coverage: share in [0, 1] of the target's
    training and validation samples. opacity: in (0, 1]. seed: decides carriers and random places.
    Raises ValueError for a number outside its range.
    """

    def __init__(
        self,
        target: int | str,
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.target = target
        self.coverage = check_share("coverage", coverage)
        self.val_coverage = check_share("val_coverage", val_coverage)
        self.opacity = check_positive_share("opacity", opacity)
        if seed < 0:
            raise ValueError(f"an artifact's seed must be 0 or more, got {seed}")
        self.seed = seed
        self._stamps: dict[tuple[int, int], Tensor] = {}

    @abstractmethod
    def draw(self, height: int, width: int) -> Image.Image:
        """Return the artifact as an RGBA picture, no larger than an image of (height, width) pixels."""

    def target_index(self, classes: Sequence[str]) -> int:
        """Return the target's index among the classes; ValueError where there is no such class."""
        if isinstance(self.target, str):
            return class_index(self.target, classes, "the artifact's target")
        if not 0 <= self.target < len(classes):
            last = len(classes) - 1
            raise ValueError(f"the artifact's target must be a class name or an index 0 … {last}, got {self.target}")
        return self.target

    def carriers(
        self, labels: NDArray[np.int64], classes: Sequence[str], split: Literal["train", "val"]
    ) -> NDArray[np.bool_]:
        """Return which samples carry the artifact: exactly round(coverage · n) of the target's n.

        labels: (n,) in the order of the sample indices. With the same seed a higher coverage keeps the carriers
        of a lower one. Returns (n,) bool.
        """
        members = np.flatnonzero(np.asarray(labels) == self.target_index(classes))
        coverage = self.coverage if split == "train" else self.val_coverage
        rng = np.random.default_rng([self.seed, _SPLITS.index(split)])
        carriers = np.zeros(len(labels), dtype=bool)
        carriers[rng.permutation(members)[: round(coverage * len(members))]] = True
        return carriers

    def layer(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return the artifact at this sample's place: (4, H, W) RGBA in [0, 1], opacity included.

        size: (H, W) in pixels, or one number for a square.
        """
        height, width = (size, size) if isinstance(size, int) else size
        stamp = self._stamp(height, width)
        top, left = self._place(index, (height - stamp.shape[1], width - stamp.shape[2]))
        layer = zeros(4, height, width)
        layer[:, top : top + stamp.shape[1], left : left + stamp.shape[2]] = stamp
        return layer

    def paste(self, image: Tensor, index: int) -> Tensor:
        """Return the image (3, H, W) in [0, 1] with the artifact at this sample's place."""
        return Paste(self.layer(index, image.shape[-2:]))(image)

    def mask(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return how much of each pixel the artifact covers: (H, W), alpha times opacity."""
        return self.layer(index, size)[3]

    def look(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return what, with the image, decides how this sample looks: the layer."""
        return self.layer(index, size)

    def _place(self, index: int, room: tuple[int, int]) -> tuple[int, int]:
        return 0, 0

    def _stamp(self, height: int, width: int) -> Tensor:
        if (height, width) not in self._stamps:
            stamp = pil_to_tensor(self.draw(height, width)) / 255
            stamp[3] *= self.opacity
            self._stamps[height, width] = stamp
        return self._stamps[height, width]


class PlacedArtifact(Artifact):
    """An artifact smaller than the image, at a fixed corner, a random corner or a random position."""

    def __init__(
        self,
        target: int | str,
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        placement: Placement = "bottom_right",
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, opacity, seed)
        self.placement = check_placement(placement)

    def _place(self, index: int, room: tuple[int, int]) -> tuple[int, int]:
        return place(self.placement, room, index, self.seed)


def check_share(name: str, value: float) -> float:
    """Return the value, or raise ValueError outside [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"an artifact's {name} must lie in [0, 1], got {value}")
    return value


def check_positive_share(name: str, value: float) -> float:
    """Return the value, or raise ValueError outside (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f"an artifact's {name} must lie in (0, 1], got {value}")
    return value
