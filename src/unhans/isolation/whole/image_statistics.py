"""Numbers that describe whole images, one row for each: colours, places, frequencies, seams between blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn
from torch import Tensor

from unhans.artifacts import BLOCK, frequencies
from unhans.isolation.fixed import block_size

Family = Literal["colours", "places", "frequencies", "seams"]
Numbers = NDArray[np.float64]

LEVELS = 256  # bins of a histogram
LOW = 8  # frequencies of the cosine transform to each side that count as low
_BANDS = 2.0**0.5  # ratio of the frequencies of neighbouring bands
_FINEST = 0.45  # cycles per pixel from which on there is one band: few frequencies lie beyond, in the corners
_QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_LUMA = torch.tensor([0.299, 0.587, 0.114])
_FAINT = 1e-3  # in [0, 1]: differences below it are rounding to 8 bits


def statistics_of(family: Family, images: Tensor) -> Numbers:
    """Return the numbers of a family for images (n, 3, H, W) in [0, 1]: (n, d), finite.

    Images are rounded to 8 bits: whether they were before tells nothing about an artifact.
    """
    parts = [_OF[family]((part.float() * 255).round() / 255) for part in images.split(block_size(images))]
    return np.concatenate(parts) if parts else np.zeros((0, 0))


class Statistics:
    """The numbers of every family for some images (n, 3, H, W), each computed when it is first asked for.

    known: numbers of the same images, found before; what is computed is added to it.
    """

    def __init__(self, images: Tensor, known: dict[Family, Numbers] | None = None) -> None:
        self._images = images
        self._known: dict[Family, Numbers] = {} if known is None else known

    def __getitem__(self, family: Family) -> Numbers:
        """Return the numbers of a family: (n, d)."""
        if family not in self._known:
            self._known[family] = statistics_of(family, self._images)
        return self._known[family]


def histograms(images: Tensor) -> Numbers:
    """Return the share of pixels in each of 256 bins by channel: (n, 3, 256)."""
    bins = (images.clamp(0, 1) * (LEVELS - 1)).round().long().flatten(2)
    rows = torch.arange(len(images) * 3).view(-1, 3, 1) * LEVELS
    counts = torch.bincount((bins + rows).flatten(), minlength=len(images) * 3 * LEVELS)
    return counts.view(-1, 3, LEVELS).numpy() / max(1, bins.shape[-1])


def radial_power(images: Tensor) -> tuple[Numbers, Numbers]:
    """Return the mean power per pixel of images (n, 3, H, W) in bands: (n, 3, B), and their frequencies (B,).

    The images fade out towards their sides, so that opposite sides do not leak into the high frequencies.
    """
    height, width = images.shape[-2:]
    window = torch.hann_window(height, periodic=False)[:, None] * torch.hann_window(width, periodic=False)
    mean = (images * window).sum((2, 3), keepdim=True) / window.sum()
    power = torch.fft.rfft2((images - mean) * window).abs().square() / window.square().sum()
    bands, centres = _bands((height, width))
    sums = torch.zeros(*power.shape[:2], len(centres)).index_add_(2, bands.flatten(), power.flatten(2))
    return (sums / torch.bincount(bands.flatten(), minlength=len(centres))).double().numpy(), centres


def _bands(size: tuple[int, int]) -> tuple[Tensor, Numbers]:
    """The band of each frequency (H, W // 2 + 1), and the mean frequency of each band; none is empty."""
    radial = frequencies(size)
    number = ((radial.clamp(max=_FINEST) * min(size)).clamp(min=1).log2() / np.log2(_BANDS)).floor().long()
    _, bands = number.unique(return_inverse=True)
    counts = torch.bincount(bands.flatten())
    sums = torch.zeros(len(counts)).index_add_(0, bands.flatten(), radial.flatten())
    return bands, (sums / counts).double().numpy()


def _colours(images: Tensor) -> Numbers:
    """Quantiles, mean and standard deviation of each channel, and of the differences between channels."""
    red, green, blue = images.flatten(2).double().unbind(1)
    levels = torch.tensor(_QUANTILES, dtype=torch.float64)
    values = torch.stack([red, green, blue, red - green, blue - green, red - blue], 1)
    found = [values.mean(2, keepdim=True), values.std(2, correction=0, keepdim=True)]
    quantiles = values[:, :3].quantile(levels, dim=2).permute(1, 2, 0)
    return torch.cat([torch.cat(found, 2).flatten(1), quantiles.flatten(1)], 1).numpy()


def _places(images: Tensor) -> Numbers:
    """Cosine transform of the brightness: its low frequencies, and all that run straight down or straight across."""
    grey = _grey(images)
    grey = grey - grey.mean((1, 2), keepdim=True)
    grey = grey / grey.std((1, 2), keepdim=True).clamp(min=_FAINT)
    cosines = dctn(grey.double().numpy(), axes=(1, 2), norm="ortho")
    low = cosines[:, :LOW, :LOW].reshape(len(cosines), -1)[:, 1:]
    return np.concatenate([low, cosines[:, LOW:, 0], cosines[:, 0, LOW:]], axis=1)


def _frequencies(images: Tensor) -> Numbers:
    """Log-power in bands of brightness and of the differences of colour, beside the coarsest bands of brightness."""
    red, green, blue = images.unbind(1)
    power, _ = radial_power(torch.stack([_grey(images), red - green, blue - green], 1))
    logarithms = np.log(power[:, :, 1:] + _FAINT**2)
    return (logarithms - logarithms[:, :1, :2].mean(2, keepdims=True)).reshape(len(images), -1)


def _seams(images: Tensor) -> Numbers:
    """How much larger steps between pixels are at multiples of 8 than elsewhere, and how many blocks are smooth."""
    red, _, blue = images.unbind(1)
    grey = _grey(images)
    planes = torch.stack([grey, red - grey, blue - grey], 1).double()
    found = [_jumps(planes), _jumps(planes.mT)]
    return torch.cat([sum(found) / 2, found[0][:, :1] - found[1][:, :1]], 1).numpy()


def _jumps(planes: Tensor) -> Tensor:
    """Log of the mean second difference across seams by that one pixel beside them: (n, C)."""
    bent = (planes[..., 3:] - 3 * planes[..., 2:-1] + 3 * planes[..., 1:-2] - planes[..., :-3]).abs().mean(2)
    columns = torch.arange(bent.shape[-1])
    at = columns % BLOCK == BLOCK - 2  # the step in the middle is that from column 7 to column 8
    beside = (columns % BLOCK == 1) | (columns % BLOCK == 3)
    if not at.any():
        return torch.zeros(planes.shape[:2], dtype=planes.dtype)
    return ((bent[..., at].mean(-1) + _FAINT) / (bent[..., beside].mean(-1) + _FAINT)).log()


def _grey(images: Tensor) -> Tensor:
    return torch.einsum("nchw,c->nhw", images, _LUMA)


_OF: dict[str, Callable[[Tensor], Numbers]] = {
    "colours": _colours,
    "places": _places,
    "frequencies": _frequencies,
    "seams": _seams,
}
