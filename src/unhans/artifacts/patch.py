"""A picture with transparency over the image."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from unhans.artifacts.artifact import PlacedArtifact, check_positive_share
from unhans.artifacts.placement import Placement


class Patch(PlacedArtifact):
    """Any picture file with an alpha channel.

    size: in (0, 1], the largest share of the image's width or height it takes; None keeps its own pixels.
    Raises FileNotFoundError for a missing file, ValueError for one that is no picture, has no alpha channel
    or shows nothing, and for a patch of its own pixels that is larger than the image.
    """

    def __init__(
        self,
        target: int | str,
        file: str | Path,
        size: float | None = 0.3,
        coverage: float = 0.5,
        val_coverage: float = 0.0,
        placement: Placement = "bottom_right",
        opacity: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(target, coverage, val_coverage, placement, opacity, seed)
        self.file = Path(file)
        self.size = size if size is None else check_positive_share("size", size)
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
