"""An artifact taken out of a cluster's images: its layers, where it lies, what finds it; or why there is none.

What was found of it are numbers and codes, which `unhans.report.text` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import to_pil_image

from unhans.artifacts import Transform, epoch_seed, on_canvas, place

Reason = Literal[
    "too few images",
    "no positive relevance",
    "nothing at a fixed place",
    "parts disagree",
    "irrelevant parts",
    "no common shape",
    "shape too rare",
    "no cutout",
    "no own colours",
    "colours elsewhere",
    "colours everywhere",
    "numbers alike",
    "one group",
    "no transform",
    "more than a transform",
]


@dataclass(frozen=True)
class Failure:
    """Why nothing was isolated: the reason, and by name the numbers that decided.

    `unhans.report.text.failure_said` says it in words.
    """

    reason: Reason
    values: Mapping[str, int | float | str] = field(default_factory=dict)

    def __str__(self) -> str:
        values = (f"{name} {v:.3g}" if isinstance(v, float) else f"{name} {v}" for name, v in self.values.items())
        return f"{self.reason} ({', '.join(values)})" if self.values else self.reason


class NothingIsolatedError(ValueError):
    """No artifact could be isolated from a cluster, for these reasons."""

    def __init__(self, *failures: Failure) -> None:
        super().__init__(*failures)
        self.failures = distinct(failures)

    def __str__(self) -> str:
        return "; ".join(map(str, self.failures))


def distinct(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return the failures, each once."""
    every = tuple(failures)
    return tuple(each for i, each in enumerate(every) if each not in every[:i])


Position = Literal[
    "rim", "corners", "top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right"
]


@dataclass(frozen=True)
class LeftPart:
    """A part of a fixed mark that is shared as well, but not kept as the network hardly looks at it.

    Attributes:
        position: where it lies.
        pixels: how many it has.
        density: its relevance, as a multiple of the map's mean.
    """

    position: Position
    pixels: int
    density: float


@dataclass(frozen=True)
class FixedEvidence:
    """What was found of a mark at a fixed place.

    Attributes:
        position: where it lies.
        share: of the image that it covers.
        opacity: its median alpha.
        faint: its relevance as a multiple of the map's mean, where that is below 1; else None.
        left: parts that were not kept.
        settled: whether the search for the images that show it came to an end; otherwise a few may be missed or wrong.
    """

    position: Position
    share: float
    opacity: float
    faint: float | None = None
    left: tuple[LeftPart, ...] = ()
    settled: bool = True


@dataclass(frozen=True)
class FreeEvidence:
    """In how many images something at changing places was found.

    Attributes:
        by: what it is known by: one shape, or colours alone.
        inside: in how many images of the cluster, and how many these are.
        outside: the same of the images beside the cluster.
        lent: images of other classes among these.
    """

    by: Literal["shape", "colour"]
    inside: tuple[int, int]
    outside: tuple[int, int]
    lent: int = 0


@dataclass(frozen=True)
class GlobalEvidence:
    """How well a transform explains what a cluster's images differ in.

    Attributes:
        p_value: of the held-out scores by which the images carry it, under permuted memberships.
        before: held-out area under the ROC curve of all numbers together, the cluster against the rest as it is.
        after: the same against the rest with the transform, which was estimated from other images; ½ is chance.
    """

    p_value: float
    before: float
    after: float

    @property
    def explained(self) -> float:
        """How much of what tells the groups apart is gone: 1 is all, 0 nothing."""
        return float(np.clip((self.before - self.after) / max(self.before - 0.5, 1e-6), 0, 1))


Evidence = FixedEvidence | FreeEvidence | GlobalEvidence


Kind = Literal["fixed", "free", "global"]


@dataclass(frozen=True)
class Match:
    """Which of n images carry an artifact.

    Attributes:
        carries: (n,) bool.
        scores: (n,), higher = more surely.
        masks: (n, H, W) bool, where it lies, all False on images that do not carry it.
    """

    carries: NDArray[np.bool_]
    scores: NDArray[np.floating]
    masks: NDArray[np.bool_]


