"""Smooth masks of an image from few parameters, by a smooth maximum over a grid (Fong et al. 2019, section 3.1)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SHARPNESS = 20.0  # inverse temperature of the smooth maximum: at 1/20 it would be nearly a mean
NEGLIGIBLE = 1e-3  # kernel values below it are left out


def kernel(distance: Tensor) -> Tensor:
    """Return how much a parameter reaches at a distance, in units of sigma: 1 up to ½, then a Gaussian's flank.

    k(z) = exp(−2 max(0, z − ½)²).
    """
    return torch.exp(-2 * (distance - 0.5).clamp(min=0) ** 2)


def smooth_maximum(values: Tensor, dim: int) -> Tensor:
    """Return Σ f e^{20 f} / Σ e^{20 f} along a dimension."""
    return (values * (SHARPNESS * values).softmax(dim)).sum(dim)


class MaskGenerator:
    """Turns parameters on a grid into masks of images.

    The parameters p lie on a grid that reaches beyond the image as far as the kernel does. At a node u of the grid on
    the image the mask is m(u) = smax over nodes v of k(|u − v| / σ) p(v); between nodes it is interpolated bilinearly.

    Args:
        height: of the images, in pixels.
        width: of the images, in pixels.
        step: pixels between nodes of the grid, at most.
        sigma: reach of the kernel, in pixels.

    Attributes:
        shape: rows and columns of the parameters of one mask.
        margin: rows (columns) of them beyond each border of the image.
    """

    def __init__(self, height: int, width: int, step: float, sigma: float) -> None:
        self.size = height, width
        self.nodes = tuple(max(2, math.ceil((side - 1) / step) + 1) for side in self.size)
        spacing = [(side - 1) / (count - 1) for side, count in zip(self.size, self.nodes, strict=True)]
        reach = sigma * (0.5 + math.sqrt(-math.log(NEGLIGIBLE) / 2))
        self.margin = tuple(math.floor(reach / each) for each in spacing)
        self.shape = tuple(count + 2 * rim for count, rim in zip(self.nodes, self.margin, strict=True))
        rows, columns = (
            torch.arange(-rim, rim + 1) * each / sigma for rim, each in zip(self.margin, spacing, strict=True)
        )
        weights = kernel(torch.hypot(rows[:, None], columns[None])).flatten()
        self._within = (weights >= NEGLIGIBLE).nonzero().flatten()
        self._weights = weights[self._within]

    def __call__(self, parameters: Tensor) -> Tensor:
        """Return masks (n, H, W) of parameters (n, *shape) in [0, 1]."""
        window = [2 * rim + 1 for rim in self.margin]
        around = F.unfold(parameters[:, None], window)[:, self._within.to(parameters.device)]
        values = around * self._weights.to(parameters)[:, None]
        coarse = smooth_maximum(values, 1).unflatten(1, self.nodes)
        return F.interpolate(coarse[:, None], self.size, mode="bilinear", align_corners=True)[:, 0]

    def at_nodes(self, maps: Tensor) -> Tensor:
        """Return maps (n, H, W) averaged round the nodes and continued beyond the borders: (n, *shape)."""
        coarse = F.adaptive_avg_pool2d(maps[:, None], self.nodes)
        rows, columns = self.margin
        return F.pad(coarse, (columns, columns, rows, rows), mode="replicate")[:, 0]
