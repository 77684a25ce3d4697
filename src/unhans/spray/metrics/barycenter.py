"""Barycenters of images under the three metrics ([000] §2.2, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.manifold import smacof

from unhans.spray.metrics.gromov_wasserstein import descend, gromov_plan
from unhans.spray.metrics.point_cloud import Cloud, CoarsenedCloud, coarsen

Array = NDArray[np.float64]

BLUR = 2e-3  # entropic regularisation of the convolutional barycenter: about (4 % of the side)²
LEAST = 1e-290  # what its logarithms are kept above
ROUNDS = 6  # of plans and layout in turn; the layout hardly changes after four
PARTS = 25  # points of the coarse clouds in which plans begin
DOT = 0.8  # standard deviation in pixels of a drawn point


def chebyshev_weights(size: int) -> Array:
    """Return the weights (size, size, 4) of the corners (top left, top right, bottom left, bottom right) in a grid.

    A corner's weight falls with the Chebyshev distance to it, from one there to zero on both sides that do not touch
    it; the four are divided by their sum. Along a side, two corners share the weight.
    """
    y, x = np.meshgrid(*[np.linspace(0, 1, size)] * 2, indexing="ij")
    near = [1 - np.maximum(abs(y - corner_y), abs(x - corner_x)) for corner_y in (0, 1) for corner_x in (0, 1)]
    weights = np.stack(near, axis=-1)
    return weights / weights.sum(axis=-1, keepdims=True)


def euclidean_barycenter(images: Array, weights: Array) -> Array:
    """Return the weighted mean (H, W) of images (n, H, W)."""
    return np.tensordot(weights, images, 1)


def wasserstein_barycenter(images: Array, weights: Array) -> Array:
    """Return the image (H, W) with the least weighted sum of squared Wasserstein distances to images (n, H, W).

    By convolutional Wasserstein (Solomon et al. 2015); the images need mass, and are divided by it.
    """
    from ot.bregman import convolutional_barycenter2d

    held = weights > 0
    masses = images[held] / images[held].sum(axis=(1, 2), keepdims=True)
    # the usual threshold is above what the kernel leaves of a pixel 15 pixels away: such mass would stay where it is
    rounds = {"numItermax": 500, "stopThr": 1e-8, "stabThr": LEAST, "warn": False}
    return convolutional_barycenter2d(masses, BLUR, weights=weights[held], **rounds)


def gromov_barycenter(shapes: Sequence[CoarsenedCloud], weights: Array) -> Cloud:
    """Return the planar cloud with about the least weighted sum of squared Gromov-Wasserstein distances to shapes.

    In turn the best plans to all shapes, then the distances that these plans average (Peyré et al. 2016, square loss),
    then points in the plane with about those distances (SMACOF). It has as many points as the shape of largest weight,
    where it begins. In the end it is turned, or mirrored, and moved to where the plans average the shapes' points.
    """
    used = [(one, weight) for one, weight in zip(shapes, weights, strict=True) if weight > 0]
    centre = max(used, key=lambda pair: pair[1])[0].fine
    plans = [gromov_plan(coarsen(centre, PARTS), one) for one, _ in used]
    for _ in range(ROUNDS if len(used) > 1 else 0):
        centre = _laid_out(centre, _average(centre, plans, used))
        plans = [descend(centre, one.fine, plan) for (one, _), plan in zip(used, plans, strict=True)]
    return _placed(centre, plans, used)


def draw_cloud(points: Cloud, height: int, width: int) -> Array:
    """Return the image (height, width) of a cloud: a soft dot per point, as dark as its weight."""
    image = np.zeros((height, width))
    low = np.floor(points.points).astype(int)
    part = points.points - low
    for dy in (0, 1):
        for dx in (0, 1):
            share = abs(1 - dy - part[:, 0]) * abs(1 - dx - part[:, 1])
            place = np.clip(low + np.array([dy, dx]), 0, [height - 1, width - 1])
            np.add.at(image, tuple(place.T), share * points.weights)
    return gaussian_filter(image, DOT)


def _average(centre: Cloud, plans: list[Array], used: list[tuple[CoarsenedCloud, float]]) -> Array:
    """The distances (m, m) that plans average: each shape's, as seen by the points of the centre."""
    mass = np.outer(centre.weights, centre.weights)
    seen = (weight * plan @ one.fine.distances @ plan.T / mass for (one, weight), plan in zip(used, plans, strict=True))
    return np.sum(list(seen), axis=0)


def _laid_out(centre: Cloud, distances: Array) -> Cloud:
    """The cloud with its points moved until they have about these distances."""
    symmetric = (distances + distances.T) / 2
    np.fill_diagonal(symmetric, 0)
    points, _ = smacof(symmetric, n_components=2, init=centre.points, n_init=1, max_iter=60, normalized_stress=False)
    return Cloud(points, centre.weights)


def _placed(centre: Cloud, plans: list[Array], used: list[tuple[CoarsenedCloud, float]]) -> Cloud:
    """The cloud turned, or mirrored, and moved by Procrustes onto the points that the plans average."""
    target = np.zeros_like(centre.points)
    for (one, weight), plan in zip(used, plans, strict=True):
        target += weight * plan @ one.fine.points / centre.weights[:, None]
    middle, goal = centre.weights @ centre.points, centre.weights @ target
    left, _, right = np.linalg.svd((centre.points - middle).T @ ((target - goal) * centre.weights[:, None]))
    return Cloud((centre.points - middle) @ left @ right + goal, centre.weights)
