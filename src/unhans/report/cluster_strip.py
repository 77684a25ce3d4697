"""The striking cluster of a class as one small picture, for a cell of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unhans.report.html.sprite import heatmap_tiles, image_tiles, tile_size

if TYPE_CHECKING:
    from unhans.spray import ClassAudit

SHOWN = 6
SIDE = 64  # pixels of a tile
GAP = 2


def cluster_strip(audit: ClassAudit, images: Any, cmap: str = "hot-cold") -> Image.Image:
    """Draw some members of the striking cluster, images above heatmaps; of the class where it has no cluster.

    images: (n, 3, H, W) in [0, 1] or uint8; only those that are shown are read.
    """
    members = np.arange(len(audit.index)) if audit.cluster is None else audit.cluster.members.nonzero()[0]
    shown = members[np.linspace(0, len(members) - 1, min(SHOWN, len(members))).round().astype(np.int64)]
    size = tile_size(*images.shape[2:], SIDE)
    below, _ = heatmap_tiles(audit.heatmaps, shown, np.zeros((0, len(audit.index))), size, cmap)
    return Image.fromarray(np.concatenate([_row(image_tiles(images, shown, size)), _row(below)]))


def _row(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    padded = [np.pad(tile, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for tile in tiles]
    return np.concatenate(padded, axis=1)
