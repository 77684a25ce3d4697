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
        blurred = [_blurred(images, size, each) for size, each in zip(sizes, strengths, strict=True)]
        self._copies = torch.stack([images, *blurred], 1)

    def __call__(self, masks: Tensor) -> Tensor:
        """Return the images x ⊗ m for masks (n, H, W) in [0, 1]: where m is 1 sharp, where it is 0 blurred most.

        Between, the two copies of the next strengths are mixed linearly.
        """
        place = (1 - masks) * (LEVELS - 1)
        level = place.detach().nan_to_num().floor().clamp(0, LEVELS - 2)  # a mask that is not finite stays so below
        chosen = level.long()[:, None, None].expand(-1, 1, self._copies.shape[2], -1, -1)
        sharper, softer = (self._copies.gather(1, chosen + further)[:, 0] for further in (0, 1))
        return sharper + (place - level)[:, None] * (softer - sharper)

    def take(self, rows: Tensor) -> Blurring:
        """Return the same for some of the images."""
        part = object.__new__(Blurring)
        part._copies = self._copies[rows]
        return part


def _blurred(images: Tensor, size: int, sigma: float) -> Tensor:
    """Images blurred along rows, then along columns: the same as at once, at a fraction of the work."""
    across = gaussian_blur(images, [size, 1], [sigma, sigma])
    return gaussian_blur(across, [1, size], [sigma, sigma])
