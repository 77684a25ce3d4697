"""A text over the image."""

from __future__ import annotations

from PIL import Image, ImageColor, ImageDraw, ImageFont

from unhans.artifacts.artifact import PlacedArtifact, check_positive_share
from unhans.artifacts.placement import Placement

_REFERENCE = 100  # pixels: the text is measured once at this font size and scaled
_BOLD = 28  # font size / extra weight: the default font is light
_OUTLINE = 20  # font size / outline: thin, yet a pixel wide at 64 × 64
_DARK = (32, 32, 32, 255)


class Watermark(PlacedArtifact):
    """One line of text with a thin dark outline, so that it reads on any photograph.

    size: in (0, 1], the largest share of the image's width or height the text takes. color: any name or code
    PIL knows. Raises ValueError for an empty text, several lines or an unknown colour.
    """

    def __init__(
        self,
        target: int | str,
        text: str = "© hans",
        color: str = "#ffe600",
        size: float = 0.8,
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        placement: Placement = "bottom_right",
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, placement, opacity, seed)
        if not text.strip() or "\n" in text:
            raise ValueError(f"a watermark's text must be one line that is not empty, got {text!r}")
        self.text = text
        self.color = ImageColor.getrgb(color)[:3]
        self.size = check_positive_share("size", size)

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
