"""Where the places of a layer are, so that heatmaps of it are summed over its channels and over nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from math import prod
from types import MappingProxyType

from torch import Tensor, nn

from unhans.lrp import UnsupportedModelError
from unhans.lrp.tracing import Layout, layout_along, layout_of_shape, layouts

MOST_LAYERS = 3  # whose relevance is pooled


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
        raise ValueError(
            f"layer {layer!r}: expected feature maps, or tokens on a grid of patches, "
            f"got an output of shape {tuple(shape)} whose places cannot be told"
            f"{'; channel_axis tells which axis holds the channels' if len(shape) == 4 else ''}."
        )
    return found


def check_name(network: nn.Module, layer: str) -> None:
    """Raise a ValueError that names the near ones unless the network has a module of that name."""
    with suppress(AttributeError):
        if layer:
            network.get_submodule(layer)  # a module may have several names
            return
    names = [name for name, _ in network.named_modules() if name]
    near = get_close_matches(layer, names, cutoff=0.3)
    hint = f"near names: {', '.join(near)}" if near else f"there are {', '.join(names[:12])}"
    raise ValueError(f"layer {layer!r} does not exist in this {type(network).__name__}; {hint}.")


def last_run(told: Mapping[str, Layout], layer: str) -> Layout | None:
    """Return the layout of a layer, or of the last run of a module that runs several times; None if it is not told."""
    runs = [layout for path, layout in told.items() if path == layer or path.rpartition("#")[0] == layer]
    return runs[-1] if runs else None


def layers_with_places(
    shapes: Mapping[str, Sequence[int]], outputs: int, told: Mapping[str, Layout] = MappingProxyType({})
) -> list[str]:
    """Return layers to pool, at most six: the last of each of the coarsest grids of features, the coarsest first.

    Where there are few grids, as in a transformer whose tokens stay as they are, layers between them are added.

    Args:
        shapes: of the outputs of all layers that run once, in their order, as `LRP.layers` gives them.
        outputs: number of logits; a layer with as many channels scores classes already and is left out.
        told: by layer which axes hold the channels, where the network told; else the shape does, see `channel_axis`.
    """
    axes = {name: channel_axis(shape, told.get(name)) for name, shape in shapes.items()}
    places = {name: _places(shape, axes[name]) for name, shape in shapes.items()}
    fit = [name for name, shape in shapes.items() if places[name] > 1 and shape[axes[name]] != outputs]
    grids = {places[name]: name for name in fit}
    chosen = [grids[size] for size in sorted(grids)][: 2 * MOST_LAYERS]
    missing = MOST_LAYERS - len(chosen)
    between = [fit[len(fit) * (k + 1) // (missing + 1) - 1] for k in range(missing)] if fit else []
    return list(dict.fromkeys([*chosen, *between]))


def channel_axis(shape: Sequence[int], layout: Layout | None = None) -> int:
    """Return the axis of the channels: the second of (n, C, H, W), the last of tokens (n, N, C) and of (n, H, W, C).

    Without a layout feature maps with the channels last are known by sides that are equal and another number of
    channels.
    """
    if layout is not None:
        return layout.channels
    return 1 if len(shape) == 4 and not (shape[1] == shape[2] != shape[3]) else len(shape) - 1


def _places(shape: Sequence[int], channels: int) -> int:
    """How many places a layer has: 0 for a shape without channels and places."""
    if len(shape) not in (3, 4):
        return 0
    return prod(shape[1:]) // shape[channels]
