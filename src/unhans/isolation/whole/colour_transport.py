"""The affine map of colours that turns those of one group of images into those of another."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import ColourMatrix
from unhans.isolation.fixed import block_size
from unhans.isolation.whole.image_statistics import Numbers
from unhans.isolation.whole.transform_estimation import resamples, shrunk

_FLOOR = 0.01**2  # variance of a colour in [0, 1] that is always there: 2.5 of 255 grey values
_BRIGHTNESS = 3.0  # times as dear as a change of hue is one of brightness: dark strokes stay dark, whatever their hue


def estimate_colour_matrix(images: Tensor, weights: Numbers, seed: int = 0) -> ColourMatrix:
    """Match mean and covariance of all pixels' colours of both groups, in both directions.

    Of all maps that do so it is the one that changes the colours least, where a change of brightness counts more than
    one of hue [Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping"]. What of its distance
    from no change is no larger than by chance is left out (positive-part shrinkage).

    Args:
        images: (n, 3, H, W) in [0, 1].
        weights: (n,), the probability of each to carry the artifact.
        seed: of the samples that are drawn anew to see what is chance.
    """
    moments = _moments(images)
    observed = _maps(moments, weights, np.ones(len(weights)))
    drawn = np.stack([_maps(moments, weights, chosen) for chosen in resamples(weights, seed)])
    none = np.eye(3, 4)
    found = [none + shrunk(observed[k] - none, drawn[:, k] - none) for k in range(2)]
    return ColourMatrix(*(torch.from_numpy(each).float() for each in found))


def _moments(images: Tensor) -> tuple[Numbers, Numbers]:
    """Mean (n, 3) and mean product (n, 3, 3) of the colours of each image."""
    found = []
    for part in images.split(block_size(images)):
        pixels = part.flatten(2).double()
        found.append((pixels.mean(2), pixels @ pixels.mT / pixels.shape[2]))
    means, products = (torch.cat(each).numpy() for each in zip(*found, strict=True))
    return means, products


def _maps(moments: tuple[Numbers, Numbers], weights: Numbers, chosen: Numbers) -> Numbers:
    """The maps (2, 3, 4) to the carriers' colours and back."""
    groups = [_gaussian(moments, chosen * part + 1e-9) for part in (1 - weights, weights)]
    return np.stack([_transport(*groups), _transport(*groups[::-1])])


def _gaussian(moments: tuple[Numbers, Numbers], weights: Numbers) -> tuple[Numbers, Numbers]:
    mean, product = (np.average(each, axis=0, weights=weights) for each in moments)
    return mean, product - np.outer(mean, mean) + _FLOOR * np.eye(3)


def _transport(before: tuple[Numbers, Numbers], after: tuple[Numbers, Numbers]) -> Numbers:
    """The affine map (3, 4) of least expected change in the metric 1 + (b − 1)·(projection on grey)."""
    grey = np.full((3, 3), 1 / 3)
    scale, back = (np.eye(3) + (factor - 1) * grey for factor in (_BRIGHTNESS, 1 / _BRIGHTNESS))
    first, second = (scale @ covariance @ scale for _, covariance in (before, after))
    root = _power(first, 0.5)
    inverse = _power(first, -0.5)
    matrix = back @ inverse @ _power(root @ second @ root, 0.5) @ inverse @ scale
    return np.concatenate([matrix, (after[0] - matrix @ before[0])[:, None]], axis=1)


def _power(matrix: Numbers, exponent: float) -> NDArray[np.float64]:
    """A power of a symmetric positive definite matrix."""
    values, axes = np.linalg.eigh(matrix)
    return (axes * np.maximum(values, 1e-12) ** exponent) @ axes.T
