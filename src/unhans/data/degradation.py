"""Pictures as a worse camera, scanner or compression would give them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from PIL import Image
from torchvision.transforms.v2 import functional

from unhans.terminal import near

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
