"""Six ways to make an image square [003 §6.3.1, figures 6.9 and 6.10], and padded images as a planted artifact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor
from torchvision.transforms.v2.functional import InterpolationMode, resize

from unhans.artifacts.artifact import Artifact

Way = Literal["copy", "mirror", "crop", "noise", "random_color", "color"]
Orientation = Literal["landscape", "portrait"]

WAYS: tuple[Way, ...] = get_args(Way)  # the first is what the others are held against
ORIENTATIONS: tuple[Orientation, ...] = get_args(Orientation)

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Squaring:
    """One way from an image of any aspect (3, H, W) in [0, 1] to a square of `size` pixels a side.

    Args:
        way: "copy" repeats the pixels at the image's border, "mirror" its content beyond the border; "noise" fills with
            random pixels, "random_color" with one random colour per image, "color" with `color`. For these the longer
            side is scaled to the square. "crop" is the largest centred square.
        color: red, green, blue in [0, 1].
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
        if self.way == "color":
            ground = torch.tensor(self.color)[:, None, None]
        else:
            side = self.size if self.way == "noise" else 1
            ground = torch.from_numpy(random.random((3, side, side), dtype=np.float32))
        square = ground.expand(3, self.size, self.size).clone()
        top, left = ((self.size - side) // 2 for side in image.shape[-2:])
        square[:, top : top + image.shape[1], left : left + image.shape[2]] = image
        return square


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
    try:
        red, green, blue = ImageColor.getrgb(color)[:3]
    except ValueError as error:
        raise ValueError(
            f"color must be a name or code that PIL knows, such as skyblue or #87ceeb, got {color!r}"
        ) from error
    return red / 255, green / 255, blue / 255


def border_color(images: Iterable[Tensor]) -> Rgb:
    """Return the median red, green and blue of the pixels along the borders of images (3, H, W) in [0, 1].

    Raises:
        ValueError: there is no image.
    """
    rims = [torch.cat([one[:, [0, -1]].flatten(1), one[:, 1:-1][:, :, [0, -1]].flatten(1)], 1) for one in images]
    if not rims:
        raise ValueError("the colour of borders needs an image")
    red, green, blue = torch.cat(rims, 1).median(1).values.tolist()
    return red, green, blue


def _sources(side: int, size: int, way: Way) -> Tensor:
    """For each of `size` places along an axis, which of the image's `side` pixels stands there."""
    places = torch.arange(size) - (size - side) // 2
    if way == "copy":
        return places.clamp(0, side - 1)
    inside = places % (2 * side)  # the image and its mirror image in turn
    return torch.minimum(inside, 2 * side - 1 - inside)


def _centre(image: Tensor, height: int, width: int) -> Tensor:  # torchvision's center_crop rounds halves to even
    top, left = (image.shape[-2] - height) // 2, (image.shape[-1] - width) // 2
    return image[..., top : top + height, left : left + width]


def _scaled(image: Tensor, height: int, width: int) -> Tensor:
    if image.shape[-2:] == (height, width):
        return image
    return resize(image, [height, width], InterpolationMode.BICUBIC, antialias=True).clamp(0, 1)


Padded = Literal["landscape", "portrait", "random"]


class EdgePadding(Artifact):
    """What copying border pixels makes of an oblong image, on a known share of one class's samples.

    Of a square image the largest centred window of an aspect is kept, and the rest filled with copies of the window's
    outermost pixels: as if an oblong image had been made square [003 §6.3.1]. What lies there comes from the image:
    there is a mask, but no RGBA layer.

    Args:
        aspect: above 1, the window's longer side over its shorter one.
        orientation: "landscape" is padded above and below, "portrait" at the sides, "random" either, by the seed and
            the sample's index.
    """

    def __init__(
        self,
        target: int | str,
        aspect: float = 1.5,
        orientation: Padded = "random",
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        seed: int = 0,
    ) -> None:  # copies have no opacity
        super().__init__(target, coverage, val_coverage, seed=seed)
        if orientation not in get_args(Padded):
            raise ValueError(f"orientation must be one of {', '.join(get_args(Padded))}, got {orientation!r}")
        self.aspect, self.orientation = check_aspect(aspect), orientation

    def paste(self, image: Tensor, index: int) -> Tensor:
        """Return the image (3, H, W) with the pixels outside of its window replaced by the window's outermost ones."""
        rows, columns = self._window(index, image.shape[-2:])
        inside = [
            torch.arange(n).clamp(part.start, part.stop - 1)
            for n, part in zip(image.shape[-2:], (rows, columns), strict=True)
        ]
        return image[..., inside[0], :][..., inside[1]]

    def mask(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return where the copies lie: (H, W), 1 outside of the window and 0 inside."""
        height, width = (size, size) if isinstance(size, int) else size
        mask = torch.ones(height, width)
        mask[self._window(index, (height, width))] = 0
        return mask

    def look(self, index: int, size: int | Sequence[int]) -> Tensor:
        """Return what, with the image, decides how this sample looks: the mask."""
        return self.mask(index, size)

    def layer(self, index: int, size: int | Sequence[int]) -> NoReturn:
        """Raise ValueError: the padding's colours are those of each image."""
        raise ValueError(
            "an edge padding has no layer, as its pixels come from the image; analysis=squaring measures it"
        )

    def draw(self, height: int, width: int) -> Image.Image:
        """Raise ValueError, as `layer` does."""
        return self.layer(0, (height, width))

    def _orientation(self, index: int) -> Orientation:
        if self.orientation != "random":
            return self.orientation
        return "portrait" if np.random.default_rng([self.seed, index]).random() < 0.5 else "landscape"

    def _window(self, index: int, size: Sequence[int]) -> tuple[slice, slice]:
        """The rows and columns that are kept."""
        shares = (1 / self.aspect, 1.0) if self._orientation(index) == "landscape" else (1.0, 1 / self.aspect)
        kept = [max(1, round(share * side)) for share, side in zip(shares, size, strict=True)]
        rows, columns = (slice((n - k) // 2, (n - k) // 2 + k) for n, k in zip(size, kept, strict=True))
        return rows, columns
