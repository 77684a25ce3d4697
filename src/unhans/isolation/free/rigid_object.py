"""Isolation of an object that looks the same wherever it is: its windows, its colour and transparency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter, label
from torch import Tensor

from unhans.isolation.free.templates import (
    Finding,
    Sample,
    Spectra,
    TemplateDetector,
    contrast_floor,
    learn_templates,
    local_contrast,
)
from unhans.isolation.free.windows import crop_to, cut, peaks, smooth_relevance, window_side
from unhans.isolation.isolated import Failure, Isolated, NothingIsolatedError, free_artifact
from unhans.isolation.validation import Score, Separation, held_out_separation

_FAINTEST = 0.25  # opacity below which an object cannot be told from chance agreement of the windows
_SMALLEST = 12  # pixels


@dataclass(frozen=True)
class Cutout:
    """An object in its window: layer (4, s, s) RGBA, transparent outside its shape (s, s) bool."""

    layer: Tensor
    shape: NDArray[np.bool_]

    @property
    def touches_rim(self) -> bool:
        """Whether the shape reaches the rim of its window, so that there may be more of it outside."""
        return bool(self.shape[[0, -1]].any() or self.shape[:, [0, -1]].any())


def cutout(windows: Tensor, mean: Tensor, variance: Tensor) -> Cutout | None:
    """Return the object that aligned windows share, None where they share none.

    A pixel (1 − α)·background + α·colour has the variance (1 − α)²·variance and the mean (1 − α)·mean + α·colour.

    Args:
        windows: (n, 3, s, s), NaN outside the image.
        mean, variance: (3,) of pixels where the object is not.
    """
    spread, middle = _moments(windows)
    alpha = 1 - (spread.sum(0) / variance.sum().clamp(min=1e-12)).clamp(max=1).sqrt()
    shape = _shape(alpha.numpy())
    if shape.sum() < _SMALLEST:
        return None
    background = mean[:, None, None]
    color = ((middle - (1 - alpha) * background) / alpha.clamp(min=_FAINTEST / 2)).clamp(0, 1)
    return Cutout(torch.cat((color, alpha[None])) * torch.from_numpy(shape), shape)


def _moments(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return variance and mean of each pixel over the windows in which it is; (3, s, s) each."""
    mean = windows.nanmean(0)
    count = (~windows.isnan()).sum(0)
    variance = (windows - mean).square().nansum(0) / (count - 1).clamp(min=1)
    seen = count >= min(3, len(windows))
    return torch.where(seen, variance, torch.inf), mean.nan_to_num(0)


