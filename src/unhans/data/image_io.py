"""Any picture file as RGB, its way to the square that a network sees and back, made worse, and what networks expect."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import functional

from unhans.terminal import near

Resize = Literal["squash", "crop", "pad", "mirror"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

_MODES = {"pad": "edge", "mirror": "symmetric"}  # of numpy.pad

# what PIL raises for a missing, empty, truncated, damaged or monstrous file
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
_Mask = NDArray[np.bool_]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = 0.5 - 1e-6  # of a pixel, but for rounding
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # the tag of EXIF, and what it says where the sides are swapped
ROUNDING = 1e-3  # means and stds that differ by less are the same
NAMES = ("image_size", "mean", "std", "resize", "crop_from", "interpolation")


class UnreadableImageError(ValueError):
    """A file that is missing, empty, truncated or no image."""


def read_rgb(path: str | Path) -> Image.Image:
    """Read a picture file as RGB, turned upright by its EXIF orientation.

    Raises:
        UnreadableImageError: that is impossible; it names the path.
    """
    try:
        with Image.open(path) as picture:
            return to_rgb(ImageOps.exif_transpose(picture))
    except _BROKEN as error:
        raise UnreadableImageError(f"an image file must be readable, got {path}: {error}") from error


def has_header(path: str | Path) -> bool:
    """Say whether a file is there, is not empty and begins like an image; its pixels are not read."""
    try:
        with Image.open(path):
            return True
    except _BROKEN:
        return False


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any mode as RGB; transparency shows white, 16 bits become 8."""
    if picture.mode == "F":
        raise ValueError("pixels must be integers, got floating-point mode F")
    if picture.mode.startswith("I"):
        picture = Image.fromarray(np.clip(np.asarray(picture) / 257 + 0.5, 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return picture.convert("RGB")


def resize(
    picture: Image.Image,
    size: int,
    how: Resize,
    crop_from: int | None = None,
    interpolation: Interpolation = "bicubic",
) -> Image.Image:
    """Return the picture with size × size pixels.

    Args:
        picture: of any size.
        size: pixels of a side.
        how: "squash" it, "crop" its central square, or scale its longer side and "pad" the shorter one with copies of
            the border pixels, or "mirror" its content there.
        crop_from: for "crop": pixels of the shorter side from which the square is cut, as torchvision's `Resize` and
            `CenterCrop` do; by default `size`, which cuts the largest square.
        interpolation: between pixels; where the picture becomes smaller, over all of them.
    """
    filter_ = Image.Resampling[interpolation.upper()]
    if how == "crop":
        return _crop(picture, size, size if crop_from is None else crop_from, filter_)
    if picture.size == (size, size):
        return picture
    if how == "squash":
        return picture.resize((size, size), filter_)
    width, height = (max(1, round(side * size / max(picture.size))) for side in picture.size)
    return _pad(picture.resize((width, height), filter_), size, how)


def cut_sizes(sides: tuple[int, int], size: int, crop_from: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the sides of a picture after its shorter one is `crop_from`, and where the central square begins."""
    scaled = tuple(crop_from if side == min(sides) else int(crop_from * side / min(sides)) for side in sides)
    return scaled, tuple(round((side - size) / 2) for side in scaled)  # type: ignore[return-value]


def _crop(picture: Image.Image, size: int, crop_from: int, filter_: Image.Resampling) -> Image.Image:
    scaled, (left, top) = cut_sizes(picture.size, size, crop_from)
    if scaled != picture.size:
        picture = picture.resize(scaled, filter_)
    return picture.crop((left, top, left + size, top + size))


def to_tensor(picture: Image.Image) -> Tensor:
    """Return an RGB picture as (3, H, W) float32 in [0, 1]."""
    pixels = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1), dtype=np.float32)
    pixels /= 255
    return torch.from_numpy(pixels)


def _pad(picture: Image.Image, size: int, how: Resize) -> Image.Image:
    """Extend an RGB picture to a square round it."""
    before = [(size - side) // 2 for side in (picture.height, picture.width)]
    after = [size - side - n for side, n in zip((picture.height, picture.width), before, strict=True)]
    widths = [*zip(before, after, strict=True), (0, 0)]
    return Image.fromarray(np.pad(np.asarray(picture), widths, mode=_MODES[how]))  # type: ignore[call-overload]


def native_mask(mask: _Mask, size: tuple[int, int], how: Resize, crop_from: int | None = None) -> _Mask:
    """Return where a mask (S, S) of a square image lies in the picture that it was made of.

    A pixel of the picture counts where any part of it is covered; what lies in the part that "crop" cuts off, or that
    "pad" and "mirror" add, is nowhere.

    Args:
        mask: of the square.
        size: height and width of the picture.
        how, crop_from: as of `resize`.
    """
    side = len(mask)
    if how == "crop":
        scaled, (top, left) = cut_sizes(size, side, side if crop_from is None else crop_from)
        whole = np.zeros(scaled, dtype=bool)
        whole[top : top + side, left : left + side] = mask
        return _scale_mask(whole, size)
    if size == (side, side):
        return mask
    if how == "squash":
        return _scale_mask(mask, size)
    inner = [max(1, round(length * side / max(size))) for length in size]
    top, left = ((side - length) // 2 for length in inner)
    return _scale_mask(mask[top : top + inner[0], left : left + inner[1]], size)


def square_mask(
    mask: _Mask,
    size: int,
    how: Resize,
    crop_from: int | None = None,
    interpolation: Interpolation = "bicubic",
) -> _Mask:
    """Return where a mask (H, W) of a picture lies in the square (S, S) that is made of it.

    A pixel of the square counts where at least half of what it shows is covered. Where none is, because a small object
    became smaller still, those count that are covered most. What "pad" and "mirror" add to the picture is outside.

    Args:
        mask: of the picture.
        size: pixels of a side of the square.
        how, crop_from, interpolation: as of `resize`.
    """
    filter_ = Image.Resampling[interpolation.upper()]
    if how == "crop":
        scaled, (top, left) = cut_sizes(mask.shape, size, size if crop_from is None else crop_from)  # type: ignore[arg-type]
        return _mostly(_covered(mask, scaled, filter_)[top : top + size, left : left + size])
    if mask.shape == (size, size):
        return mask
    if how == "squash":
        return _mostly(_covered(mask, (size, size), filter_))
    inner = [max(1, round(length * size / max(mask.shape))) for length in mask.shape]
    top, left = ((size - length) // 2 for length in inner)
    whole = np.zeros((size, size), dtype=bool)
    whole[top : top + inner[0], left : left + inner[1]] = _mostly(_covered(mask, (inner[0], inner[1]), filter_))
    return whole


def _mostly(covered: NDArray[np.float32]) -> _Mask:
    return (covered > 0) & (covered >= min(HALF, covered.max(initial=0)))


def _scale_mask(mask: _Mask, size: tuple[int, int]) -> _Mask:
    return _covered(mask, size, Image.Resampling.BOX) > 0


def _covered(mask: _Mask, size: tuple[int, int], filter_: Image.Resampling) -> NDArray[np.float32]:
    """How much a mask covers of what every pixel shows once it has another size."""
    picture = Image.fromarray(mask.astype(np.float32))
    return np.asarray(picture if mask.shape == size else picture.resize(size[::-1], filter_))


def read_mask(path: str | Path, size: tuple[int, int]) -> _Mask:
    """Return where a picture file is brighter than half of its brightest pixel, scaled to (H, W).

    Raises:
        UnreadableImageError: the file is missing or no image.
    """
    pixels = np.asarray(read_rgb(path).convert("L"), dtype=np.float32)
    return _mostly(_covered(pixels > pixels.max(initial=0) / 2, size, Image.Resampling.BILINEAR))


def size_of(path: str | Path) -> tuple[int, int]:
    """Return height and width of a picture file once it is upright; its pixels are not read.

    Raises:
        UnreadableImageError: that is impossible; it names the path.
    """
    try:
        with Image.open(path) as picture:
            sides = picture.height, picture.width
            return sides[::-1] if picture.getexif().get(ORIENTATION, 1) in LYING else sides
    except _BROKEN as error:
        raise UnreadableImageError(f"an image file must be readable, got {path}: {error}") from error


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what a network takes; None is not said.

    Attributes:
        image_size: pixels of the square.
        mean, std: per channel, of images in [0, 1].
        resize: how pictures become square, see `unhans.data.image_io.resize`.
        crop_from: pixels of the shorter side before the central square is cut out.
        interpolation: between pixels.
        source: whose preprocessing it is, such as "resnet18 (DEFAULT)".
    """

    image_size: int | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    resize: Resize | None = None
    crop_from: int | None = None
    interpolation: Interpolation | None = None
    source: str = "the network"

    def differences(self, given: Preprocessing) -> dict[str, tuple[Any, Any]]:
        """Return by name what is given otherwise than here: what is given, and what is wanted."""
        return {
            name: (own, wanted)
            for name in NAMES
            if (wanted := getattr(self, name)) is not None
            and (own := getattr(given, name)) is not None
            and not _same(own, wanted)
        }

    def for_head(self, kept: bool) -> Preprocessing:
        """Return it whole for a kept head; a new one learns from pictures that are made square otherwise."""
        return self if kept else replace(self, resize=None, crop_from=None, interpolation=None)


DEFAULT = Preprocessing(224, IMAGENET_MEAN, IMAGENET_STD, "squash", None, "bicubic", "data modules")


def complete(given: Preprocessing, wanted: Preprocessing | None) -> dict[str, Any]:
    """Return what is given, what is not given as it is wanted, and the rest by default.

    A cut (`crop_from`) that is wanted is taken over only together with its way to resize.
    """
    values = {}
    for name in NAMES:
        own, other = getattr(given, name), None if wanted is None else getattr(wanted, name)
        values[name] = own if own is not None else other if other is not None else getattr(DEFAULT, name)
    if given.crop_from is None and (given.resize is not None or given.image_size is not None):
        values["crop_from"] = None
    return values


def _same(one: Any, other: Any) -> bool:
    if isinstance(other, (int, str)):
        return one == other
    return len(one) == len(other) and all(abs(a - b) < ROUNDING for a, b in zip(one, other, strict=True))


REACH = 3  # standard deviations on each side that a blur takes in


def _blur(picture: Image.Image, sigma: float) -> Image.Image:
    reach = min(max(1, math.ceil(REACH * sigma)), min(picture.size) - 1)  # the border is mirrored
    return functional.gaussian_blur(picture, [2 * reach + 1] * 2, [sigma] * 2) if reach else picture


def _downscale(picture: Image.Image, side: float) -> Image.Image:
    small = picture.resize((int(side), int(side)), Image.Resampling.BICUBIC)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _jpeg(picture: Image.Image, quality: float) -> Image.Image:
    return functional.jpeg(picture, int(quality))


_Degrade = Callable[[Image.Image, float], Image.Image]
DEGRADATIONS: dict[str, tuple[_Degrade, float, float]] = {
    "jpeg": (_jpeg, 1, 100),
    "blur": (_blur, 1e-3, 1e3),
    "downscale": (_downscale, 1, 1e5),
    "brightness": (functional.adjust_brightness, 0, 1e3),
    "contrast": (functional.adjust_contrast, 0, 1e3),
    "saturation": (functional.adjust_saturation, 0, 1e3),
    "gamma": (functional.adjust_gamma, 1e-3, 1e3),
}  # what it does with a square picture and a number, and the least and the largest number


def degrade(picture: Image.Image, how: Mapping[str, float]) -> Image.Image:
    """Return a square picture made worse, by torchvision's functions, in the order that is given.

    Args:
        picture: RGB, of the size that the network sees.
        how: "jpeg" the quality from 1 to 100; "blur" the standard deviation of a Gaussian in pixels; "downscale" the
            pixels of the side that it is shrunk to before it is enlarged again; "brightness", "contrast" and
            "saturation" factors, 1 changes nothing; "gamma" the exponent.
    """
    for name, number in how.items():
        picture = DEGRADATIONS[name][0](picture, number)
    return picture


def check_degradation(how: Mapping[str, float]) -> None:
    """Raise ValueError for a name that is not among `DEGRADATIONS`, or a number out of its range."""
    for name, number in how.items():
        if name not in DEGRADATIONS:
            raise ValueError(
                f"data.degrade expects names of degradations, got {name!r}"
                + near(name, DEGRADATIONS, f"; it takes {', '.join(DEGRADATIONS)}.")
            )
        _, least, most = DEGRADATIONS[name]
        if not least <= number <= most or (name in ("jpeg", "downscale") and number != int(number)):
            kind = "a whole number" if name in ("jpeg", "downscale") else "a number"
            raise ValueError(f"data.degrade.{name} expects {kind} from {least:g} to {most:g}, got {number}.")
