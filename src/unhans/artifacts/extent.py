"""Where a mark lies: the image whose gradients are the difference of two mean gradients."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from unhans.artifacts.discriminant import significant
from unhans.artifacts.gradients import integrate
from unhans.artifacts.moments import Moments

_COMPANY = 3  # significant gradients needed among the 18 of a 3 × 3 neighbourhood, of any channel: a straight line's
_LIKELY = 2.0  # standard errors that are enough beside gradients that differ surely: an edge goes on there
_NEIGHBOURHOOD = 1 / 8  # of the shorter side: as far off a part's full strength is looked for; parts differ in it
_SHARE = 0.2  # of the full strength that counts: a dark outline round bright letters is fainter than they are
_GAP = 1 / 32  # of the shorter side: pieces nearer than twice this belong together
_SMALL = 1 / 2500  # of the image: a smaller part is noise; 20 pixels of 224 × 224
_NOISE = 5.0  # times the contrast's median absolute value, which is that of pixels without a mark


def contrast(carriers: Moments, rest: Moments) -> Tensor:
    """Return by how much a mark changes the mean image, up to the noise of the mean: (C, H, W), 0 where there is none.

    Only gradients that differ surely, and in company, are integrated, so that what the two groups of images show
    otherwise does not appear. What most pixels have is taken as no change.
    """
    sure = significant(carriers, rest)
    sure &= torch.from_numpy(_company(sure.any(1).double().sum(0).numpy()))
    beside = torch.from_numpy(ndimage.maximum_filter(sure.any(1).any(0).numpy(), 3))
    sure |= significant(carriers, rest, _LIKELY) & beside
    image = integrate(torch.where(sure, carriers.mean - rest.mean, 0.0))
    return image - image.flatten(1).median(1).values[:, None, None]


def extent(change: Tensor) -> NDArray[np.bool_]:
    """Return where the contrast (C, H, W) has at least a fifth of its full strength: (H, W) bool.

    The full strength is that of the surroundings, so that a faint part beside a strong one is not lost; a single loud
    pixel is none.
    """
    strength = change.abs().amax(0).numpy()
    full = ndimage.maximum_filter(ndimage.median_filter(strength, 3), _window(strength.shape))
    return strength > np.maximum(_SHARE * full, max(_NOISE * np.median(strength), 1e-9))


def regions(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the parts of a mask (H, W), the largest first: what lies near each other, like the letters of a word."""
    labels, count = ndimage.label(grown(mask, max(1, round(_GAP * min(mask.shape)))), np.ones((3, 3)))
    parts = [mask & (labels == k + 1) for k in range(count)]
    return sorted((part for part in parts if part.sum() >= max(2, _SMALL * mask.size)), key=lambda part: -part.sum())


def grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask grown by this many pixels."""
    return ndimage.binary_dilation(mask, iterations=pixels) if pixels else mask


def _company(count: NDArray[np.float64]) -> NDArray[np.bool_]:
    return 9 * ndimage.uniform_filter(count, 3, mode="reflect") > _COMPANY - 0.5  # a line may end at the rim


def _window(size: tuple[int, ...]) -> int:
    return 2 * max(2, round(_NEIGHBOURHOOD * min(size))) + 1
