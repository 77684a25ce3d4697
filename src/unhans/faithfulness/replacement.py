"""What takes the place of pixels that are taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from unhans.artifacts import PAINTERS

Replacement = Literal["uniform", "dirichlet", "constant", "mean", "blur", "inpaint", "flip"]
REPLACEMENTS: tuple[str, ...] = get_args(Replacement)
DRAWN = ("uniform", "dirichlet")  # what differs from repeat to repeat
MIXED = 8  # other images that a Dirichlet mixture is of, at most

NOISE, PARTNERS = 3, 4  # in seeds: what is drawn


@dataclass(frozen=True, eq=False)
class PixelRange:
    """The lowest and the highest value that a pixel of every channel can have (C,), as the network takes images.

    Raises:
        ValueError: they have different shapes, or one is not below the other.
    """

    low: Tensor
    high: Tensor

    def __post_init__(self) -> None:
        if self.low.ndim != 1 or self.low.shape != self.high.shape or not bool((self.low < self.high).all()):
            raise ValueError(f"a pixel range expects low < high of every channel, got {self.low} and {self.high}.")

    def column(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return both as (C, 1, 1), of the type and on the device of a tensor."""
        return self.low.to(like)[:, None, None], self.high.to(like)[:, None, None]


@dataclass(frozen=True, eq=False)
class Perturbed:
    """Images whose pixels can be replaced.

    Attributes:
        images: (n, C, H, W).
        fills: what stands where pixels are replaced, of the same shape; None inpaints from what is left.
        valid: the range of pixels.
    """

    images: Tensor
    fills: Tensor | None
    valid: PixelRange

    def __call__(self, rows: Tensor, masks: Tensor) -> Tensor:
        """Return the images of these rows (b,) with the pixels of the masks (b, H, W) replaced."""
        images = self.images[rows]
        if self.fills is not None:
            return torch.where(masks[:, None], self.fills[rows], images)
        masks_there = masks.cpu().numpy()
        return torch.stack([self._inpainted(image, mask) for image, mask in zip(images, masks_there, strict=True)])

    def _inpainted(self, image: Tensor, mask: NDArray[np.bool_]) -> Tensor:
        if not mask.any():
            return image
        low, high = self.valid.column(image)
        picture = ((image - low) / (high - low)).expand(3, -1, -1).permute(1, 2, 0).float().cpu().numpy()
        painted = torch.from_numpy(PAINTERS["telea"](np.ascontiguousarray(picture), mask)).permute(2, 0, 1).to(image)
        return torch.where(torch.from_numpy(mask).to(image.device), painted[: len(image)] * (high - low) + low, image)


def fill(
    images: Tensor,
    replace: Replacement,
    valid: PixelRange,
    keys: Sequence[int],
    region: int,
    constant: float = 0.0,
    pool: Tensor | None = None,
    seed: int = 0,
    repeat: int = 0,
) -> Perturbed:
    """Draw what replaces the pixels of images (n, C, H, W), as the network takes them.

    - uniform: independent for every pixel and channel, over the valid range [Samek et al. 2017].
    - dirichlet: every pixel is a random convex mixture, Dirichlet (1, …, 1) for each pixel and common to its channels,
      of the pixels at the same place of other images, 8 at most: real colours without the image's own. The weights
      differ from pixel to pixel, so that no image is seen as a whole.
    - constant: one level of the valid range for all channels.
    - mean: the mean colour of the image.
    - blur: the image blurred by a Gaussian whose standard deviation is the side of a region.
    - inpaint: Telea's inpainting from all pixels that are left, anew after every step.
    - flip: low + high − x, which is −x for images at ±1 [Bach et al. 2015].

    What is drawn depends on seed, repeat and the image's values alone (and on the pool): methods and orders
    are compared on the same noise.

    Args:
        images: (n, C, H, W).
        replace: one of `REPLACEMENTS`.
        valid: the range of pixels.
        keys: of the images, see `image_keys`.
        region: side of a region in pixels.
        constant: of "constant", from 0, low, to 1, high.
        pool: images (p, C, H, W) that "dirichlet" mixes, without those equal to the image; None is `images`.
        seed, repeat: of what is drawn.

    Raises:
        ValueError: the replacement is unknown, or there is no other image to mix.
    """
    if replace not in REPLACEMENTS:
        raise ValueError(f"replace expects one of {', '.join(REPLACEMENTS)}, got {replace!r}.")
    low, high = valid.column(images)
    if replace == "inpaint":
        return Perturbed(images, None, valid)
    if replace == "constant":
        fills = (low + constant * (high - low)).expand_as(images)
    elif replace == "mean":
        fills = images.mean((2, 3), keepdim=True).expand_as(images)
    elif replace == "blur":
        side = min(6 * region + 1, 2 * min(images.shape[2:]) - 1)  # a reflected border is no longer than the image
        fills = gaussian_blur(images, [side, side], [float(region)] * 2)
    elif replace == "flip":
        fills = low + high - images
    elif replace == "uniform":
        noise = (_generator(seed, key, NOISE, repeat).random(images.shape[1:], np.float32) for key in keys)
        fills = low + torch.stack([torch.from_numpy(one) for one in noise]).to(images) * (high - low)
    else:
        fills = _mixtures(images, images if pool is None else pool, keys, seed, repeat)
    return Perturbed(images, fills, valid)


def _mixtures(images: Tensor, pool: Tensor, keys: Sequence[int], seed: int, repeat: int) -> Tensor:
    """Mix pixels of other images, for every image (n, C, H, W)."""
    found = []
    for image, key in zip(images, keys, strict=True):
        others = np.flatnonzero([not torch.equal(image, one) for one in pool.to(images)])
        if not len(others):
            raise ValueError("replace=dirichlet mixes pixels of other images, but there is one image alone.")
        chosen = _generator(seed, key, PARTNERS, repeat).permutation(others)[:MIXED]
        weights = _generator(seed, key, NOISE, repeat).standard_exponential((len(chosen), *image.shape[1:]), np.float32)
        mixed = torch.from_numpy(weights / weights.sum(0)).to(image)
        found.append(torch.einsum("phw,pchw->chw", mixed, pool[torch.from_numpy(chosen)].to(image)))
    return torch.stack(found)


def _generator(seed: int, key: int, what: int, repeat: int) -> np.random.Generator:
    return np.random.default_rng([seed, key, what, repeat])
