"""Where in one image the thing lies that relevance points at, and a few crops that stand for many."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_fill_holes, gaussian_filter, label
from torch import Tensor

from unhans.isolation.free.windows import crop_to, peak_region

_ITERATIONS = 3
_WORKING = 112  # pixels of the shorter side at most: GrabCut is as good there as on larger images, and quicker
_NEAR = 80 / 224  # of the shorter side: what is farther from the peak is background
_HALF = 0.5  # of a pixel that belongs to the mask
_SEED = 0  # of OpenCV's k-means


def grab(lab: NDArray[np.uint8], relevance: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the mask (H, W) of the thing at the peak of relevance; all False where nothing is found.

    OpenCV's GrabCut: the convex hull of the peak's part is likely it, what is far from it is surely not. Of the result
    the connected part with most of the hull is kept, holes `filled`. Images larger than 112 pixels are cut at that
    size.

    Args:
        lab: (H, W, 3), the image in CIELAB, 8 bits.
        relevance: (H, W), smoothed.
    """
    import cv2

    height, width = relevance.shape
    smaller = _WORKING / min(height, width)
    if smaller >= 1:
        return _grab(lab, relevance)
    size = max(1, round(width * smaller)), max(1, round(height * smaller))
    pair = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (lab, np.asarray(relevance, np.float32)))
    return cv2.resize(_grab(*pair).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > _HALF


def _grab(lab: NDArray[np.uint8], relevance: NDArray[np.floating]) -> NDArray[np.bool_]:
    import cv2

    hull = convex_hull(peak_region(relevance))
    near = binary_dilation(hull, iterations=max(1, round(_NEAR * min(hull.shape))))
    marks = np.where(hull, cv2.GC_PR_FGD, np.where(near, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    if not near.any() or hull.all():
        return np.zeros(hull.shape, dtype=bool)
    cv2.setRNGSeed(_SEED)
    cv2.grabCut(lab, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return part_with(np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)), hull)


def convex_hull(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the convex hull of a mask (H, W)."""
    import cv2

    filled = np.zeros(mask.shape, dtype=np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(np.argwhere(mask)[:, ::-1].astype(np.int32)), 1)
    return filled.astype(bool)


def part_with(mask: NDArray[np.bool_], core: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the connected part of a mask that has most pixels in common with another, holes `filled`."""
    parts, count = label(mask)
    common = np.bincount(parts[core & mask], minlength=count + 1)
    return filled(parts == common.argmax()) if common.any() else np.zeros(mask.shape, dtype=bool)


def filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its holes filled, also those that the rim of the image closes."""
    closed = mask.copy()
    for side in (closed[0], closed[-1], closed[:, 0], closed[:, -1]):
        where = np.flatnonzero(side)
        if len(where):
            side[where[0] : where[-1] + 1] = True
    return binary_fill_holes(closed)


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
    return crop_to(mask, torch.cat((image, alpha[None])))


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
