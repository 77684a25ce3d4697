"""What is said of heatmaps of a depth, of tiles and of another normalisation."""

from __future__ import annotations

from collections.abc import Sequence


def depth_said(composite: str, pixels: Sequence[int], layer: str, field: int) -> str:
    """Name LRP with flat up to a receptive field: what was asked for, the layer, and the field of that layer."""
    asked = ", ".join(map(str, pixels))
    return f"LRP {composite}, flat up to a field of {asked} px: through {layer}, {field} px"


def tiles_said(size: int, stride: int) -> str:
    """Say how images were explained tile by tile."""
    return f"Explained in tiles of {size} pixels every {stride}: relevance and logits are means over tiles."