def _shape(alpha: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the largest connected part that is at least half as opaque as the object, its holes filled."""
    smooth = gaussian_filter(alpha, 1.0)
    parts, count = label(smooth > max(_FAINTEST, np.quantile(smooth, 0.95) / 2))
    sizes = np.bincount(parts.ravel(), minlength=2)[1:]
    return binary_fill_holes(parts == 1 + sizes.argmax()) if count else np.zeros(alpha.shape, dtype=bool)


_MEMBERS, _REST = 100, 60  # images that templates are learnt from at most: a third of a gigabyte of spectra at 224²
_PEAKS = 2  # windows per member: an artifact need not draw the most relevance of all
_LEAST_FOUND = 0.25  # share of the cluster in which the object must be found
_GROWTH = (1.5, 2.0, 3.0)  # of the template's side: relevance may lie on a part of the object only
_ALIGNED = 200  # windows that a layer is estimated from at most


def isolate_rigid(
    images: Tensor, heatmaps: NDArray[np.floating], members: NDArray[np.bool_], seed: int = 0
) -> Isolated:
    """Find the object that looks the same in most images of a cluster, wherever it is.

    Args:
        images, heatmaps: (n, 3, H, W) in [0, 1], and (n, H, W).
        members, seed: (n,) of the cluster, and the seed of what is drawn from them.

    Raises:
        NothingIsolatedError: the windows round the members' relevance have nothing in common that the rest does not
            show.
    """

    def score(some: NDArray[np.int64]) -> Score | None:
        detector = _learnt(images, heatmaps, some, others, seed)
        return (lambda indices: detector.find(images[indices]).scores) if detector.templates else None

    own, others = np.flatnonzero(members), np.flatnonzero(~members)
    separation = held_out_separation(score, own, others, seed)
    if not separation.convincing:
        raise NothingIsolatedError(Failure("no common shape", separation.values))
    return _isolated(images, members, _learnt(images, heatmaps, own, others, seed), separation, seed)


def _learnt(
    images: Tensor, heatmaps: NDArray[np.floating], some: NDArray[np.int64], others: NDArray[np.int64], seed: int
) -> TemplateDetector:
    """The detector of what some members have in common; without templates if nothing."""
    rng = np.random.default_rng([seed, 2])
    some = np.sort(rng.permutation(some)[:_MEMBERS])
    rest = np.sort(rng.permutation(others)[:_REST])
    floor = contrast_floor(images[some])
    if not (heatmaps[some] > 0).any():
        return TemplateDetector((), floor)
    relevance = smooth_relevance(heatmaps[some])
    side = window_side(relevance)
    places = [peaks(r, side, _PEAKS) for r in relevance]
    owners = np.repeat(np.arange(len(some)), [len(p) for p in places])
    features = local_contrast(images[some], floor)
    windows = cut(features[owners], np.concatenate(places), side)
    searched = Spectra(features, side), Spectra(local_contrast(images[rest], floor), side)
    return TemplateDetector(tuple(learn_templates(Sample(windows, owners, features, *searched))), floor)


def _isolated(
    images: Tensor, members: NDArray[np.bool_], detector: TemplateDetector, separation: Separation, seed: int
) -> Isolated:
    finding = detector.find(images) if detector.templates else None
    share = finding.carries[members].mean() if finding else 0.0
    if finding is None or share < _LEAST_FOUND:
        raise NothingIsolatedError(Failure("shape too rare", {"share": float(share), "least": _LEAST_FOUND}))
    pairs = [(one, _cutout(images, k, finding, detector, seed)) for k, one in enumerate(detector.templates)]
    kept = [(template, cutout) for template, cutout in pairs if cutout is not None]
    if not kept:
        raise NothingIsolatedError(Failure("no cutout", {"images": int(finding.carries.sum())}))
    templates, cutouts = zip(*kept, strict=True)
    detector = TemplateDetector(templates, detector.floor, tuple(one.shape for one in cutouts))
    prototypes = tuple(crop_to(one.shape, one.layer) for one in cutouts)
    return free_artifact("shape", prototypes, detector, detector.match(images), members, separation.area, seed)


def _cutout(images: Tensor, kind: int, finding: Finding, detector: TemplateDetector, seed: int) -> Cutout | None:
    """Return the object of one template, from the smallest window that holds it whole.

    None where there is none: pixels that agree up to the rim of every window are a common ground, not an object.
    """
    rng = np.random.default_rng([seed, 3])
    which = rng.permutation(np.flatnonzero(finding.carries & (finding.kinds == kind)))[:_ALIGNED]
    if len(which) < 2:
        return None
    rest = images[rng.permutation(np.flatnonzero(~finding.carries))[:_ALIGNED]]
    mean, variance = rest.mean((0, 2, 3)), rest.var(0).mean((1, 2))
    side = detector.side
    for grown in (int(side * growth) for growth in _GROWTH):
        margin = (grown - side) // 2
        if side + 2 * margin > min(images.shape[-2:]):
            break
        windows = cut(images[which], finding.places[which] - margin, side + 2 * margin, fill=float("nan"))
        found = cutout(windows, mean, variance)
        if found is None or not found.touches_rim:
            return found
    return None
