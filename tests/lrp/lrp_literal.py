"""The rules a second time: an explicit weight matrix and double loops over its entries, as in the formulas."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn


def weight_matrix(layer: nn.Module, x: Tensor) -> tuple[list[list[float]], list[float]]:
    """Return W (outputs, inputs) and b of an affine layer, for one sample without the batch dimension."""
    zeros = torch.zeros_like(x)[None]
    jacobian = torch.autograd.functional.jacobian(lambda t: layer(t).flatten(), zeros)
    return jacobian.reshape(-1, x.numel()).tolist(), layer(zeros).detach().flatten().tolist()


def connections(layer: nn.Module, x: Tensor) -> list[list[bool]]:
    """Tell which input is an input of which output, whatever the weights."""
    layer = copy.deepcopy(layer)
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    return [[w != 0 for w in row] for row in weight_matrix(layer, x)[0]]


class Layer:
    """One sample at an affine layer: x, W, b and the connections as plain numbers."""

    def __init__(self, layer: nn.Module, x: Tensor) -> None:
        self.x = x.flatten().tolist()
        self.w, self.b = weight_matrix(layer, x)
        self.connected = connections(layer, x)

    def z(self, j: int) -> list[float]:
        return [x * w for x, w in zip(self.x, self.w[j], strict=True)]

    def relevance(self, above: list[float], share) -> list[float]:
        """Return Σ_j share(j)_i R_j."""
        total = [0.0] * len(self.x)
        for j, r in enumerate(above):
            for i, s in enumerate(share(j)):
                total[i] += s * r
        return total


def epsilon(layer: Layer, above: list[float], eps: float) -> list[float]:
    def share(j):
        z = sum(layer.z(j)) + layer.b[j]
        stable = z + eps * (1 if z >= 0 else -1)
        return [z_ij / stable for z_ij in layer.z(j)]

    return layer.relevance(above, share)


def alpha_beta(layer: Layer, above: list[float], alpha: float, beta: float) -> list[float]:
    def share(j):
        up, down = [max(z, 0.0) for z in layer.z(j)], [min(z, 0.0) for z in layer.z(j)]
        z_up, z_down = sum(up) + max(layer.b[j], 0.0), sum(down) + min(layer.b[j], 0.0)
        if z_up == 0 and z_down == 0:
            return [0.0] * len(up)
        if z_down == 0:
            return [u / z_up for u in up]
        if z_up == 0:
            return [d / z_down if beta else 0.0 for d in down]
        return [alpha * u / z_up + beta * d / z_down for u, d in zip(up, down, strict=True)]

    return layer.relevance(above, share)


def gamma(layer: Layer, above: list[float], g: float) -> list[float]:
    def share(j):
        z = sum(layer.z(j)) + layer.b[j]
        part = (lambda t: max(t, 0.0)) if z >= 0 else (lambda t: min(t, 0.0))
        numerators = [z_ij + g * part(z_ij) for z_ij in layer.z(j)]
        denominator = sum(numerators) + layer.b[j] + g * part(layer.b[j])
        return [n / denominator if denominator else 0.0 for n in numerators]

    return layer.relevance(above, share)


def flat(layer: Layer, above: list[float]) -> list[float]:
    def share(j):
        count = sum(layer.connected[j])
        return [connected / count for connected in layer.connected[j]]

    return layer.relevance(above, share)


def w_square(layer: Layer, above: list[float]) -> list[float]:
    def share(j):
        total = sum(w**2 for w in layer.w[j])
        return [w**2 / total for w in layer.w[j]]

    return layer.relevance(above, share)


def z_box(layer: Layer, above: list[float], low: float, high: float) -> list[float]:
    def share(j):
        pairs = zip(layer.x, layer.w[j], strict=True)
        numerators = [x * w - low * max(w, 0.0) - high * min(w, 0.0) for x, w in pairs]
        total = sum(numerators)
        return [n / total for n in numerators]

    return layer.relevance(above, share)


def max_pool(x: Tensor, above: Tensor, kernel, stride, padding, dilation) -> Tensor:
    """Return the relevance of x (C, H, W): each window's maximum takes it, maxima that tie share it equally."""
    relevance = torch.zeros_like(x)
    height, width = x.shape[1:]
    for c, j, i in torch.cartesian_prod(*map(torch.arange, above.shape)).tolist():
        best, winners = -math.inf, []
        for a in range(kernel[0]):
            for b in range(kernel[1]):
                row = j * stride[0] - padding[0] + a * dilation[0]
                column = i * stride[1] - padding[1] + b * dilation[1]
                if not (0 <= row < height and 0 <= column < width):
                    continue
                value = x[c, row, column].item()
                if value > best:
                    best, winners = value, []
                if value == best:
                    winners.append((row, column))
        for row, column in winners:
            relevance[c, row, column] += above[c, j, i] / len(winners)
    return relevance
