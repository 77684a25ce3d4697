"""A straight stripe of one colour."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageColor

from unhans.artifacts.artifact import PlacedArtifact, check_positive_share
from unhans.artifacts.placement import Placement


class Stripe(PlacedArtifact):
    """A stripe along or across the image.

    width, length: in (0, 1], shares of the image's side across and along the stripe. A stripe of length 1 has
    no place along its own direction: "top_left" and "top_right" are then the same for a horizontal one.
    """

    def __init__(
        self,
        target: int | str,
        width: float = 0.1,
        length: float = 1.0,
        orientation: Literal["horizontal", "vertical"] = "horizontal",
        color: str = "red",
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        placement: Placement = "bottom_right",
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, placement, opacity, seed)
        if orientation not in ("horizontal", "vertical"):
            raise ValueError(f"a stripe's orientation must be horizontal or vertical, got {orientation!r}")
        self.width = check_positive_share("width", width)
        self.length = check_positive_share("length", length)
        self.orientation = orientation
        self.color = ImageColor.getrgb(color)[:3]

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the stripe's rectangle."""
        across, along = (self.width, self.length) if self.orientation == "horizontal" else (self.length, self.width)
        shape = max(1, round(along * width)), max(1, round(across * height))
        return Image.new("RGBA", shape, (*self.color, 255))
