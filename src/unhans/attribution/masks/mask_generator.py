"""Smooth masks of an image from few parameters, by a smooth maximum over a grid (Fong et al. 2019, section 3.1)."""

from __future__ import annotations

import math
from typing import Any

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


class MaskGenerator:
    """Turns parameters on a grid into masks of images.

    The parameters p lie on a grid that reaches beyond the image as far as the kernel does. At a node u of the grid on
    the image the mask is m(u) = smax over nodes v of k(|u − v| / σ) p(v); between nodes it is interpolated bilinearly.

    Args:
        height: of the images, in pixels.
        width: of the images, in pixels.
        step: pixels between nodes of the grid, at most.
        sigma: reach of the kernel, in pixels.
        device: of the parameters.

    Attributes:
        shape: rows and columns of the parameters of one mask.
        margin: rows (columns) of them beyond each border of the image.
    """

    def __init__(self, height: int, width: int, step: float, sigma: float, device: torch.device | str = "cpu") -> None:
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
        self._sums = _Neighbours(weights, self.shape, self.nodes, device)

    def __call__(self, parameters: Tensor) -> Tensor:
        """Return masks (n, H, W) of parameters (n, *shape) in [0, 1]."""
        coarse = _SmoothMaximum.apply(parameters, self._sums)
        return F.interpolate(coarse[:, None], self.size, mode="bilinear", align_corners=True)[:, 0]

    def at_nodes(self, maps: Tensor) -> Tensor:
        """Return maps (n, H, W) averaged round the nodes and continued beyond the borders: (n, *shape)."""
        coarse = F.adaptive_avg_pool2d(maps[:, None], self.nodes)
        rows, columns = self.margin
        return F.pad(coarse, (columns, columns, rows, rows), mode="replicate")[:, 0]


class _Neighbours:
    """Which parameters lie round which node, and at which of the few distances.

    A row is a distance and a parameter, (distances · parameters) of them.

    Args:
        weights: of the window's places, row by row.
        shape: rows and columns of the parameters.
        nodes: rows and columns of the nodes; the window round a node has its centre on it.
        device: of the parameters.

    Attributes:
        weights: k at each distance, (distances,).
        nodes: as given.
    """

    def __init__(
        self, weights: Tensor, shape: tuple[int, int], nodes: tuple[int, int], device: torch.device | str
    ) -> None:
        within = (weights >= NEGLIGIBLE).nonzero().flatten()
        self.nodes, (self.weights, distance) = nodes, weights[within].unique(return_inverse=True)
        self.weights = self.weights.to(device)
        numbers = torch.arange(shape[0] * shape[1]).view(shape)
        window = [count - inner + 1 for count, inner in zip(shape, nodes, strict=True)]
        around = numbers.unfold(0, window[0], 1).unfold(1, window[1], 1).reshape(nodes[0] * nodes[1], -1)[:, within]
        rows = distance * numbers.numel() + around
        order = rows.flatten().argsort(stable=True)
        counts = torch.bincount(rows.flatten(), minlength=len(self.weights) * numbers.numel())
        self._rows = rows.to(device)
        self._users = (order // rows.shape[1]).to(device)
        self._starts = (counts.cumsum(0) - counts).to(device)

    def at_nodes(self, values: Tensor) -> Tensor:
        """Return for each node the sum of the rows round it: (nodes, n) of (rows, n)."""
        return F.embedding_bag(self._rows, values, mode="sum")

    def at_rows(self, values: Tensor) -> Tensor:
        """Return for each row the sum of the nodes that it lies round: (rows, n) of (nodes, n)."""
        return F.embedding_bag(self._users, values, self._starts, mode="sum")


class _SmoothMaximum(torch.autograd.Function):
    """Σ f e^{20 f} / Σ e^{20 f} over the f = k p round each node.

    All parameters at one distance have the same k, so that e^{20 f} is computed once for each of the few distances
    instead of once for each place of the window. f is at most 1, whose power is far from the largest number.
    """

    @staticmethod
    def forward(ctx: Any, parameters: Tensor, sums: _Neighbours) -> Tensor:
        """Return the maxima (n, rows, columns)."""
        values = sums.weights.to(parameters)[:, None, None] * parameters.flatten(1).T
        f = values.flatten(0, 1)
        power = (SHARPNESS * f).exp()
        under, over = sums.at_nodes(torch.cat([power, power * f], 1)).chunk(2, 1)
        found = over / under
        ctx.sums, ctx.shape = sums, parameters.shape
        ctx.save_for_backward(f, power, found, under)
        return found.T.unflatten(1, sums.nodes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """∂m/∂f = e^{20 f} (1 + 20 (f − m)) / Σ e^{20 f}."""
        f, power, found, under = ctx.saved_tensors
        share = gradient.flatten(1).T / under
        plain, scaled = ctx.sums.at_rows(torch.cat([share, share * found], 1)).chunk(2, 1)
        by_row = power * ((1 + SHARPNESS * f) * plain - SHARPNESS * scaled)
        weights = ctx.sums.weights.to(by_row)
        return torch.einsum("k,kpn->np", weights, by_row.unflatten(0, (len(weights), -1))).view(ctx.shape), None
