"""Heatmaps from what the logit loses when parts of the image are covered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unhans.attribution.method import Method, check_number, check_positive, in_batches


@dataclass(frozen=True)
class Occlusion(Method):
    """What the logit loses when a square is covered (Zeiler & Fergus 2014); a pixel has the mean of its squares.

    Args:
        window: side of the square in pixels; None is a quarter of the image's shorter side.
        stride: pixels between squares; None is half of the window.
        baseline: the value of covered pixels; 0 is the mean colour of normalised images.
        batch_size: images that pass the network at once, at most.
    """

    window: int | None = None
    stride: int | None = None
    baseline: float = 0.0
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.window is not None:
            check_positive("window", self.window)
        if self.stride is not None:
            check_positive("stride", self.stride)
        check_number("baseline", self.baseline)
        check_positive("batch_size", self.batch_size)
        if self.window is not None and self.stride is not None and self.stride > self.window:
            raise ValueError(f"stride: expected at most the window of {self.window}, got {self.stride}.")

    @property
    def description(self) -> str:
        """Name window, stride and baseline."""
        window = "a quarter of the shorter side" if self.window is None else f"{self.window} pixels"
        stride = "half of it" if self.stride is None else f"{self.stride} pixels"
        return f"Occlusion of the logit by {self.baseline:g}, window {window}, stride {stride}, at the input"

    def attribute(self, network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of the logit over the squares that cover each pixel."""
        from captum.attr import Occlusion as Cover

        window, stride = self.sizes(*images.shape[-2:])
        channels, cover = images.shape[1], Cover(network)
        parts = [
            cover.attribute(
                some,
                (channels, window, window),
                (channels, stride, stride),
                baselines=self.baseline,
                target=classes,
                perturbations_per_eval=max(1, self.batch_size // len(some)),
            )
            for some, classes in in_batches(images, target, self.batch_size)
        ]
        return torch.cat(parts)[:, 0]  # the square covers all channels: they share the loss

    def sizes(self, height: int, width: int) -> tuple[int, int]:
        """Return window and stride in pixels for images of this size.

        Raises:
            ValueError: the window is larger than the image, or smaller than the stride.
        """
        side = min(height, width)
        window = max(1, side // 4) if self.window is None else self.window
        stride = max(1, window // 2) if self.stride is None else self.stride
        if window > side:
            raise ValueError(f"window: expected at most the image's shorter side of {side} pixels, got {window}.")
        if stride > window:
            raise ValueError(f"stride: expected at most the window of {window} pixels, got {stride}.")
        return window, stride
