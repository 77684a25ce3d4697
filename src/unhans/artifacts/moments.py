"""Means and variances of image gradients over groups of samples, one block of samples at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from unhans.artifacts.gradients import gradients

_BLOCK = 1 << 22  # values of images held at once beside the images themselves


@dataclass(frozen=True)
class Moments:
    """Sums over n samples of a quantity and of its square, in float64."""

    n: int
    total: Tensor
    squares: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.n - other.n, self.total - other.total, self.squares - other.squares)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self.total / self.n

    @property
    def scatter(self) -> Tensor:
        """The sum of squared deviations from the mean; rounding never makes it negative."""
        return (self.squares - self.total.square() / self.n).clamp(min=0)


def gradient_moments(images: Tensor, groups: Tensor, count: int) -> list[Moments]:
    """Return the moments of the image gradients of each group; groups: (n,) 0 … count − 1.

    images: (n, C, H, W) → sums (2, C, H, W). A block is summed in float32, blocks in float64.
    """
    totals = torch.zeros(2, count, 2 * images[0].numel(), dtype=torch.float64)
    for start in range(0, len(images), step := block_size(images)):
        values = gradients(images[start : start + step]).transpose(0, 1).flatten(1)
        member = torch.nn.functional.one_hot(groups[start : start + step], count).T.to(values.dtype)
        totals[0] += member @ values
        totals[1] += member @ values.square_()
    shape = (2, *images.shape[1:])
    sizes = torch.bincount(groups, minlength=count).tolist()
    return [Moments(sizes[k], totals[0, k].view(shape), totals[1, k].view(shape)) for k in range(count)]


def pixel_moments(images: Tensor, group: Tensor) -> Moments:
    """Return the moments of the pixel values of a group; group: (n,) bool; sums (C, H, W)."""
    total, squares = torch.zeros(2, *images.shape[1:], dtype=torch.float64)
    chosen = torch.nonzero(group)[:, 0]
    for part in chosen.split(block_size(images)):
        values = images[part].double()
        total += values.sum(0)
        squares += values.square_().sum(0)
    return Moments(len(chosen), total, squares)


def block_size(images: Tensor) -> int:
    """Return how many of the images (n, C, H, W) make a block."""
    return max(1, _BLOCK // images[0].numel())
