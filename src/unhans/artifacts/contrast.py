"""Image gradients relative to the contrast around them: what stays of an object on any background and in any light."""

from __future__ import annotations

import torch
from torch import Tensor

from unhans.artifacts.gradients import gradients

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
