"""How the images of a network's weights were prepared, and what of it a data module takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unhans.data.image_io import Interpolation, Resize

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ROUNDING = 1e-3  # means and stds that differ by less are the same


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what a network takes; None is not said.

    Attributes:
        image_size: pixels of the square.
        mean, std: per channel, of images in [0, 1].
        resize: how pictures become square, see `unhans.data.image_io.resize`.
        crop_from: pixels of the shorter side before the central square is cut out.
        interpolation: between pixels.
        source: whose preprocessing it is, as in "the weights DEFAULT of resnet18".
    """

    image_size: int | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    resize: Resize | None = None
    crop_from: int | None = None
    interpolation: Interpolation | None = None
    source: str = "the network"

    def differences(self, given: Preprocessing) -> list[str]:
        """Return a clause for everything that is given otherwise than here."""
        return [
            f"data.{name} is {_said(own)} instead of {_said(wanted)}"
            for name in NAMES
            if (wanted := getattr(self, name)) is not None
            and (own := getattr(given, name)) is not None
            and not _same(own, wanted)
        ]


NAMES = ("image_size", "mean", "std", "resize", "crop_from", "interpolation")
DEFAULT = Preprocessing(224, IMAGENET_MEAN, IMAGENET_STD, "squash", None, "bicubic", "data modules")


def completed(given: Preprocessing, wanted: Preprocessing | None) -> dict[str, Any]:
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


def _said(value: Any) -> str:
    return str(value) if isinstance(value, (int, str)) else f"[{', '.join(f'{each:g}' for each in value)}]"
