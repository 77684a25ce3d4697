"""Finding windows in images by gradients relative to the contrast around them, with the Fourier transform."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from unhans.isolation.fixed import gradients

_LARGEST = 3.0  # one strong edge must not outweigh the rest of an object


def local_contrast(images: Tensor, floor: float) -> Tensor:
    """Return the gradients of each pixel, divided by their mean size in it: (n, 3, H, W) → (n, 6, H, W).

    floor: what is added to that size, so that noise on an even ground does not look like an edge; see `contrast_floor`.
    The result lies in [−3, 3].
    """
    field = torch.cat(tuple(gradients(images)), 1)
    return (field / (field.abs().mean(1, keepdim=True) + floor)).clamp(-_LARGEST, _LARGEST)


def contrast_floor(images: Tensor) -> float:
    """Return the root mean square of the images' gradients, or a tiny number for even images."""
    return max(float(gradients(images).square().mean().sqrt()), 1e-6)


class Spectra:
    """Images ready to be searched for templates of one size.

    features: (n, C, H, W), zero where nothing is; side: of the templates, in pixels. A template may stick out of the
    image by half its side.
    """

    def __init__(self, features: Tensor, side: int) -> None:
        self.side, self.overhang = side, side // 2
        height, width = (length + 2 * self.overhang for length in features.shape[-2:])
        self._room = height - side + 1, width - side + 1
        # Circular correlation is exact at all places where the template lies inside, so no more padding is needed.
        self._shape = next_fast_len(height, True), next_fast_len(width, True)
        padded = torch.nn.functional.pad(features, (self.overhang,) * 4)
        self._spectra = torch.fft.rfft2(padded, s=self._shape)

    def __len__(self) -> int:
        return len(self._spectra)

    def best(self, template: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the highest inner product of each image with the template (C, side, side), and its place.

        Scores (n,), places (n, 2): top and left of the template in the image's pixels, negative where it sticks out.
        """
        sought = torch.fft.rfft2(template, s=self._shape).conj()
        found = [self._best(spectrum, sought) for spectrum in self._spectra]  # one by one: n products would be large
        return np.array([score for score, _ in found]), np.array([place for _, place in found]).reshape(-1, 2)

    def _best(self, spectrum: Tensor, sought: Tensor) -> tuple[float, tuple[int, int]]:
        scores = torch.fft.irfft2((spectrum * sought).sum(0), s=self._shape)[: self._room[0], : self._room[1]]
        row, column = divmod(int(scores.argmax()), self._room[1])
        return float(scores[row, column]), (row - self.overhang, column - self.overhang)


def best_correlations(windows: Tensor) -> NDArray[np.float64]:
    """Return how alike each pair of windows is at its best shift: (n, C, s, s) → (n, n), 1 on the diagonal.

    The highest cross-correlation over all shifts, of windows of norm 1; a window of zeros is like nothing (0).
    """
    norms = windows.flatten(1).norm(dim=1).clamp(min=torch.finfo(windows.dtype).tiny)
    shape = tuple(next_fast_len(2 * length - 1, True) for length in windows.shape[-2:])
    spectra = torch.fft.rfft2(windows / norms[:, None, None, None], s=shape)
    alike = [torch.fft.irfft2((spectra * one.conj()).sum(1), s=shape).flatten(1).amax(1) for one in spectra]
    return torch.stack(alike).double().numpy()
