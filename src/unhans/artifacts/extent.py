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

_COMPANY = 4  # significant gradients needed among the 54 in a 3 × 3 neighbourhood: .15 of them are so by chance
_LOUD = 0.995  # quantile of the contrast that stands for a mark's full strength
_SHARE = 0.2  # of the full strength that counts: a dark outline round bright letters is fainter than they are


def contrast(carriers: Moments, rest: Moments) -> Tensor:
    """Return by how much a mark changes the mean image, up to the noise of the mean: (C, H, W), 0 where there is none.

    Only gradients that differ surely, and in company, are integrated, so that what the two groups of images show
    otherwise does not appear. What most pixels have is taken as no change.
    """
    sure = significant(carriers, rest)
    sure &= torch.from_numpy(_company(sure.double().sum((0, 1)).numpy()))
    image = integrate(torch.where(sure, carriers.mean - rest.mean, 0.0))
    return image - image.flatten(1).median(1).values[:, None, None]


def extent(change: Tensor) -> NDArray[np.bool_]:
    """Return where the contrast (C, H, W) has at least a fifth of its full strength: (H, W) bool."""
    strength = change.abs().amax(0).numpy()
    full = np.quantile(strength, _LOUD)
    return strength > max(_SHARE * full, 1e-9)


def grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Return the mask grown by this many pixels."""
    return ndimage.binary_dilation(mask, iterations=pixels) if pixels else mask


def _company(count: NDArray[np.float64]) -> NDArray[np.bool_]:
    return 9 * ndimage.uniform_filter(count, 3, mode="constant") > _COMPANY - 0.5
