"""Heatmaps as pictures: summed over channels, scaled to [-1, 1], coloured around zero [000 §2.1, fig. 4]."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Maps = TypeVar("Maps", NDArray[np.floating], torch.Tensor)

Colour = tuple[float, float, float]

COLOUR_MAPS: dict[str, tuple[Colour, Colour, Colour, Colour, Colour]] = {
    # red, green, blue at relevance -1, -1/2, 0, 1/2, 1
    "hot-cold": ((0, 1, 1), (0, 0, 1), (0, 0, 0), (1, 0, 0), (1, 1, 0)),
    "seismic": ((0, 0, 0.3), (0, 0, 1), (1, 1, 1), (1, 0, 0), (0.5, 0, 0)),
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


def colorize(maps: NDArray[np.floating] | torch.Tensor, cmap: str = "hot-cold") -> NDArray[np.uint8]:
    """Colour heatmaps (..., H, W) in [-1, 1] by a diverging map centred at zero, as (..., H, W, 3) uint8.

    `hot-cold` is LRP's classic: black is no relevance, red to yellow supports the class, blue to cyan contradicts it
    ([000] fig. 4). `seismic` has white in the middle, red supports, blue contradicts.

    Raises:
        ValueError: the colour map is unknown, or a value lies outside of [-1, 1] (see `scale`) or is NaN.
    """
    if cmap not in COLOUR_MAPS:
        raise ValueError(f"The colour map must be one of {', '.join(COLOUR_MAPS)}; got {cmap!r}.")
    values = np.asarray(maps.detach().cpu() if isinstance(maps, torch.Tensor) else maps, dtype=np.float32)
    peak = np.abs(values).max(initial=0)
    if not peak <= 1 + 1e-6:  # rounding of the division that scaled them; False for NaN as well
        raise ValueError(f"Heatmaps must be scaled to [-1, 1] before they are coloured; got a value of size {peak:g}.")
    knots = np.linspace(-1, 1, 5)
    channels = [np.interp(values, knots, channel) for channel in zip(*COLOUR_MAPS[cmap], strict=True)]
    return np.rint(255 * np.stack(channels, axis=-1)).astype(np.uint8)
