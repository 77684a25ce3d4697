"""Gradients of images, and the image that has given gradients (Poisson's equation)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn, idctn
from torch import Tensor


def gradients(images: Tensor) -> Tensor:
    """Return the differences to the right and to the lower neighbour: (…, H, W) → (2, …, H, W), zero at the far rim."""
    field = images.new_zeros((2, *images.shape))
    field[0, ..., :-1] = images.diff(dim=-1)
    field[1, ..., :-1, :] = images.diff(dim=-2)
    return field


def divergence(field: Tensor) -> Tensor:
    """Return minus the adjoint of `gradients`: (2, …, H, W) → (…, H, W).

    ⟨field, gradients(x)⟩ = −⟨divergence(field), x⟩. The far rim of the field, where gradients are zero, is not used.
    """
    right, down = field[0].clone(), field[1].clone()
    right[..., -1], down[..., -1, :] = 0, 0
    right[..., 1:] -= field[0][..., :-1]
    down[..., 1:, :] -= field[1][..., :-1, :]
    return right + down


def integrate(field: Tensor) -> Tensor:
    """Return the image of mean zero whose gradients are nearest to a field, in least squares; (2, …, H, W) → (…, H, W).

    Poisson's equation with free rims, solved exactly by the cosine transform, which diagonalises div ∘ grad.
    """
    target = divergence(field).double().numpy()
    height, width = target.shape[-2:]
    eigenvalues = _eigenvalues(height)[:, None] + _eigenvalues(width)
    eigenvalues[0, 0] = 1  # the mean is free
    coefficients = dctn(target, axes=(-2, -1), norm="ortho") / eigenvalues
    coefficients[..., 0, 0] = 0
    return torch.from_numpy(idctn(coefficients, axes=(-2, -1), norm="ortho")).to(field.dtype)


def _eigenvalues(size: int) -> NDArray[np.float64]:
    return 2 * np.cos(np.pi * np.arange(size) / size) - 2
