"""Images that are kept where a mask is 1 and blurred where it is 0."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

LEVELS = 8  # blurred copies, the sharp one among them


class Blurring:
    """A pyramid of blurred copies of images, between which a mask chooses.

    Args:
        images: (n, C, H, W).
        sigma: standard deviation of the strongest blur, in pixels; the weakest is 0.
    """

    def __init__(self, images: Tensor, sigma: float) -> None:
        longest = 2 * min(images.shape[-2:]) - 1  # a reflected border is no longer than the image
        strengths = torch.linspace(0, sigma, LEVELS).tolist()[1:]
        sizes = (min(2 * round(3 * each) + 1, longest) for each in strengths)
        blurred = [
            gaussian_blur(images, [size, size], [each, each]) for size, each in zip(sizes, strengths, strict=True)
        ]
        self._copies = torch.stack([images, *blurred], 1)

    def __call__(self, masks: Tensor) -> Tensor:
        """Return the images x ⊗ m for masks (n, H, W) in [0, 1]: where m is 1 sharp, where it is 0 blurred most.

        Between, the two copies of the next strengths are mixed linearly.
        """
        place = (1 - masks)[:, None] * (LEVELS - 1)
        levels = torch.arange(LEVELS, device=masks.device)[:, None, None]
        weights = (1 - (place - levels).abs()).clamp(min=0)
        return torch.einsum("nlhw,nlchw->nchw", weights, self._copies)

    def take(self, rows: Tensor) -> Blurring:
        """Return the same for some of the images."""
        part = object.__new__(Blurring)
        part._copies = self._copies[rows]
        return part

    def flipped(self) -> Blurring:
        """Return the same for the images mirrored left to right."""
        part = object.__new__(Blurring)
        part._copies = self._copies.flip(-1)
        return part
