"""From aligned windows that show the same object to the object alone: its colour and transparency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter, label
from torch import Tensor

_FAINTEST = 0.25  # opacity below which an object cannot be told from chance agreement of the windows
_SMALLEST = 12  # pixels


@dataclass(frozen=True)
class Cutout:
    """An object in its window: layer (4, s, s) RGBA, transparent outside its shape (s, s) bool."""

    layer: Tensor
    shape: NDArray[np.bool_]

    @property
    def cropped(self) -> Tensor:
        """The layer within the box of the shape."""
        rows, columns = (np.flatnonzero(self.shape.any(axis)) for axis in (1, 0))
        return self.layer[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].contiguous()

    @property
    def touches_rim(self) -> bool:
        """Whether the shape reaches the rim of its window, so that there may be more of it outside."""
        return bool(self.shape[[0, -1]].any() or self.shape[:, [0, -1]].any())

    @property
    def opacity(self) -> float:
        """The median alpha of the shape."""
        return float(self.layer[3][torch.from_numpy(self.shape)].median())


def cutout(windows: Tensor, mean: Tensor, variance: Tensor) -> Cutout | None:
    """Return the object that aligned windows share, None where they share none.

    windows: (n, 3, s, s), NaN outside the image; mean, variance: (3,) of pixels where the object is not. A pixel
    (1 − α)·background + α·colour has the variance (1 − α)²·variance and the mean (1 − α)·mean + α·colour.
    """
    spread, middle = _moments(windows)
    alpha = 1 - (spread.sum(0) / variance.sum().clamp(min=1e-12)).clamp(max=1).sqrt()
    shape = _shape(alpha.numpy())
    if shape.sum() < _SMALLEST:
        return None
    background = mean[:, None, None]
    color = ((middle - (1 - alpha) * background) / alpha.clamp(min=_FAINTEST / 2)).clamp(0, 1)
    return Cutout(torch.cat((color, alpha[None])) * torch.from_numpy(shape), shape)


def _moments(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return variance and mean of each pixel over the windows in which it is; (3, s, s) each."""
    mean = windows.nanmean(0)
    count = (~windows.isnan()).sum(0)
    variance = (windows - mean).square().nansum(0) / (count - 1).clamp(min=1)
    seen = count >= min(3, len(windows))
    return torch.where(seen, variance, torch.inf), mean.nan_to_num(0)


def _shape(alpha: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the largest connected part that is at least half as opaque as the object, its holes filled."""
    smooth = gaussian_filter(alpha, 1.0)
    parts, count = label(smooth > max(_FAINTEST, np.quantile(smooth, 0.95) / 2))
    sizes = np.bincount(parts.ravel(), minlength=2)[1:]
    return binary_fill_holes(parts == 1 + sizes.argmax()) if count else np.zeros(alpha.shape, dtype=bool)
