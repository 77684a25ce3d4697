"""The colours of a thing against those of everything else, by histograms, and looking for it by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from torch import Tensor

from unhans.isolation.free.segmentation import filled
from unhans.isolation.isolated import Match

_BINS = 24  # per Lab channel: 11 of OpenCV's 256 levels
_BLUR = 1.0  # bins, so that some hundred thousand pixels fill the space
_RARE = 1e-5  # share of pixels below which a colour says nothing, for or against


@dataclass(frozen=True)
class ColorModel:
    """How much more frequent each colour is inside a thing than outside: log ratios (24, 24, 24) over Lab."""

    ratios: NDArray[np.float32]

    def __call__(self, lab: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log ratio of each pixel: (…, 3) in OpenCV's Lab → (…)."""
        lightness, green_red, blue_yellow = np.moveaxis(_bins(lab), -1, 0)
        return self.ratios[lightness, green_red, blue_yellow]


def color_model(inside: Sequence[NDArray[np.uint8]], outside: Sequence[NDArray[np.uint8]]) -> ColorModel:
    """Return the model of pixels (k, 3) in Lab of each image; every image counts the same."""
    logs = [np.log(_frequencies(pixels) + _RARE) for pixels in (inside, outside)]
    return ColorModel((logs[0] - logs[1]).astype(np.float32))


def lab_images(images: Tensor) -> NDArray[np.uint8]:
    """Return images (n, 3, H, W) in [0, 1] in OpenCV's 8-bit Lab: (n, H, W, 3)."""
    import cv2

    pixels = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return np.stack([cv2.cvtColor(one, cv2.COLOR_RGB2LAB) for one in pixels])


def _bins(lab: NDArray[np.uint8]) -> NDArray[np.intp]:
    return lab.astype(np.intp) * _BINS // 256


def _frequencies(pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    total = np.zeros(_BINS**3)
    for some in pixels:
        if len(some):
            flat = np.ravel_multi_index(tuple(_bins(some).T), (_BINS,) * 3)
            total += np.bincount(flat, minlength=_BINS**3) / len(some)
    blurred = gaussian_filter(total.reshape((_BINS,) * 3), _BLUR)
    return blurred / max(blurred.sum(), np.finfo(float).tiny)


_SMOOTHING = 1 / 80  # of the shorter side: texture and noise, not shape


@dataclass(frozen=True)
class ColorDetector:
    """Finds a thing by its colours: the connected part of an image with the largest sum of positive log ratios.

    Attributes:
        largest: share of the image that a part may cover at most, so that an image of one tint is not taken for the
            thing.
        threshold: of the score, which is that sum per pixel of the image; above it the part is the thing's mask.
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
