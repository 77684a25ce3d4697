"""A gain and an offset for every pixel: vignettes, scan lines, large half-transparent patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

_LEAST = 0.05  # gain below which too little of a pixel is left to be recovered


@dataclass(frozen=True, eq=False)
class Field:
    """Maps every pixel x to gain · x + offset, cut off at 0 and 1.

    gain, offset: (3, H, W), the gain 0 or more; they fit images of their own size alone. Undoing divides by the gain,
    by no less than 0.05: what is nearly black, or was cut off, does not come back. Raises ValueError for others.
    """

    gain: Tensor
    offset: Tensor
    name: ClassVar[str] = "field"

    def __post_init__(self) -> None:
        if self.gain.ndim != 3 or self.gain.shape[0] != 3 or self.gain.shape != self.offset.shape:
            shapes = tuple(self.gain.shape), tuple(self.offset.shape)
            raise ValueError(f"gain and offset must both be (3, H, W), got shapes {shapes}")
        if not bool(self.gain.isfinite().all() and self.offset.isfinite().all() and (self.gain >= 0).all()):
            raise ValueError("gain and offset must be finite, and no gain below 0, got others")

    @property
    def sentence(self) -> str:
        """Between which gains and offsets it varies."""
        low, high = float(self.gain.min()), float(self.gain.max())
        text = f"multiplies pixels by {low:.2f} to {high:.2f}, depending on where they lie"
        if not bool(self.offset.any()):
            return text
        return f"{text}, and adds {float(self.offset.min()):+.2f} to {float(self.offset.max()):+.2f}"

    def apply(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] with the field; ValueError for another size."""
        self._check(images)
        return (self.gain.to(images) * images + self.offset.to(images)).clamp(0, 1)

    def undo(self, images: Tensor) -> Tensor:
        """Return images (n, 3, H, W) in [0, 1] without the field; ValueError for another size."""
        self._check(images)
        return ((images - self.offset.to(images)) / self.gain.to(images).clamp(min=_LEAST)).clamp(0, 1)

    def _check(self, images: Tensor) -> None:
        if images.shape[-2:] != self.gain.shape[-2:]:
            own, got = tuple(self.gain.shape[-2:]), tuple(images.shape[-2:])
            raise ValueError(f"a field fits images of its own size: expected {own} pixels, got {got}")
