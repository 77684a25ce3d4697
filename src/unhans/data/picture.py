"""Any picture file as RGB, and its way to a square."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

Resize = Literal["squash", "crop", "pad", "mirror"]

_MODES = {"pad": "edge", "mirror": "symmetric"}  # of numpy.pad

# what PIL raises for a missing, empty, truncated, damaged or monstrous file
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


class UnreadableImageError(ValueError):
    """A file that is missing, empty, truncated or no image."""


def read_rgb(path: str | Path) -> Image.Image:
    """Read a picture file as RGB, turned upright by its EXIF orientation.

    Raises UnreadableImageError, naming the path, where that is impossible.
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


def resize(picture: Image.Image, size: int, how: Resize) -> Image.Image:
    """Return the picture with size × size pixels (bicubic).

    how: "squash" it, "crop" its largest central square, or scale its longer side and "pad" the shorter one with copies
    of the border pixels, or "mirror" its content there.
    """
    if picture.size == (size, size):
        return picture
    if how == "crop":
        return ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    if how == "squash":
        return picture.resize((size, size), Image.Resampling.BICUBIC)
    width, height = (max(1, round(side * size / max(picture.size))) for side in picture.size)
    return _padded(picture.resize((width, height), Image.Resampling.BICUBIC), size, how)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return an RGB picture as (3, H, W) float32 in [0, 1]."""
    pixels = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1), dtype=np.float32)
    pixels /= 255
    return torch.from_numpy(pixels)


def _padded(picture: Image.Image, size: int, how: Resize) -> Image.Image:
    """Extend an RGB picture to a square round it."""
    before = [(size - side) // 2 for side in (picture.height, picture.width)]
    after = [size - side - n for side, n in zip((picture.height, picture.width), before, strict=True)]
    widths = [*zip(before, after, strict=True), (0, 0)]
    return Image.fromarray(np.pad(np.asarray(picture), widths, mode=_MODES[how]))  # type: ignore[call-overload]
