"""A few crops that stand for many: the most typical one of each colour."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

_ALIKE = 25.0  # mean distance of colours in OpenCV's 8-bit Lab: one hue in different light
_MOST = 6
_SOFT = 0.7  # pixels by which a crop's edge is softened, as a camera would


def prototypes(images: Tensor, lab: NDArray[np.uint8], masks: NDArray[np.bool_]) -> tuple[Tensor, ...]:
    """Return an RGBA crop for each frequent colour of the masked things, the most frequent first, six at most.

    images (n, 3, H, W) in [0, 1]; lab (n, H, W, 3) the same; masks (n, H, W), none empty. Colours that a tenth as many
    things have as the most frequent one are left out. A crop is the one nearest to the others in colour and in size.
    """
    colors = np.stack([pixels[mask].mean(0) for pixels, mask in zip(lab, masks, strict=True)])
    sizes = np.log(masks.sum((1, 2)))
    groups = _groups(colors)
    frequent = [group for group in groups if len(group) > 0.1 * len(groups[0])]
    typical = [group[_medoid(colors[group], sizes[group])] for group in frequent[:_MOST]]
    return tuple(crop(images[index], masks[index]) for index in typical)


def crop(image: Tensor, mask: NDArray[np.bool_]) -> Tensor:
    """Return what a mask (H, W) covers of an image (3, H, W) as RGBA, cut to its box, with a soft edge."""
    alpha = torch.from_numpy(gaussian_filter(mask.astype(np.float32), _SOFT) * mask)
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    layer = torch.cat((image, alpha[None]))
    return layer[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].clone()


def _groups(colors: NDArray[np.floating]) -> list[NDArray[np.intp]]:
    """Return the indices of like colours (n, 3) by average linkage, the largest group first."""
    if len(colors) == 1:
        return [np.zeros(1, dtype=np.intp)]
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(None, distance_threshold=_ALIKE, linkage="average").fit_predict(colors)
    return sorted((np.flatnonzero(labels == k) for k in range(labels.max() + 1)), key=len, reverse=True)


def _medoid(colors: NDArray[np.floating], sizes: NDArray[np.floating]) -> int:
    apart = np.linalg.norm(colors[:, None] - colors, axis=2) / _ALIKE + np.abs(sizes[:, None] - sizes)
    return int(apart.mean(1).argmin())
