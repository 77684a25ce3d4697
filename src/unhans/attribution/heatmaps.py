"""Heatmaps as pictures: summed over channels, scaled to [-1, 1], coloured around zero [000 §2.1, fig. 4]."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Maps = TypeVar("Maps", NDArray[np.floating], torch.Tensor)

Colour = tuple[float, float, float]
RGB = NDArray[np.uint8]

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)

COLOUR_MAPS: dict[str, tuple[Colour, Colour, Colour, Colour, Colour]] = {
    # red, green, blue at relevance -1, -1/2, 0, 1/2, 1; the middle is free of colour
    "hot-cold": ((0, 1, 1), (0, 0, 1), (0, 0, 0), (1, 0, 0), (1, 1, 0)),
    "seismic": ((0, 0, 0.3), (0, 0, 1), (1, 1, 1), (1, 0, 0), (0.5, 0, 0)),
    "bwr": ((0, 0, 1), (0.5, 0.5, 1), (1, 1, 1), (1, 0.5, 0.5), (1, 0, 0)),
    # told apart by the colour-blind as well: blue against orange is the pair that every kind of them sees
    "blue-orange": ((0.03, 0.19, 0.42), (0.26, 0.57, 0.78), (1, 1, 1), (0.95, 0.55, 0.15), (0.5, 0.18, 0.02)),
    "purple-orange": ((0.18, 0, 0.29), (0.6, 0.56, 0.76), (0.97, 0.97, 0.97), (0.95, 0.64, 0.25), (0.5, 0.23, 0.03)),
    "ice-ember": ((0.75, 0.95, 1), (0.1, 0.45, 0.9), (0, 0, 0), (0.9, 0.4, 0), (1, 0.92, 0.6)),
    "grey": ((0, 0, 0), (0.25, 0.25, 0.25), (0.5, 0.5, 0.5), (0.75, 0.75, 0.75), (1, 1, 1)),
}


def sum_channels(relevance: Maps) -> Maps:
    """Sum relevance (n, C, H, W) over its channels to heatmaps (n, H, W), as [000] §2.1 does.

    Raises:
        ValueError: the relevance has not four axes.
    """
    if relevance.ndim != 4:
        raise ValueError(f"Relevance must have the shape (n, C, H, W); got {tuple(relevance.shape)}.")
    return relevance.sum(1)


def scale(maps: Maps, joint: bool = False) -> Maps:
    """Divide heatmaps (..., H, W) by their largest absolute relevance, so that they lie in [-1, 1].

    Each map is divided by its own maximum; with `joint` all are divided by that of the whole set, which keeps their
    relative magnitude. A map that is zero everywhere stays zero.

    Raises:
        ValueError: there are fewer than two axes, or a value is NaN or infinite.
    """
    if maps.ndim < 2:
        raise ValueError(f"Heatmaps must have the shape (..., H, W); got {tuple(maps.shape)}.")
    size = abs(maps)
    axes = tuple(range(maps.ndim)) if joint else (-2, -1)
    peak = size.amax(axes, keepdim=True) if isinstance(size, torch.Tensor) else size.max(axes, keepdims=True, initial=0)
    if not bool((peak < np.inf).all()):  # False for NaN as well
        raise ValueError("Heatmaps must be finite; got NaN or infinite relevance.")
    return maps / (peak + (peak == 0))


def with_difference(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return two heatmaps (…, H, W) and the signed difference first − second as (3, …, H, W).

    Scaled jointly they show what changed, and how much of each map that is.

    Raises:
        ValueError: their shapes differ.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"A difference needs heatmaps of one shape; got {np.shape(first)} and {np.shape(second)}.")
    return np.stack([first, second, np.subtract(first, second)])


def class_means(
    maps: NDArray[np.floating], labels: NDArray[np.integer], joint: bool = False
) -> dict[int, NDArray[np.floating]]:
    """Return the mean heatmap (H, W) of every label, ascending, of maps (n, H, W) scaled as `scale` does.

    Scaled one by one, each sample weighs the same; with `joint`, one whose logit is large weighs more.

    Raises:
        ValueError: there is not one label per map.
    """
    maps, labels = np.asarray(maps), np.asarray(labels)
    if labels.shape != maps.shape[:1]:
        raise ValueError(f"There must be one label per heatmap ({len(maps)}); got labels of shape {labels.shape}.")
    scaled = scale(maps, joint)
    return {int(label): scaled[labels == label].mean(0) for label in np.unique(labels)}


def check_colour_map(cmap: str) -> None:
    """Raise ValueError for a name that is not in COLOUR_MAPS."""
    if cmap not in COLOUR_MAPS:
        raise ValueError(f"The colour map must be one of {', '.join(COLOUR_MAPS)}; got {cmap!r}.")


def colorize(maps: NDArray[np.floating] | torch.Tensor, cmap: str = "hot-cold") -> RGB:
    """Colour heatmaps (..., H, W) in [-1, 1] by a diverging map centred at zero, as (..., H, W, 3) uint8.

    `hot-cold` is LRP's classic: black is no relevance, red to yellow supports the class, blue to cyan contradicts it
    ([000] fig. 4). `seismic` and the paler `bwr` have white in the middle, red supports, blue contradicts. The
    colour-blind can read `blue-orange` and `purple-orange` (white in the middle, orange supports), `ice-ember` (black
    in the middle, orange supports) and `grey` (white supports, black contradicts).

    Raises:
        ValueError: the colour map is unknown, or a value lies outside of [-1, 1] (see `scale`) or is NaN.
    """
    check_colour_map(cmap)
    values = _array(maps).astype(np.float32)
    peak = np.abs(values).max(initial=0)
    if not peak <= 1 + 1e-6:  # rounding of the division that scaled them; False for NaN as well
        raise ValueError(f"Heatmaps must be scaled to [-1, 1] before they are coloured; got a value of size {peak:g}.")
    knots = np.linspace(-1, 1, 5)
    channels = [np.interp(values, knots, channel) for channel in zip(*COLOUR_MAPS[cmap], strict=True)]
    return np.rint(255 * np.stack(channels, axis=-1)).astype(np.uint8)


def picture(image: Any) -> RGB:
    """Turn one image in [0, 1], (3 or 1, H, W), (H, W, 3 or 1) or (H, W), into RGB (H, W, 3) uint8.

    Raises:
        ValueError: the shape is another, or a value is NaN or lies outside of [0, 1].
    """
    array = _array(image).astype(np.float32)
    array = array[None] if array.ndim == 2 else array
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(f"An image must have the shape (3, H, W) or (H, W, 3); got {array.shape}.")
    if not (array.min() >= -1e-6 and array.max() <= 1 + 1e-6):
        raise ValueError(f"Images must lie in [0, 1]; got values from {array.min():g} to {array.max():g}.")
    return np.rint(255 * np.broadcast_to(array.clip(0, 1), (*array.shape[:2], 3))).astype(np.uint8)


def enlarge(maps: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Repeat the pixels of maps (..., h, w) until they have the size (H, W), a multiple of theirs.

    Raises:
        ValueError: the size is no multiple.
    """
    height, width = maps.shape[-2:]
    if size[0] % height or size[1] % width:
        raise ValueError(f"A heatmap of {height}×{width} pixels does not divide an image of {size[0]}×{size[1]}.")
    return maps.repeat(size[0] // height, axis=-2).repeat(size[1] // width, axis=-1)


def overlay(image: RGB, scaled: NDArray[np.floating], cmap: str = "hot-cold", alpha: float = 0.9) -> RGB:
    """Lay a heatmap (h, w) in [-1, 1] over an RGB image (H, W, 3), turned grey so that only relevance is coloured.

    A pixel is covered by alpha times twice its absolute relevance, at most by alpha, with a colour at least that of
    ±1/2: so the cover fades where the colour map itself fades to black or white, without darkening the image.

    Raises:
        ValueError: alpha lies outside of [0, 1], or as `enlarge` and `colorize` do.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1; got {alpha}.")
    values = enlarge(scaled, image.shape[:2])
    size = np.abs(values)
    cover = alpha * np.minimum(2 * size, 1)[..., None]
    colours = colorize(np.copysign(np.maximum(size, 0.5), values), cmap)
    return np.rint((1 - cover) * (image @ np.array(LUMA))[..., None] + cover * colours).astype(np.uint8)


def seen_through(image: RGB, scaled: NDArray[np.floating]) -> RGB:
    """Show an RGB image (H, W, 3) only where relevance (h, w) in [-1, 1] supports: it is its alpha, over white.

    [003 fig. D.1]. Raises ValueError as `enlarge` does.
    """
    alpha = np.clip(enlarge(scaled, image.shape[:2]), 0, 1)[..., None]
    return np.rint(alpha * image + (1 - alpha) * 255).astype(np.uint8)


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
