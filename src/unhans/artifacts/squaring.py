"""Six ways to make an image square, and windows that make it oblong first [003 §6.3.1, figures 6.9 and 6.10]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import InterpolationMode, resize

Way = Literal["copy", "mirror", "crop", "noise", "random_color", "color"]
Orientation = Literal["landscape", "portrait"]

WAYS: tuple[Way, ...] = get_args(Way)  # the first is what the others are held against
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

Rgb = tuple[float, float, float]
Pad = Callable[[Tensor, int, np.random.Generator], Tensor]


@dataclass(frozen=True)
class Squaring:
    """One way from an image of any aspect (3, H, W) in [0, 1] to a square of `size` pixels a side.

    way: "copy" repeats the pixels at the image's border, "mirror" its content beyond the border; "noise" fills with
    random pixels, "random_color" with one random colour per image, "color" with `color` (red, green, blue in [0, 1]).
    For these the longer side is scaled to the square. "crop" is the largest centred square.
    seed: with the sample's index it decides what is drawn.
    """

    way: Way
    size: int
    color: Rgb = (0.5, 0.5, 0.5)
    seed: int = 0

    def __call__(self, image: Tensor, index: int = 0) -> Tensor:
        """Return the square (3, size, size) in [0, 1] of sample `index`; a square image is scaled alone."""
        if self.way == "crop":
            side = min(image.shape[-2:])
            return _scaled(_centre(image, side, side), self.size, self.size)
        height, width = (max(1, round(side * self.size / max(image.shape[-2:]))) for side in image.shape[-2:])
        return self._padded(_scaled(image, height, width), np.random.default_rng([self.seed, index]))

    def _padded(self, image: Tensor, random: np.random.Generator) -> Tensor:
        """Pad an image whose longer side is the square's."""
        if self.way in ("copy", "mirror"):
            rows, columns = (_sources(side, self.size, self.way) for side in image.shape[-2:])
            return image[:, rows][:, :, columns]
        square = self._ground(random).expand(3, self.size, self.size).clone()
        top, left = ((self.size - side) // 2 for side in image.shape[-2:])
        square[:, top : top + image.shape[1], left : left + image.shape[2]] = image
        return square

    def _ground(self, random: np.random.Generator) -> Tensor:
        """What an image is laid on: (3, size, size) or (3, 1, 1)."""
        if self.way == "color":
            return torch.tensor(self.color)[:, None, None]
        side = self.size if self.way == "noise" else 1
        return torch.from_numpy(random.random((3, side, side), dtype=np.float32))


def orientation(image: Tensor) -> Orientation | None:
    """Return whether an image (3, H, W) is wider than high or higher than wide; None for a square."""
    height, width = image.shape[-2:]
    return None if height == width else "landscape" if width > height else "portrait"


def window(image: Tensor, aspect: float, orientation: Orientation) -> Tensor:
    """Return the largest centred window of an aspect, longer side over shorter one, in an image (3, H, W)."""
    check_aspect(aspect)
    height, width = image.shape[-2:]
    ratio = aspect if orientation == "landscape" else 1 / aspect  # width over height
    return _centre(image, max(1, round(min(height, width / ratio))), max(1, round(min(width, height * ratio))))


def check_aspect(aspect: float) -> float:
    """Return the aspect, longer side over shorter one, or raise ValueError where it is not above 1."""
    if not 1 < aspect < float("inf"):
        raise ValueError(f"aspect, the longer side over the shorter one, must lie above 1, got {aspect}")
    return aspect


def rgb(color: str) -> Rgb:
    """Return a colour, by a name or code that PIL knows, in [0, 1]; ValueError for another."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(color)[:3]
    except ValueError as error:
        raise ValueError(
            f"color must be a name or code that PIL knows, such as skyblue or #87ceeb, got {color!r}"
        ) from error
    return red / 255, green / 255, blue / 255


def _sources(side: int, size: int, way: Way) -> Tensor:
    """For each of `size` places along an axis, which of the image's `side` pixels stands there."""
    places = torch.arange(size) - (size - side) // 2
    if way == "copy":
        return places.clamp(0, side - 1)
    inside = places % (2 * side)  # the image and its mirror image in turn
    return torch.minimum(inside, 2 * side - 1 - inside)


def _centre(image: Tensor, height: int, width: int) -> Tensor:
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


def _scaled(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[-2:] == (height, width):
        return image
    return resize(image, [height, width], InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)
