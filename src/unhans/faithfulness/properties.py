"""Properties of heatmaps: continuity along small changes of the image, and image-specificity [003 §3.3]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2.functional import InterpolationMode, rotate

from unhans.attribution import Explain
from unhans.faithfulness.regions import image_keys

NOISE_PATH = 5  # in seeds: what is drawn


@dataclass(frozen=True)
class Continuity:
    """Relative change of the heatmap over relative change of the image, from copy to copy along a path.

    (‖R(x_t) − R(x_{t−1})‖₁ / ‖R(x_{t−1})‖₁) / (‖x_t − x_{t−1}‖₂ / ‖x_{t−1}‖₂): Montavon et al. (2018) take
    ‖R(x) − R(x')‖₁ / ‖x − x'‖₂; relative changes can be compared between methods.

    Attributes:
        mean: over the path (n,).
        largest: on the path (n,).
    """

    mean: NDArray[np.float64]
    largest: NDArray[np.float64]


def translated(images: Tensor, steps: int) -> list[Tensor]:
    """Return copies of images (n, C, H, W) moved to the right by 0, 1, …, steps pixels; the left column is repeated."""
    return [F.pad(images, (t, 0, 0, 0), mode="replicate")[..., : images.shape[-1]] for t in range(steps + 1)]


def rotated(images: Tensor, steps: int) -> list[Tensor]:
    """Return copies of images (n, C, H, W) turned by 0, 1, …, steps degrees; pixels at the border are repeated."""
    margin = max(images.shape[2:]) // 2  # a corner is moved by less
    wide = F.pad(images, [margin] * 4, mode="replicate")
    turned = (rotate(wide, float(t), InterpolationMode.BILINEAR) for t in range(1, steps + 1))
    return [images, *(one[..., margin:-margin, margin:-margin] for one in turned)]


def noisy(images: Tensor, steps: int, noise: float, seed: int = 0) -> list[Tensor]:
    """Return copies with ever more of the same normal noise, from none to `noise` times each image's deviation."""
    drawn = [np.random.default_rng([seed, key, NOISE_PATH]) for key in image_keys(images)]
    normal = torch.stack([torch.from_numpy(one.standard_normal(images.shape[1:], np.float32)) for one in drawn])
    strength = noise * images.flatten(1).std(1)[:, None, None, None]
    return [images + t / steps * strength * normal.to(images) for t in range(steps + 1)]


def continuity(explain: Explain, path: Sequence[Tensor], targets: Tensor) -> Continuity:
    """Follow the heatmaps of images along a path of copies, for the same classes.

    Args:
        explain: from images and classes to heatmaps, as `Attribution.of` returns it.
        path: copies of the images, each (n, C, H, W); two that are equal count for nothing.
        targets: the class of each image (n,).
    """
    maps = [explain(copies, targets).maps.detach().double().flatten(1).cpu() for copies in path]
    flat = [copies.detach().double().flatten(1).cpu() for copies in path]
    ratios = []
    for t in range(1, len(path)):
        map_change = (maps[t] - maps[t - 1]).abs().sum(1) / maps[t - 1].abs().sum(1)
        image_change = (flat[t] - flat[t - 1]).norm(dim=1) / flat[t - 1].norm(dim=1)
        ratios.append((map_change / torch.where(image_change > 0, image_change, torch.nan)).numpy())
    found = np.array(ratios)
    known = ~np.isnan(found)
    count = np.where(known.any(0), known.sum(0), np.nan)
    largest = np.where(known.any(0), np.where(known, found, -np.inf).max(0), np.nan)
    return Continuity(np.where(known, found, 0.0).sum(0) / count, largest)


def class_similarity(heatmaps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return for each heatmap (n, H, W) of a class its mean cosine with those of the other images (n,).

    The lower, the more the maps depend on the image. NaN for a single map; maps that are zero everywhere count as
    orthogonal to all others.
    """
    rows = np.asarray(heatmaps, np.float64).reshape(len(heatmaps), -1)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(lengths > 0, lengths, 1)
    if len(units) < 2:
        return np.full(len(units), np.nan)
    return (units @ units.sum(0) - (units**2).sum(1)) / (len(units) - 1)
