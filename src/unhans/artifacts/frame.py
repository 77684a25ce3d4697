"""Artifacts round the rim of the image: they have one place."""

from __future__ import annotations

from PIL import Image, ImageChops, ImageColor, ImageDraw

from unhans.artifacts.artifact import Artifact, check_positive_share

_SUPERSAMPLING = 4  # a rounded corner is drawn this much larger, so that its edge is smooth


class Border(Artifact):
    """A frame of one colour.

    width: in (0, 1], the frame's thickness as a share of the image's shorter side.
    """

    def __init__(
        self,
        target: int | str,
        width: float = 0.06,
        color: str = "white",
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, opacity, seed)
        self.width = check_positive_share("width", width)
        self.color = ImageColor.getrgb(color)[:3]

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the frame of an image of (height, width) pixels."""
        picture = Image.new("RGBA", (width, height))
        thickness = max(1, round(self.width * min(height, width)))
        ImageDraw.Draw(picture).rectangle((0, 0, width - 1, height - 1), outline=(*self.color, 255), width=thickness)
        return picture


class RoundedCorners(Artifact):
    """The corners of the image cut off to a round rim and filled with one colour.

    radius: in (0, 1], as a share of half the image's shorter side; 1 leaves a disc of a square image.
    """

    def __init__(
        self,
        target: int | str,
        radius: float = 0.4,
        color: str = "white",
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, opacity, seed)
        self.radius = check_positive_share("radius", radius)
        self.color = ImageColor.getrgb(color)[:3]

    def draw(self, height: int, width: int) -> Image.Image:
        """Return what lies outside a rounded rectangle of (height, width) pixels."""
        large = width * _SUPERSAMPLING, height * _SUPERSAMPLING
        inside = Image.new("L", large)
        radius = self.radius * min(large) / 2
        ImageDraw.Draw(inside).rounded_rectangle((0, 0, large[0] - 1, large[1] - 1), radius, fill=255)
        picture = Image.new("RGBA", (width, height), (*self.color, 255))
        picture.putalpha(ImageChops.invert(inside.resize((width, height), Image.Resampling.BOX)))
        return picture
