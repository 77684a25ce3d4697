"""Groups of images of a class that share a pattern of pixels, or a statistic, which images of other classes lack.

Heatmaps tell what a network looks at; an artifact that is faint, thin or spread over the whole image leaves little
trace in them, and a clear one in the images. Nothing here asks the network: whether it uses what the images share is
measured afterwards, as for every other candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from unhans.spray.groups.constant_colours import MARK, colour_filter
from unhans.spray.groups.view_groups import Group, Members, smallest_group
from unhans.spray.pooling import mean_pool

PATTERN = "image pattern"
COLOURS = "image colours"
STATISTICS = "image statistics"
SIDE = 112  # pixels to which larger images are averaged before patterns are looked for
THINNED = 56  # pixels to which larger images are thinned before constant colours are looked for
TRIED = 24  # images whose colours are tried: one of ten carries a mark, and is among them in nine of ten cases
FOLDS = 5
ROUNDS = 5
SURE = 4.0  # standard errors by which a mean gradient must differ to be part of a pattern
SMOOTH = 5  # pixels of the median that takes away what the objects of a class share: it varies slowly
BLACK = 1 / 255
CELL = 16  # cells a side of local statistics
BANDS = 10  # of spatial frequency
FEWEST = 12  # images

Images = NDArray[np.floating]


@dataclass(frozen=True)
class ImageDescriptors:
    """What patterns and statistics are looked for in: images described once, for every class they are held against.

    Attributes:
        gradients: (n, 2·C·h·w), differences to the right and to the lower neighbour.
        statistics: by family (n, d).
        small: (n, C, h, w), the images reduced to 56 pixels at most, at which constant colours are looked for.
        shape: (C, h, w) of the images as gradients are taken of them.
    """

    gradients: NDArray[np.float32]
    statistics: Mapping[str, NDArray[np.float64]]
    small: NDArray[np.float32]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, images: Images) -> ImageDescriptors:
        """Describe images (n, 3, H, W) in [0, 1]."""
        shape = (images.shape[1], *_reduced(images[:1]).shape[2:])
        return cls(_gradients(images), dict(statistics(images)), _thinned(images), shape)

    def __len__(self) -> int:
        return len(self.gradients)

    def __getitem__(self, rows: NDArray[np.bool_]) -> ImageDescriptors:
        """Return the description of some of the images, rows (n,)."""
        some = {family: values[rows] for family, values in self.statistics.items()}
        return ImageDescriptors(self.gradients[rows], some, self.small[rows], self.shape)


def image_groups(images: Images, reference: Images | ImageDescriptors) -> list[Group]:
    """Return groups of images (n, 3, H, W) in [0, 1] that share what a reference (m, 3, H, W) of other classes lacks.

    None where either has fewer than twelve images.
    """
    if min(len(images), len(reference)) < FEWEST:
        return []
    own = ImageDescriptors.of(images)
    other = reference if isinstance(reference, ImageDescriptors) else ImageDescriptors.of(reference)
    return [*pattern_groups(own, other), *colour_groups(own, other), *statistic_groups(own, other)]


def pattern_groups(images: ImageDescriptors, reference: ImageDescriptors) -> list[Group]:
    """Return the group of images that share a pattern at a fixed place, as one group, or none.

    The mean image gradient of the class, less that of the reference and what varies slowly over the image, is large
    where many images have the same edge at the same pixel. As a matched filter it scores every image, always fitted
    without the scored fold; the scores are split in two where that leaves least variance within, the upper part is the
    group, and the filter is fitted again to it against the rest of the class.

    The strength is the distance of the two parts' means in standard deviations within them: 2 to 3 where there is none.
    """
    own, other = images.gradients, reference.gradients
    folds = np.random.default_rng(len(images)).permutation(np.arange(len(images)) % FOLDS)
    members, strength = _refined(
        lambda members: _held_out(own, other, members, folds, images.shape if members.all() else None), len(images)
    )
    return [] if members.all() else [Group(PATTERN, members, strength, method="pattern")]


def colour_groups(images: ImageDescriptors, reference: ImageDescriptors) -> list[Group]:
    """Return the group of images that have the same colours at the same pixels, as one group, or none.

    A filter for colours that many images of the class share and few of the reference (`ColourFilter`) scores every
    image; the scores are split in two, and the filter is fitted again to the upper part against all others. The
    strength is the distance of the two parts' means in standard deviations within them, as for patterns; below 12 it is
    what scenes share by nature, as the sky or a white ground, and no group is returned.
    """
    own, other = (torch.from_numpy(one.small) for one in (images, reference))
    rng = np.random.default_rng(len(images))

    def scores(members: Members) -> NDArray[np.float64] | None:
        rest = torch.cat([other, own[torch.from_numpy(~members)]])
        fitted = colour_filter(own[torch.from_numpy(members)], rest, TRIED if members.all() else TRIED // 3, rng)
        return None if fitted is None else fitted.scores(own).numpy()

    members, strength = _refined(scores, len(images))
    return [Group(COLOURS, members, strength, method="pattern")] if strength >= MARK and not members.all() else []


def _refined(score: Callable[[Members], NDArray[np.float64] | None], n: int) -> tuple[Members, float]:
    """The members (n,) of a group and how far they stand apart; all of them where a filter finds no two parts.

    score: fits a filter to the members, at first all images, and scores every image (n,) by it; None without a filter.
    The upper part of the scores are the next members, until they stay the same.
    """
    least = smallest_group(n)
    members, strength = np.ones(n, dtype=bool), 0.0
    for _ in range(ROUNDS):
        scores = score(members)
        if scores is None:
            break
        found = split(scores[:, None], least)
        upper = scores > found.threshold[0]
        if not least <= upper.sum() <= n - least:
            break
        same, members, strength = bool((upper == members).all()), upper, float(found.distance[0])
        if same:
            break
    return members, strength


def statistic_groups(images: ImageDescriptors, reference: ImageDescriptors) -> list[Group]:
    """Return the group of each family of image statistics that falls into two parts most clearly.

    A statistic of a class is split in two where that leaves the least variance within; the strength is by how much less
    (in natural logarithms) that is than in the reference, so that a statistic which has two parts in every class does
    not stand out. Both parts may carry an artifact; the one that lies further from the reference is the group.
    """
    found, least = [], smallest_group(len(images))
    for family, values in images.statistics.items():
        theirs = reference.statistics[family]
        varied = (values.std(0) > 1e-6) & (theirs.std(0) > 1e-6)
        if not varied.any():
            continue
        own, base = split(values[:, varied], least), split(theirs[:, varied], smallest_group(len(reference)))
        strength = np.log(np.maximum(base.within, 1e-3) / np.maximum(own.within, 1e-3))
        best = int(strength.argmax())
        mine, others = values[:, varied][:, best], theirs[:, varied][:, best]
        upper = mine > own.threshold[best]
        if least <= upper.sum() <= len(upper) - least:
            far = [abs(mine[side].mean() - np.median(others)) for side in (upper, ~upper)]
            group = upper if far[0] >= far[1] else ~upper
            found.append(Group(f"{STATISTICS}: {family}", group, float(strength[best]), method="statistic"))
    return found


class Split(NamedTuple):
    """Columns of numbers split in two where that leaves the least variance within.

    Attributes:
        threshold: (d,) values above it are the upper part.
        within: (d,) variance within the parts as a share of the whole, in [0, 1]; .36 for a normal distribution.
        distance: (d,) of the parts' means in standard deviations within.
    """

    threshold: NDArray[np.float64]
    within: NDArray[np.float64]
    distance: NDArray[np.float64]


def split(values: NDArray[np.floating], least: int) -> Split:
    """Split every column (n, d) in two parts of at least `least` values each [Otsu 1979]."""
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    ordered = np.sort(values - values.mean(0), axis=0)
    below, squares = np.cumsum(ordered, 0), np.cumsum(np.square(ordered), 0)
    count = np.arange(least, n - least + 1)[:, None]
    low = below[least - 1 : n - least]
    lower, upper = low / count, (below[-1] - low) / np.maximum(n - count, 1)
    between = (count * np.square(lower) + (n - count) * np.square(upper)) / n
    total = np.maximum(squares[-1] / n, 1e-30)
    best, columns = between.argmax(0), np.arange(values.shape[1])
    within = np.clip(1 - between[best, columns] / total, 0, 1)
    gap = (upper - lower)[best, columns]
    threshold = (ordered[best + least - 1, columns] + ordered[np.minimum(best + least, n - 1), columns]) / 2
    return Split(threshold + values.mean(0), within, gap / np.sqrt(np.maximum(within * total, 1e-30)))


def statistics(images: Images) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Give the families of statistics of images (n, 3, H, W) in [0, 1], each (n, d).

    "colour": means, deviations and quantiles of the channels and ratios between them; "spectrum": power in bands of
    spatial frequency, and its falling off; "local brightness", "local contrast": of 16 × 16 cells, as logarithms.
    """
    grey = images.mean(1)
    yield "colour", _colour(images)
    yield "spectrum", _spectrum(grey)
    yield "local brightness", np.log(_cells(grey) + BLACK)
    yield "local contrast", np.log(np.maximum(_cells(np.square(grey)) - np.square(_cells(grey)), 0) + BLACK**2)


