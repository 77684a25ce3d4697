"""Pictures inside a page: as data URIs, and the thumbnails of a class as one JPEG."""

from __future__ import annotations

import base64
import io
import math
import os
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from unhans.attribution import RGB, colorize, picture, scale

SIDE = 260  # pixels of the longer side, twice as many as the page shows on most screens
WIDE = 1500  # pixels of a chart
SMALL = 80  # pixels up to which a picture stays as it is, its pixels drawn as squares
QUALITY = 82
INCH = 96  # pixels of a page
DRAWING = Lock()  # matplotlib knows the letters and the seed of an SVG by its settings alone, which all threads share


class Picture(NamedTuple):
    """A picture inside a page: its address, which holds it, and its size in pixels before it was shrunk."""

    address: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Whether its pixels are drawn as squares."""
        return max(self.width, self.height) <= SMALL


def data_uri(pixels: RGB, side: int = SIDE) -> str:
    """Return RGB pixels (H, W, 3) as the address of a picture inside the page, at most so many pixels a side.

    A small one is a PNG, a larger one a JPEG whose colours keep their resolution.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if max(pixels.shape[:2]) <= SMALL:
        return f"data:image/png;base64,{_encoded(image, 'png')}"
    return f"data:image/jpeg;base64,{_encoded(image, 'jpeg', quality=QUALITY, subsampling=0)}"


def page_picture(pixels: RGB, side: int = SIDE) -> Picture:
    """Return RGB pixels (H, W, 3) as a picture inside a page, at most so many pixels a side."""
    height, width = pixels.shape[:2]
    return Picture(data_uri(pixels, side), width, height)


def file_picture(file: str | os.PathLike[str], side: int = WIDE) -> Picture:
    """Return a picture file as a picture inside a page, at most so many pixels a side; OSError where there is none."""
    with Image.open(file) as image:
        return page_picture(np.asarray(image.convert("RGB")), side)


def drawn_picture(figure: Figure) -> Picture:
    """Return a matplotlib figure as an SVG inside a page: letters stay letters, the same figure gives the same text."""
    memory = io.BytesIO()
    with DRAWING, rc_context({"svg.fonttype": "none", "svg.hashsalt": "unhans"}):
        figure.savefig(memory, format="svg", metadata={"Date": None})
    width, height = (figure.get_size_inches() * INCH).round().astype(int)
    return Picture(f"data:image/svg+xml;base64,{_base64(memory.getvalue())}", int(width), int(height))


BLOCK = 64  # heatmaps in memory at once
CELL = 8  # a JPEG is coded in cells of 8 pixels: tiles that share none keep their colours to themselves
SPRITE_QUALITY = 75

Size = tuple[int, int]


def tile_size(height: int, width: int, side: int) -> Size:
    """Return the (height, width) of a thumbnail: its longer side has at most `side` pixels, and it never grows."""
    ratio = min(1, side / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def image_tiles(images: Any, shown: NDArray[np.int64], size: Size) -> list[RGB]:
    """Read images (n, 3, H, W), in [0, 1] or uint8, one by one, and shrink those that are shown."""
    return [_shrunk(images[int(i)], size) for i in shown]


def heatmap_tiles(
    heatmaps: Any, shown: NDArray[np.int64], groups: NDArray[np.floating], size: Size, cmap: str
) -> tuple[list[RGB], list[RGB]]:
    """Return the coloured heatmaps that are shown and the mean heatmap of each group.

    Relevance is averaged over the pixels of a tile, then each map divided by its largest absolute value, so that each
    weighs the same in a mean.

    Args:
        heatmaps: (n, H, W), sliced in blocks.
        shown: indices, ascending.
        groups: (g, n), 1 for members.
        size: of a tile.
        cmap: a colour map of `colorize`.
    """
    sums = np.zeros((len(groups), *size))
    tiles = []
    for start in range(0, len(heatmaps), BLOCK):
        block = scale(np.stack([_pooled(one, size) for one in np.asarray(heatmaps[start : start + BLOCK])]))
        sums += np.tensordot(groups[:, start : start + len(block)], block, axes=1)
        tiles += [colorize(block[i - start], cmap) for i in shown if start <= i < start + len(block)]
    return tiles, [colorize(scale(mean), cmap) for mean in sums]


def sheet(tiles: Sequence[RGB]) -> dict[str, Any]:
    """Join tiles (H, W, 3) of one size, row by row, and say where each lies; the JPEG comes as base64."""
    height, width = tiles[0].shape[:2]
    down, across = (-side % CELL for side in (height, width))
    padded = np.pad(np.stack(tiles), ((0, 0), (0, down), (0, across), (0, 0)), mode="edge")
    columns = 2 * math.ceil(math.sqrt(len(tiles)) / 2)  # a sample's image and its heatmap lie in one row
    cells = np.zeros((math.ceil(len(tiles) / columns) * columns, *padded.shape[1:]), np.uint8)
    cells[: len(tiles)] = padded
    rows = cells.reshape(-1, columns, *padded.shape[1:]).transpose(0, 2, 1, 3, 4)
    joined = rows.reshape(-1, columns * padded.shape[2], 3)
    return {
        "jpeg": _encoded(Image.fromarray(joined), "jpeg", quality=SPRITE_QUALITY, subsampling=0),
        "tile": [width, height],
        "step": [width + across, height + down],
        "columns": columns,
        "rows": len(cells) // columns,
    }


def _shrunk(image: Any, size: Size) -> RGB:
    array = np.asarray(image)
    whole = picture(array / np.float32(255) if array.dtype == np.uint8 else image)
    if whole.shape[:2] == size:
        return whole
    return np.asarray(Image.fromarray(whole).resize(size[::-1], Image.Resampling.LANCZOS))


def _pooled(heatmap: NDArray[np.floating], size: Size) -> NDArray[np.float32]:
    if heatmap.shape == size:
        return heatmap.astype(np.float32)
    whole = Image.fromarray(heatmap.astype(np.float32))
    return np.asarray(whole.resize(size[::-1], Image.Resampling.BOX))


def _encoded(image: Image.Image, kind: str, **settings: int) -> str:
    """The file of an image in letters; subsampling=0 keeps JPEG from greying red."""
    memory = io.BytesIO()
    image.save(memory, kind, optimize=True, **settings)
    return _base64(memory.getvalue())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
