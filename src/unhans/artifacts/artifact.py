"""A planted artifact: which samples carry it, what it looks like, where it goes; and putting any artifact on images.

A layer is laid over images, a transform of whole images is applied to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts.overlay import CORNERS, Paste, Placement, blend, check_placement, covered, in_corner, on_canvas
from unhans.artifacts.transforms import Transform
from unhans.class_names import class_index

_SPLITS = ("train", "val")


def place(placement: Placement, room: tuple[int, int], index: int, seed: int) -> tuple[int, int]:
    """Return (top, left) in pixels, a function of the seed and the sample's index alone [004 decoys].

    room: (vertical, horizontal) pixels by which the image is larger than the artifact.
    """
    rng = np.random.default_rng([seed, index])
    if placement == "random_position":
        top, left = rng.integers(0, room, endpoint=True)
        return int(top), int(left)
    return in_corner(str(rng.choice(CORNERS)) if placement == "random_corner" else placement, room)


class Layered(Protocol):
    """An artifact: an RGBA layer that has its place on every sample."""

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1]."""
        ...


class Artifact(ABC):
    """An RGBA stamp that a known share of one class's samples carries.

    Args:
        target: class name, or index into the classes.
        coverage, val_coverage: share in [0, 1] of the target's training and validation samples.
        opacity: in (0, 1].
        seed: decides carriers and random places.

    Raises:
        ValueError: a number is outside its range.
    """

    def __init__(
        self, target: int | str, coverage: float = 0.5, val_coverage: float = 0.0, opacity: float = 1.0, seed: int = 0
    ) -> None:
        self.target = target
        self.coverage = check_share("coverage", coverage, positive=False)
        self.val_coverage = check_share("val_coverage", val_coverage, positive=False)
        self.opacity = check_share("opacity", opacity)
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
        room = height - stamp.shape[1], width - stamp.shape[2]
        return on_canvas(stamp, (height, width), self._place(index, room))

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

    def __init__(self, target: int | str, placement: Placement = "bottom_right", **options: Any) -> None:
        super().__init__(target, **options)
        self.placement = check_placement(placement)

    def redrawn(self, epoch: int) -> PlacedArtifact:
        """Return the artifact with the random places that it takes in an epoch."""
        other = copy(self)
        other.seed = epoch_seed(self.seed, epoch)
        return other

    def _place(self, index: int, room: tuple[int, int]) -> tuple[int, int]:
        return place(self.placement, room, index, self.seed)


def check_share(name: str, value: float, positive: bool = True) -> float:
    """Return the value, or raise ValueError outside (0, 1]; 0 is a share as well where it need not be positive."""
    if not (0 < value <= 1 or (value == 0 and not positive)):
        raise ValueError(f"an artifact's {name} must lie in {'(' if positive else '['}0, 1], got {value}")
    return value


def redrawn(artifact: Layered, epoch: int) -> Layered:
    """Return an artifact as it is drawn in an epoch: its random places and prototypes anew, by its seed and the epoch.

    One that has a method `redrawn(epoch)` does so; every other one, and each in epoch 0, stays as it is.
    """
    own: Any = getattr(artifact, "redrawn", None)
    return artifact if own is None or not epoch else own(epoch)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of what is drawn in an epoch; that of epoch 0 is the seed itself."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]) if epoch else seed


def put_on(artifact: Layered, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
    """Return images (n, 3, H, W) in [0, 1] of samples (n,) with an artifact on them.

    One that has a `transform` applies it; one that knows better, by a method `put_on(images, indices)`, does so; every
    other one has layers, which are laid over the images.

    Raises:
        ValueError: the artifact is of another size.
    """
    own: Any = getattr(artifact, "put_on", None)
    if own is not None:
        return own(images, indices)
    transform = transform_of(artifact)
    return (
        blend(images, layers_of(artifact, indices, tuple(images.shape[-2:])))
        if transform is None
        else transform.apply(images)
    )


def layers_of(artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> Tensor:
    """Return the artifact's layers on samples: (n, 4, H, W); ValueError for one of another size."""
    layers = [artifact.layer(int(index), size) for index in indices]
    for shape in {tuple(layer.shape) for layer in layers} - {(4, *size)}:
        raise ValueError(f"an artifact's layer must be RGBA of the image's size: expected {(4, *size)}, got {shape}")
    return torch.stack(layers)


def transform_of(artifact: Any) -> Transform | None:
    """Return what an artifact does to whole images; None for one that has layers."""
    return getattr(artifact, "transform", None)


def is_whole(artifact: Any) -> bool:
    """Tell whether an artifact lies on whole images, so that no part of them is inside it."""
    return transform_of(artifact) is not None


def can_be_put_on(artifact: Any) -> bool:
    """Tell whether an isolated artifact has a layer or a transform."""
    return artifact is not None and (bool(artifact.layers) or is_whole(artifact))


def covered_by(artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels the artifact covers on samples: (n, H, W), all of them for one of whole images."""
    if is_whole(artifact):
        return np.ones((len(indices), *size), dtype=bool)
    return covered(layers_of(artifact, indices, size)[:, 3].numpy())


def check_part(artifact: Any, what: str) -> None:
    """Raise ValueError for an artifact of whole images; what: needs a part of them, as "right_reasons"."""
    if is_whole(artifact):
        raise ValueError(
            f"{what} needs an artifact that covers a part of the image, but the artifact covers the whole image."
        )


def check_fits(artifact: Layered, size: tuple[int, int]) -> None:
    """Raise ValueError for an artifact that cannot be put on images of this size."""
    if is_whole(artifact):
        put_on(artifact, torch.zeros(1, 3, *size), np.zeros(1, dtype=np.int64))
    else:
        artifact.layer(0, size)