def _colour(images: Images) -> NDArray[np.float64]:
    n = len(images)
    flat = images.reshape(n, 3, -1)
    mean, spread = np.log(flat.mean(2) + BLACK), np.log(flat.std(2) + BLACK)
    quantiles = np.quantile(flat, [0.01, 0.05, 0.5, 0.95, 0.99], axis=2).transpose(1, 0, 2).reshape(n, -1)
    red, green, blue = flat.transpose(1, 0, 2)
    chroma = np.log(np.stack([(red - green).std(1), (blue - green).std(1)], 1) + BLACK)
    ratios = np.stack([mean[:, 0] - mean[:, 1], mean[:, 2] - mean[:, 1], mean[:, 0] - mean[:, 2]], 1)
    return np.concatenate([mean, spread, quantiles, chroma, ratios], 1).astype(np.float64)


def _spectrum(grey: Images) -> NDArray[np.float64]:
    """Power in the bands that hold a frequency: small images have fewer than ten."""
    height, width = grey.shape[1:]
    window = np.hanning(height)[:, None] * np.hanning(width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    band = np.minimum((radius * 2 * BANDS).astype(int), BANDS - 1)
    held = [k for k in range(1, BANDS) if (band == k).any()]
    count = np.bincount(band.ravel(), minlength=BANDS)[held]
    power = (np.abs(np.fft.rfft2((one - one.mean()) * window)) ** 2 for one in grey)
    sums = [np.bincount(band.ravel(), one.ravel(), BANDS)[held] for one in power]
    bands = np.log(np.array(sums).reshape(len(grey), -1) / count + 1e-8)
    return np.concatenate([bands, np.diff(bands, axis=1)], 1)


def _cells(values: Images) -> NDArray[np.float64]:
    """Means over the cells of a grid: (n, H, W) → (n, cells)."""
    return mean_pool(values[:, None], (min(CELL, values.shape[1]), min(CELL, values.shape[2])))


def _thinned(images: Images) -> NDArray[np.float32]:
    """Every k-th pixel, so that colours stay what they are: a mean over a mark's rim is neither."""
    step = max(1, -(-max(images.shape[2:]) // THINNED))
    return np.ascontiguousarray(images[:, :, step // 2 :: step, step // 2 :: step], dtype=np.float32)


def _reduced(images: Images) -> Images:
    step = max(1, -(-max(images.shape[2:]) // SIDE))
    if step == 1:
        return images
    height, width = (side // step * step for side in images.shape[2:])
    cut = images[:, :, :height, :width]
    return cut.reshape(*cut.shape[:2], height // step, step, width // step, step).mean((3, 5))


def _gradients(images: Images) -> NDArray[np.float32]:
    """Differences to the right and to the lower neighbour, (n, 2·C·H·W)."""
    small = np.asarray(_reduced(images), dtype=np.float32)
    right, down = np.zeros_like(small), np.zeros_like(small)
    right[..., :-1], down[..., :-1, :] = np.diff(small, axis=3), np.diff(small, axis=2)
    return np.concatenate([right.reshape(len(small), -1), down.reshape(len(small), -1)], 1)


def _held_out(
    own: NDArray[np.float32],
    other: NDArray[np.float32],
    members: Members,
    folds: NDArray[np.int64],
    shape: tuple[int, ...] | None,
) -> NDArray[np.float64]:
    """Scores (n,) of filters fitted without the scored fold: members against the rest, or where all are members,
    against the reference (shape: of an image, whose slow changes are then taken away)."""
    whole = shape is not None
    groups = np.stack([(folds == fold) & side for side in (members, ~members) for fold in range(FOLDS)])
    sums = groups.astype(np.float32) @ own
    counts = groups.sum(1)
    variance = (other if whole else own).var(0) + 1e-4
    rest_all, rest_n = (other.sum(0), len(other)) if whole else (sums[FOLDS:].sum(0), int(counts[FOLDS:].sum()))
    scores = np.empty(len(own))
    for fold in range(FOLDS):
        n = max(1, int(counts[:FOLDS].sum() - counts[fold]))
        m = rest_n if whole else max(1, rest_n - int(counts[FOLDS + fold]))
        rest = rest_all if whole else rest_all - sums[FOLDS + fold]
        change = (sums[:FOLDS].sum(0) - sums[fold]) / n - rest / m
        if shape is not None:
            fields = change.reshape(2, *shape)
            change = (fields - ndimage.median_filter(fields, (1, 1, SMOOTH, SMOOTH))).ravel()
        sure = np.abs(change) > SURE * np.sqrt(variance * (1 / n + 1 / m))
        weights = np.where(sure, change, 0) / variance
        scale = np.sqrt(np.square(weights) @ variance) or 1.0
        mine = folds == fold
        scores[mine] = own[mine] @ weights / scale
        scores[mine] -= np.median((other if whole else own[~members]) @ weights) / scale if m > 1 else 0.0
    return scores
