"""The guided filter (He, Sun and Tang, 2010): smoothing that keeps the edges of another picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
