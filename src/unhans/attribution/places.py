"""Where the places of a layer are, so that heatmaps of it are summed over its channels and over nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from unhans.lrp import UnsupportedModelError
from unhans.lrp.tracing import Layout, layout_along, layout_of_shape, layouts


def check_channel_axis(axis: int | None) -> None:
    """Raise a ValueError unless the axis is None, 1 of (n, C, H, W) or 3 of (n, H, W, C)."""
    if axis not in (None, 1, 3):
        raise ValueError(f"channel_axis: expected 1 for (n, C, H, W) or 3 for (n, H, W, C), got {axis!r}.")


def layout_at(model: nn.Module, images: Tensor, layer: str, shape: Sequence[int], axis: int | None = None) -> Layout:
    """Return the layout of a layer's output, which has places: feature maps, or tokens of a grid of patches.

    What the network computes tells it; where LRP cannot follow the network, the shape of square maps does.

    Args:
        model: takes the images.
        images: at least one.
        layer: path of a module, as `LRP.attribute` takes it; the last run counts of one that runs several times.
        shape: of the layer's output.
        axis: of the channels of an output with four axes, where that is known better.

    Raises:
        ValueError: the output has no places, or its axes cannot be told.
    """
    if axis is not None:
        return layout_along(shape, axis)
    try:
        found = last_run(layouts(model, images), layer)
    except UnsupportedModelError:
        found = layout_of_shape(shape)
    if found is None or found.grid is None:
        hint = "; channel_axis tells which axis holds the channels" if len(shape) == 4 else ""
        raise ValueError(
            f"layer {layer!r}: expected feature maps, or tokens on a grid of patches, "
            f"got an output of shape {tuple(shape)} whose places cannot be told{hint}."
        )
    return found


def last_run(told: Mapping[str, Layout], layer: str) -> Layout | None:
    """Return the layout of a layer, or of the last run of a module that runs several times; None if it is not told."""
    runs = [layout for path, layout in told.items() if path == layer or path.rpartition("#")[0] == layer]
    return runs[-1] if runs else None