@runtime_checkable
class Detector(Protocol):
    """Finds one artifact in images that it has not seen; it can be pickled and holds no state of a run."""

    def match(self, images: Tensor) -> Match:
        """Look for the artifact in images (n, 3, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class Isolated:
    """The artifact of a cluster of n images.

    Attributes:
        kind: "fixed": always at the same place; "free": at changing places; "global": on whole images.
        layers: RGBA (4, h, w) in [0, 1]: one of the image's size (fixed), cropped prototypes, the most frequent first
            (free), none (global).
        members: (n,) the images that carry it, by matching (free) or by cross-fitted scores (fixed, global).
        masks: (n, H, W) where it lies on each, all False where it does not.
        detector: finds it in other images.
        separation: area under the ROC curve of the given cluster's members against the others, by scores of what was
            fitted without them; of a fixed or global one cross-fitted, as all samples refined the groups.
        places: (n, 4) top, left, bottom, right of the masks in pixels, the last two exclusive, zeros where it does not
            lie.
        evidence: what was found of it, by its kind; None where it was not isolated here.
        seed: of a free layer's random places.
        transform: what a global one does to images, None for others.
    """

    kind: Kind
    layers: tuple[Tensor, ...]
    members: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    detector: Detector | None
    separation: float
    places: NDArray[np.int64]
    evidence: Evidence | None = None
    seed: int = 0
    transform: Transform | None = None

    @property
    def known_places(self) -> NDArray[np.int64]:
        """The places (k, 4) of the members on which it is known where it lies."""
        return self.places[self.members & (self.places[:, 2] > self.places[:, 0])]

    def layer(self, index: int, size: tuple[int, int]) -> Tensor:
        """Return the artifact at the place that it takes on this sample: (4, H, W) RGBA in [0, 1].

        A free one: a prototype, and the place of a member's artifact (anywhere, where none is known), drawn from the
        seed and the index alone.

        Raises:
            ValueError: the artifact is global, or the image is not of a fixed layer's size or smaller than a free
                one's.
        """
        if not self.layers:
            raise ValueError(f"a {self.kind} artifact has no layer that could be laid over an image")
        if self.kind == "fixed":
            own = tuple(self.layers[0].shape[1:])
            if own != tuple(size):
                raise ValueError(
                    f"a fixed artifact's layer fits images of its own size: expected {own} pixels, got {tuple(size)}"
                )
            return self.layers[0]
        layer = self.layers[int(np.random.default_rng([self.seed, index, 1]).integers(len(self.layers)))]
        return on_canvas(layer, size, self._corner(index, layer, size))

    def redrawn(self, epoch: int) -> Isolated:
        """Return a free artifact whose prototypes and places are drawn anew for an epoch; others do not change."""
        return replace(self, seed=epoch_seed(self.seed, epoch)) if self.kind == "free" else self

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
        known = self.known_places
        if not len(known):
            return place("random_position", room, index, self.seed)
        box = known[np.random.default_rng([self.seed, index, 2]).integers(len(known))]
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        top, left = (
            int(np.clip(round(m - side / 2), 0, free))
            for m, side, free in zip(middle, layer.shape[1:], room, strict=True)
        )
        return top, left


def free_artifact(
    by: Literal["shape", "colour"],
    layers: tuple[Tensor, ...],
    detector: Detector,
    match: Match,
    cluster: NDArray[np.bool_],
    separation: float,
    seed: int,
) -> Isolated:
    """Return a free artifact from its prototypes, its detector and what that found; cluster: (n,) bool."""
    inside, outside = ((int(match.carries[group].sum()), int(group.sum())) for group in (cluster, ~cluster))
    evidence, places = FreeEvidence(by, inside, outside), boxes(match.masks)
    return Isolated("free", layers, match.carries, match.masks, detector, separation, places, evidence, seed)


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
