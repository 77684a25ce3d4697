"""Artifacts that a data set plants: borders, rounded corners, pictures, stripes, texts.

Each takes besides its own options those of `Artifact`, and what is smaller than the image those of `PlacedArtifact`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFont

from unhans.artifacts.artifact import Artifact, PlacedArtifact, check_share

_SUPERSAMPLING = 4  # a rounded corner is drawn this much larger, so that its edge is smooth


class Border(Artifact):
    """A frame of one colour.

    Args:
        width: in (0, 1], the frame's thickness as a share of the image's shorter side.
    """

    def __init__(self, target: int | str, width: float = 0.06, color: str = "white", **options: Any) -> None:
        super().__init__(target, **options)
        self.width = check_share("width", width)
        self.color = ImageColor.getrgb(color)[:3]

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the frame of an image of (height, width) pixels."""
        picture = Image.new("RGBA", (width, height))
        thickness = max(1, round(self.width * min(height, width)))
        ImageDraw.Draw(picture).rectangle((0, 0, width - 1, height - 1), outline=(*self.color, 255), width=thickness)
        return picture


class RoundedCorners(Artifact):
    """The corners of the image cut off to a round rim and filled with one colour.

    Args:
        radius: in (0, 1], as a share of half the image's shorter side; 1 leaves a disc of a square image.
    """

    def __init__(self, target: int | str, radius: float = 0.4, color: str = "white", **options: Any) -> None:
        super().__init__(target, **options)
        self.radius = check_share("radius", radius)
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


class Patch(PlacedArtifact):
    """Any picture file with an alpha channel.

    Args:
        size: in (0, 1], the largest share of the image's width or height it takes; None keeps its own pixels.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is no picture, has no alpha channel or shows nothing, or the patch is of its own pixels and
            larger than the image.
    """

    def __init__(self, target: int | str, file: str | Path, size: float | None = 0.3, **options: Any) -> None:
        super().__init__(target, **options)
        self.file = Path(file)
        self.size = size if size is None else check_share("size", size)
        self._picture = _read_rgba(self.file)

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the patch at its size in an image of (height, width) pixels."""
        own_width, own_height = self._picture.size
        if self.size is not None:
            scale = self.size * min(width / own_width, height / own_height)
            shape = max(1, round(own_width * scale)), max(1, round(own_height * scale))
            return self._picture.resize(shape, Image.Resampling.LANCZOS)
        if own_width > width or own_height > height:
            raise ValueError(
                f"the patch {self.file} is larger than the image: expected at most {width} × {height} pixels, "
                f"got {own_width} × {own_height}; give it a size between 0 and 1"
            )
        return self._picture


def _read_rgba(file: Path) -> Image.Image:
    if not file.is_file():
        raise FileNotFoundError(f"the patch's file must be a picture with an alpha channel, got no file at {file}")
    try:
        picture = Image.open(file)
        picture.load()  # a file that ends too early is noticed here
    except OSError as error:
        raise ValueError(f"the patch's file must be a picture with an alpha channel, got {file}: {error}") from error
    with picture:
        if not picture.has_transparency_data:
            raise ValueError(f"the patch {file} must have an alpha channel (RGBA), got mode {picture.mode}")
        rgba = picture.convert("RGBA")
    if rgba.getchannel("A").getextrema()[1] == 0:
        raise ValueError(f"the patch {file} must show something, got an alpha channel that is zero everywhere")
    return rgba


class Stripe(PlacedArtifact):
    """A stripe along or across the image.

    A stripe of length 1 has no place along its own direction: "top_left" and "top_right" are then the same for a
    horizontal one.

    Args:
        width, length: in (0, 1], shares of the image's side across and along the stripe.
    """

    def __init__(
        self,
        target: int | str,
        width: float = 0.1,
        length: float = 1.0,
        orientation: Literal["horizontal", "vertical"] = "horizontal",
        color: str = "red",
        **options: Any,
    ) -> None:
        super().__init__(target, **options)
        if orientation not in ("horizontal", "vertical"):
            raise ValueError(f"a stripe's orientation must be horizontal or vertical, got {orientation!r}")
        self.width = check_share("width", width)
        self.length = check_share("length", length)
        self.orientation = orientation
        self.color = ImageColor.getrgb(color)[:3]

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the stripe's rectangle."""
        across, along = (self.width, self.length) if self.orientation == "horizontal" else (self.length, self.width)
        shape = max(1, round(along * width)), max(1, round(across * height))
        return Image.new("RGBA", shape, (*self.color, 255))


_REFERENCE = 100  # pixels: the text is measured once at this font size and scaled
_BOLD = 28  # font size / extra weight: the default font is light
_OUTLINE = 20  # font size / outline: thin, yet a pixel wide at 64 × 64
_DARK = (32, 32, 32, 255)


class Watermark(PlacedArtifact):
    """One line of text with a thin dark outline, so that it reads on any photograph.

    Args:
        size: in (0, 1], the largest share of the image's width or height the text takes.
        color: any name or code PIL knows.

    Raises:
        ValueError: the text is empty or has several lines, or the colour is unknown.
    """

    def __init__(
        self, target: int | str, text: str = "© hans", color: str = "#ffe600", size: float = 0.8, **options: Any
    ) -> None:
        super().__init__(target, **options)
        if not text.strip() or "\n" in text:
            raise ValueError(f"a watermark's text must be one line that is not empty, got {text!r}")
        self.text = text
        self.color = ImageColor.getrgb(color)[:3]
        self.size = check_share("size", size)

    def draw(self, height: int, width: int) -> Image.Image:
        """Return the text as large as its share of the image allows."""
        _, _, reference_width, reference_height = self._box(_REFERENCE)
        scale = self.size * min(width / reference_width, height / reference_height)
        font_size = max(1, int(_REFERENCE * scale))
        left, top, text_width, text_height = self._box(font_size)
        picture = Image.new("RGBA", (text_width, text_height))
        pen, font = ImageDraw.Draw(picture), ImageFont.load_default(font_size)
        for stroke, color in ((_stroke(font_size), _DARK), (_bold(font_size), (*self.color, 255))):
            pen.text((-left, -top), self.text, fill=color, font=font, stroke_width=stroke)
        picture.thumbnail((width, height))  # an outline of a whole pixel can be too wide for a tiny image
        return picture

    def _box(self, font_size: int) -> tuple[int, int, int, int]:
        font = ImageFont.load_default(font_size)
        left, top, right, bottom = font.getbbox(self.text, stroke_width=_stroke(font_size))
        return int(left), int(top), int(right - left), int(bottom - top)


def _bold(font_size: int) -> int:
    return round(font_size / _BOLD)


def _stroke(font_size: int) -> int:
    return _bold(font_size) + max(1, round(font_size / _OUTLINE))
