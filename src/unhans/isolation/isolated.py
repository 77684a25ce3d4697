"""An artifact taken out of the images of a cluster: its layers, where it lies, and what finds it elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, zeros
from torchvision.transforms.v2.functional import to_pil_image

from unhans.artifacts import place
from unhans.artifacts.transforms import Transform

Kind = Literal["fixed", "free", "global"]


class NothingIsolatedError(ValueError):
    """No artifact could be isolated from a cluster; the message is one sentence that says why."""


@dataclass(frozen=True)
class Match:
    """Which of n images carry an artifact.

    carries: (n,) bool; scores: (n,), higher = more surely; masks: (n, H, W) bool, where it lies, all False on images
    that do not carry it.
    """

    carries: NDArray[np.bool_]
    scores: NDArray[np.floating]
    masks: NDArray[np.bool_]


class Detector(Protocol):
    """Finds one artifact in images that it has not seen; it can be pickled and holds no state of a run."""

    def match(self, images: Tensor) -> Match:
        """Look for the artifact in images (n, 3, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class Isolated:
    """The artifact of a cluster of n images.

    kind: "fixed": always at the same place; "free": at changing places; "global": on whole images. layers: RGBA
    (4, h, w) in [0, 1]: one of the image's size (fixed), cropped prototypes, the most frequent first (free), none
    (global). members: (n,) the images that carry it, by matching (free) or by cross-fitted scores (fixed, global).
    masks: (n, H, W) where it lies on each, all False where it does not. detector: finds it in other images. separation:
    area under the ROC curve of the given cluster's members against the others, by scores of what was fitted without
    them; of a fixed or global one cross-fitted, as all samples refined the groups. places: (n, 4) top, left, bottom,
    right of the masks in pixels, the last two exclusive, zeros where it does not lie. sentence: all this in plain
    words. seed: of a free layer's random places. transform: what a global one does to images, None for others.
    """

    kind: Kind
    layers: tuple[Tensor, ...]
    members: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    detector: Detector | None
    separation: float
    places: NDArray[np.int64]
    sentence: str
    seed: int = 0
    transform: Transform | None = None

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1].

        A free one: a prototype, and the place of a member's artifact (anywhere, where none is known), drawn from the
        seed and the index alone. Raises ValueError for a global artifact, and for an image that is not of a fixed
        layer's size or smaller than a free one's.
        """
        if not self.layers:
            raise ValueError(f"a {self.kind} artifact has no layer that could be laid over an image")
        if self.kind == "fixed":
            return _of_size(self.layers[0], size)
        layer = self.layers[self._prototype(index)]
        return _placed(layer, size, self._corner(index, layer, size))

    def pictures(self) -> dict[str, Image.Image]:
        """Return the layers as RGBA pictures by name: "layer", or "prototype_1" and so on.

        Saved as PNG they can be planted with `Patch(file=…, size=None)`, a fixed one at `placement="top_left"`.
        """
        names = ["layer"] if self.kind == "fixed" else [f"prototype_{k + 1}" for k in range(len(self.layers))]
        return {name: to_pil_image(layer, mode="RGBA") for name, layer in zip(names, self.layers, strict=True)}

    def _corner(self, index: int, layer: Tensor, size: tuple[int, int]) -> tuple[int, int]:
        """Where a prototype goes: its middle to that of a member's artifact, as nearly as it fits."""
        room = size[0] - layer.shape[1], size[1] - layer.shape[2]
        if min(room) < 0:
            raise ValueError(f"the artifact is larger than the image: {tuple(layer.shape[1:])} on {tuple(size)} pixels")
        known = self.places[self.members & (self.places[:, 2] > self.places[:, 0])]
        if not len(known):
            return place("random_position", room, index, self.seed)
        box = known[np.random.default_rng([self.seed, index, 2]).integers(len(known))]
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        top, left = (
            int(np.clip(round(m - side / 2), 0, free))
            for m, side, free in zip(middle, layer.shape[1:], room, strict=True)
        )
        return top, left

    def _prototype(self, index: int) -> int:
        return int(np.random.default_rng([self.seed, index, 1]).integers(len(self.layers)))


def free_artifact(
    layers: tuple[Tensor, ...], detector: Detector, match: Match, separation: float, sentence: str, seed: int
) -> Isolated:
    """Return a free artifact from its prototypes, its detector and what that found in the images."""
    places = boxes(match.masks)
    return Isolated("free", layers, match.carries, match.masks, detector, separation, places, sentence, seed)


def boxes(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the box of each mask: (n, H, W) → (n, 4).

    Top, left, bottom, right in pixels, the last two exclusive; zeros for an empty mask.
    """
    (top, bottom), (left, right) = _span(masks.any(2)), _span(masks.any(1))
    return np.stack([top, left, bottom, right], axis=1)


def _span(rows: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    some = rows.any(1)
    first, last = rows.argmax(1), rows.shape[1] - rows[:, ::-1].argmax(1)
    return np.where(some, first, 0), np.where(some, last, 0)


def _of_size(layer: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(layer.shape[1:]) != tuple(size):
        raise ValueError(
            f"a fixed artifact's layer fits images of its own size: expected {tuple(layer.shape[1:])} pixels, "
            f"got {tuple(size)}"
        )
    return layer


def _placed(layer: Tensor, size: tuple[int, int], corner: tuple[int, int]) -> Tensor:
    top, left = corner
    placed = zeros(4, *size)
    placed[:, top : top + layer.shape[1], left : left + layer.shape[2]] = layer
    return placed
