"""A picture at places that a person chose: on every image its own, with a scale and an angle [000 table 3]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import rotate

from unhans.artifacts.overlay import scaled
from unhans.artifacts.shapes import Patch


@dataclass(frozen=True)
class HandPlace:
    """Where a layer lies on one image.

    Attributes:
        x, y: of the centre of the layer, in pixels of the square image that the network sees, from its left and upper
            edge; (0, 0) is the corner of the image at the top left.
        scale: factor on the layer's own pixels.
        angle: degrees anticlockwise, round the centre.
    """

    x: float
    y: float
    scale: float = 1.0
    angle: float = 0.0


class HandPlaced(Patch):
    """A picture that lies on each of some images at a place of its own, and on no other.

    What is fully transparent round the picture is left out, so that its centre is that of what is seen. Its edges lie
    on whole pixels; what reaches beyond the image is cut.

    Args:
        target, file, size, options: as of `Patch`; a picture may be larger than the image.
        places: by the index of the sample.
    """

    def __init__(self, target: int | str, file: str, places: Mapping[int, HandPlace], **options: Any) -> None:
        super().__init__(target, file, **options)
        self.places = dict(places)

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the picture at its size without what is transparent round it."""
        picture = self._picture if self.size is None else super().draw(height, width)
        return picture.crop(picture.getchannel("A").getbbox() or (0, 0, *picture.size))

    def layer(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return the picture at this sample's place: (4, H, W) RGBA in [0, 1]; KeyError where it has none."""
        height, width = (size, size) if isinstance(size, int) else size
        return self._cut(index, height, width).layer

    def reaches_beyond(self, index: int, size: tuple[int, int]) -> bool:
        """Tell whether something of the picture that is seen lies outside the image."""
        return self._cut(index, *size).lost

    def _cut(self, index: int, height: int, width: int) -> _Cut:
        place = self.places[index]
        stamp = turned(scaled(self._stamp(height, width), place.scale), place.angle)
        top, left = (
            math.floor(at - length / 2 + 0.5)
            for at, length in zip((place.y, place.x), stamp.shape[1:], strict=True)
        )  # fmt: skip
        canvas = torch.zeros(4, height, width)
        rows, columns = _overlap(top, stamp.shape[1], height), _overlap(left, stamp.shape[2], width)
        inside = stamp[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        canvas[:, rows, columns] = inside
        return _Cut(canvas, bool((stamp[3] > 0).sum() > (inside[3] > 0).sum()))


class _Cut(NamedTuple):
    """A layer of an image's size, and whether something of the picture lies outside."""

    layer: Tensor
    lost: bool


def turned(layer: Tensor, angle: float) -> Tensor:
    """Return the layer (4, h, w) turned by degrees anticlockwise, as large as it needs; colours weigh as alpha does."""
    if angle % 90 == 0:
        return torch.rot90(layer, int(angle // 90) % 4, (1, 2))
    weighted = torch.cat([layer[:3] * layer[3:], layer[3:]])
    round_ = rotate(weighted, angle, InterpolationMode.BILINEAR, expand=True).clamp(0, 1)
    alpha = round_[3:]
    return torch.cat([(round_[:3] / alpha.clamp(min=1e-6)).clamp(0, 1), alpha])


def _overlap(start: int, length: int, size: int) -> slice:
    """The part of start … start + length that lies in 0 … size; empty where none does."""
    low, high = max(0, start), min(size, start + length)
    return slice(low, max(low, high)) if low < size else slice(size, size)
