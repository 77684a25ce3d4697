"""The guided filter (He, Sun and Tang, 2010): smoothing that keeps the edges of another picture.

Transparency and colour of a mark from the images that carry it and others without it.

A carrier is (1 − α)·x + α·c with x drawn like the others: var_c = (1 − α)²·var_r and mean_c = (1 − α)·mean_r + α·c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from unhans.isolation.fixed.discriminant import grown, pixel_moments

_EDGE = 1e-4  # variance of the guide, in [0, 1] values, below which its changes are taken for noise


def guided_filter(guide: NDArray[np.floating], values: NDArray[np.floating], radius: int) -> NDArray[np.float64]:
    """Return values smoothed by local linear models of a guide; values (H, W), guide (k, H, W).

    A model is fitted in each window of (2 radius + 1)² pixels, and the models that hold a pixel are averaged.
    """

    def mean(picture: NDArray[np.floating]) -> NDArray[np.float64]:
        window = (1,) * (picture.ndim - 2) + (2 * radius + 1,) * 2
        return ndimage.uniform_filter(picture.astype(np.float64), window)

    centre, level = mean(guide), mean(values)
    covariance = mean(guide * values) - centre * level
    scatter = mean(guide[:, None] * guide) - centre[:, None] * centre + _EDGE * np.eye(len(guide))[..., None, None]
    slope = np.linalg.solve(scatter.transpose(2, 3, 0, 1), covariance.transpose(1, 2, 0)[..., None])[..., 0]
    slope = slope.transpose(2, 0, 1)
    return (mean(slope) * guide).sum(0) + mean(level - (slope * centre).sum(0))


_FLOOR = 0.01**2  # variance of a pixel's value in [0, 1] below which a ratio of variances says nothing
_OPAQUE = 0.9  # alpha above which a single pixel's own ratio is exact enough
_CALIBRATION, _SMOOTHING = 1 / 28, 1 / 45  # widths as shares of the image's shorter side: 8 and 5 of 224 pixels
_DIFFERENT = 0.02  # five grey values of 255
_HALF = 0.5  # of a part's level of alpha: where it is
_VISIBLE = 0.05  # alpha below which a colour cannot be told


@dataclass(frozen=True)
class PixelStatistics:
    """Mean (3, H, W) and variance, summed over channels (H, W), of a group of n images."""

    n: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


def statistics(images: Tensor, group: NDArray[np.bool_]) -> PixelStatistics:
    """Return the pixels' statistics of the images (n, 3, H, W) in a group (n,) bool."""
    moments = pixel_moments(images, torch.from_numpy(group))
    return PixelStatistics(moments.n, moments.mean.numpy(), (moments.scatter.sum(0) / max(1, moments.n - 1)).numpy())


def estimate_layer(
    carriers: PixelStatistics, rest: PixelStatistics, change: Tensor, parts: Sequence[NDArray[np.bool_]], rim: int
) -> Tensor:
    """Return the RGBA layer (4, H, W) of a mark.

    A pixel's own alpha is noisy where the mark lets the image through; there it is smoothed along the contrast, so that
    edges stay where they are, and then drawn to the level of its part as far as noise explains how it varies there.

    Args:
        carriers, rest: of the images with and without the mark.
        change: (3, H, W), contrast of the mark.
        parts: (H, W) each, where the mark surely lies.
        rim: pixels round the parts in which it can lie.
    """
    near = grown(np.any(parts, axis=0), rim) if parts else np.zeros(change.shape[1:], dtype=bool)
    own = own_alpha(carriers, rest, near)
    guide = np.concatenate([change.numpy(), change.abs().amax(0, keepdim=True).numpy()])
    smooth = guided_filter(guide, own, max(2, round(_SMOOTHING * min(near.shape))))
    alpha = np.where(own > _OPAQUE, own, smooth).clip(0, 1) * near
    for part in parts:
        level, trust = _level(own[part], carriers.n, rest.n)
        around = grown(part, rim)
        alpha[around] = (trust * alpha + (1 - trust) * level * (smooth > _HALF * level))[around]
    alpha = np.maximum(alpha, least_alpha(change.numpy(), rest.mean) * near)
    color = (carriers.mean - (1 - alpha) * rest.mean) / np.maximum(alpha, _VISIBLE)
    color = np.where(alpha > _VISIBLE, color, 0.0).clip(0, 1)
    return torch.from_numpy(np.concatenate([color, alpha[None]])).float()


def least_alpha(change: NDArray[np.floating], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest alpha (H, W) with which a colour in [0, 1] changes the mean image (3, H, W) by so much.

    A faint mark takes away hardly any variance; α·(c − mean) = change bounds its alpha from below.
    """
    room = np.where(change > 0, 1 - mean, mean)
    return np.clip(np.abs(change) / np.maximum(room, _DIFFERENT), 0, 1).max(0)


def ratio_noise(alpha: float, n: int, others: int) -> float:
    """Return the standard deviation of a pixel's own alpha, estimated from n images with the mark and others without.

    A ratio of two independent standard deviations has the relative variance (1/(n − 1) + 1/(m − 1))/2.
    """
    return (1 - alpha) * ((1 / max(1, n - 1) + 1 / max(1, others - 1)) / 2) ** 0.5


def _level(own: NDArray[np.float64], n: int, others: int) -> tuple[float, float]:
    """Return the level of a part's own alphas, and how far their variance exceeds noise: 0 … 1 (empirical Bayes)."""
    level = float(np.clip(np.median(own), 0, 1))
    noise, observed = ratio_noise(level, n, others) ** 2, float(np.var(own.clip(-1, 1)))
    return level, max(0.0, 1 - noise / max(observed, 1e-12))


def own_alpha(carriers: PixelStatistics, rest: PixelStatistics, near: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 − √(var_c / var_r) per pixel, 0 where the mark cannot lie: (H, W).

    The ratio is divided by that of the surroundings, where it would be 1 were the two groups otherwise alike. Where
    neither group ever changes, a difference of the means is taken as an opaque mark.
    """
    sigma = max(1.0, _CALIBRATION * min(near.shape))
    expected = rest.variance * _surrounding(carriers.variance, near, sigma) / _surrounding(rest.variance, near, sigma)
    ratio = carriers.variance / np.maximum(expected, _FLOOR)
    opaque = (np.abs(carriers.mean - rest.mean).max(0) > _DIFFERENT) & (carriers.variance <= _FLOOR)
    return np.where(near, np.where(expected > _FLOOR, 1 - np.sqrt(ratio), opaque), 0.0)


def _surrounding(variance: NDArray[np.float64], near: NDArray[np.bool_], sigma: float) -> NDArray[np.float64]:
    outside = np.where(near, 0.0, variance)
    typical = outside.sum() / max(1, (~near).sum())
    blurred = ndimage.gaussian_filter(outside, sigma, mode="constant", truncate=6.0)
    return blurred + 1e-3 * max(typical, _FLOOR)
