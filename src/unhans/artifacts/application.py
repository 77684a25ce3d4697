"""Putting any artifact on images: a layer is laid over them, a transform is applied to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.artifact import Layered
from unhans.artifacts.overlay import blend, covered
from unhans.artifacts.transforms import Transform

WHOLE = "the artifact covers the whole image"


def put_on(artifact: Layered, images: Tensor, indices: NDArray[np.int64]) -> Tensor:
    """Return images (n, 3, H, W) in [0, 1] of samples (n,) with an artifact on them.

    One that has a `transform` applies it; one that knows better, by a method `put_on(images, indices)`, does so; every
    other one has layers, which are laid over the images. Raises ValueError for an artifact of another size.
    """
    own: Any = getattr(artifact, "put_on", None)
    if own is not None:
        return own(images, indices)
    transform = transform_of(artifact)
    return blend(images, layers_of(artifact, indices, _size(images))) if transform is None else transform.apply(images)


def layers_of(artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> Tensor:
    """Return the artifact's layers on samples: (n, 4, H, W); ValueError for one of another size."""
    layers = [artifact.layer(int(index), size) for index in indices]
    for shape in {tuple(layer.shape) for layer in layers} - {(4, *size)}:
        raise ValueError(f"an artifact's layer must be RGBA of the image's size: expected {(4, *size)}, got {shape}")
    return torch.stack(layers)


def transform_of(artifact: Any) -> Transform | None:
    """Return what an artifact does to whole images; None for one that has layers."""
    return getattr(artifact, "transform", None)


def is_whole(artifact: Any) -> bool:
    """Tell whether an artifact lies on whole images, so that no part of them is inside it."""
    return transform_of(artifact) is not None


def can_be_put_on(artifact: Any) -> bool:
    """Tell whether an isolated artifact has a layer or a transform."""
    return artifact is not None and (bool(artifact.layers) or is_whole(artifact))


def covered_by(artifact: Layered, indices: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels the artifact covers on samples: (n, H, W), all of them for one of whole images."""
    if is_whole(artifact):
        return np.ones((len(indices), *size), dtype=bool)
    return covered(layers_of(artifact, indices, size)[:, 3].numpy())


def check_part(artifact: Any, what: str) -> None:
    """Raise ValueError for an artifact of whole images; what: needs a part of them, as "right_reasons"."""
    if is_whole(artifact):
        raise ValueError(f"{what} needs an artifact that covers a part of the image, but {WHOLE}.")


def check_fits(artifact: Layered, size: tuple[int, int]) -> None:
    """Raise ValueError for an artifact that cannot be put on images of this size."""
    if is_whole(artifact):
        put_on(artifact, torch.zeros(1, 3, *size), np.zeros(1, dtype=np.int64))
    else:
        artifact.layer(0, size)


def _size(images: Tensor) -> tuple[int, int]:
    return int(images.shape[-2]), int(images.shape[-1])
