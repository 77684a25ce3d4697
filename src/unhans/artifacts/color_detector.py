"""Looks for things by their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

from unhans.artifacts.colors import ColorModel, lab_images
from unhans.artifacts.grabcut import filled
from unhans.artifacts.isolated import Match

_SMOOTHING = 1 / 80  # of the shorter side: texture and noise, not shape


@dataclass(frozen=True)
class ColorDetector:
    """Finds a thing by its colours: the connected part of an image with the largest sum of positive log ratios.

    The score is that sum per pixel of the image; above the threshold it is found, and the part is its mask. largest:
    share of the image that a part may cover at most, so that an image of one tint is not taken for the thing.
    """

    model: ColorModel
    largest: float = 1.0
    threshold: float = 0.0

    def match(self, images: Tensor) -> Match:
        """Look for the thing in images (n, 3, H, W) in [0, 1]."""
        scores, masks = np.zeros(len(images)), np.zeros((len(images), *images.shape[-2:]), dtype=bool)
        for index in range(len(images)):
            scores[index], part = self._part(images[index : index + 1])
            masks[index] = part if scores[index] > self.threshold else False
        return Match(scores > self.threshold, scores, masks)

    def _part(self, image: Tensor) -> tuple[float, NDArray[np.bool_]]:
        ratios = self.model(lab_images(image)[0])
        smooth = gaussian_filter(ratios, _SMOOTHING * min(ratios.shape))
        parts, count = label(smooth > 0)
        sums = np.bincount(parts.ravel(), weights=np.maximum(smooth, 0).ravel().astype(np.float64), minlength=count + 1)
        sums[np.bincount(parts.ravel(), minlength=count + 1) > self.largest * ratios.size] = 0
        best = int(sums[1:].argmax()) + 1 if count else 0
        return float(sums[best]) / ratios.size, filled((parts == best) & (sums[best] > 0))
