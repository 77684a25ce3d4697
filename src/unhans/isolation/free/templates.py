"""Templates: what aligned windows of a rigid object have in common, and where images show it.

Windows are found in images by gradients relative to the contrast around them, with the Fourier transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from unhans.isolation.fixed import gradients
from unhans.isolation.free.windows import cut, put
from unhans.isolation.isolated import Match

_LARGEST = 3.0  # one strong edge must not outweigh the rest of an object


def local_contrast(images: Tensor, floor: float) -> Tensor:
    """Return the gradients of each pixel, divided by their mean size in it: (n, 3, H, W) → (n, 6, H, W).

    floor: what is added to that size, so that noise on an even ground does not look like an edge; see `contrast_floor`.
    The result lies in [−3, 3].
    """
    field = torch.cat(tuple(gradients(images)), 1)
    return (field / (field.abs().mean(1, keepdim=True) + floor)).clamp(-_LARGEST, _LARGEST)


def contrast_floor(images: Tensor) -> float:
    """Return the root mean square of the images' gradients, or a tiny number for even images."""
    return max(float(gradients(images).square().mean().sqrt()), 1e-6)


class Spectra:
    """Images ready to be searched for templates of one size.

    Args:
        features: (n, C, H, W), zero where nothing is.
        side: of the templates, in pixels; a template may stick out of the image by half of it.
    """

    def __init__(self, features: Tensor, side: int) -> None:
        self.side, self.overhang = side, side // 2
        height, width = (length + 2 * self.overhang for length in features.shape[-2:])
        self._room = height - side + 1, width - side + 1
        # Circular correlation is exact at all places where the template lies inside, so no more padding is needed.
        self._shape = next_fast_len(height, True), next_fast_len(width, True)
        padded = torch.nn.functional.pad(features, (self.overhang,) * 4)
        self._spectra = torch.fft.rfft2(padded, s=self._shape)

    def __len__(self) -> int:
        return len(self._spectra)

    def best(self, template: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the highest inner product of each image with the template (C, side, side), and its place.

        Scores (n,), places (n, 2): top and left of the template in the image's pixels, negative where it sticks out.
        """
        sought = torch.fft.rfft2(template, s=self._shape).conj()
        found = [self._best(spectrum, sought) for spectrum in self._spectra]  # one by one: n products would be large
        return np.array([score for score, _ in found]), np.array([place for _, place in found]).reshape(-1, 2)

    def _best(self, spectrum: Tensor, sought: Tensor) -> tuple[float, tuple[int, int]]:
        scores = torch.fft.irfft2((spectrum * sought).sum(0), s=self._shape)[: self._room[0], : self._room[1]]
        row, column = divmod(int(scores.argmax()), self._room[1])
        return float(scores[row, column]), (row - self.overhang, column - self.overhang)


def best_correlations(windows: Tensor) -> NDArray[np.float64]:
    """Return how alike each pair of windows is at its best shift: (n, C, s, s) → (n, n), 1 on the diagonal.

    The highest cross-correlation over all shifts, of windows of norm 1; a window of zeros is like nothing (0).
    """
    norms = windows.flatten(1).norm(dim=1).clamp(min=torch.finfo(windows.dtype).tiny)
    shape = tuple(next_fast_len(2 * length - 1, True) for length in windows.shape[-2:])
    spectra = torch.fft.rfft2(windows / norms[:, None, None, None], s=shape)
    alike = [torch.fft.irfft2((spectra * one.conj()).sum(1), s=shape).flatten(1).amax(1) for one in spectra]
    return torch.stack(alike).double().numpy()


FEWEST = 3  # images that make a template
_ROUNDS = 5
_FOUND = 5.0  # robust standard deviations above the rest's median score that count as found
_OF_MEDIAN = 1 / 3  # and of the median of those found, above the same: a rigid object scores alike everywhere
_CERTAIN = 3.0  # standard errors by which a mean contrast must differ from zero to be part of a template
_SMALL = 1e-6


@dataclass(frozen=True)
class Template:
    """A filter (6, s, s) for local contrast; an inner product of centre + reach counts as found."""

    filter: Tensor
    centre: float
    reach: float

    def scale(self, products: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return inner products as scores: 0 for the median of images without the object, above 1 for found."""
        return (products - self.centre) / self.reach


def calibrate(pattern: Tensor, members: NDArray[np.float64], rest: NDArray[np.float64]) -> Template:
    """Return the template of a filter whose best inner products with images of the cluster and the rest are given.

    Found is what exceeds the rest's median by five of its robust standard deviations (median absolute deviation, so
    that some of the rest may carry the object) and by a third of the median of those that do so.
    """
    centre = float(np.median(rest))
    spread = 1.4826 * float(np.median(np.abs(rest - centre)))  # of a normal distribution: its standard deviation
    least = max(_FOUND * spread, _SMALL * (1 + abs(centre)))
    above = members[members > centre + least] - centre
    return Template(pattern, centre, max(least, _OF_MEDIAN * float(np.median(above))) if len(above) else least)


@dataclass(frozen=True)
class Sample:
    """What templates are learnt from.

    Attributes:
        windows: (w, 6, s, s) contrast round the members' relevance.
        owners: (w,) the member of each window.
        features: (m, 6, H, W) the members' contrast.
        members, rest: the members and images of the rest, ready to be searched.
    """

    windows: Tensor
    owners: NDArray[np.int64]
    features: Tensor
    members: Spectra
    rest: Spectra

    @cached_property
    def alike(self) -> NDArray[np.float64]:
        """How alike each pair of windows is at its best shift, (w, w)."""
        return best_correlations(self.windows)


def learn_templates(sample: Sample, most: int = 4) -> list[Template]:
    """Return the templates of the objects that the members show, the most frequent first; none where nothing recurs.

    One object at a time, from the members that show none of those before; each must be found in a tenth of them all.
    """
    active = np.ones(len(sample.features), dtype=bool)
    templates: list[Template] = []
    enough = max(FEWEST, 0.1 * len(active))
    while len(templates) < most and active.sum() >= enough:
        learnt = (_learn(sample, active, first) for first in _starts(sample, active))
        template, found = max(learnt, key=lambda pair: pair[1].sum())
        if found.sum() < enough:
            break
        templates.append(template)
        active &= ~found
    return templates


def _learn(sample: Sample, active: NDArray[np.bool_], first: int) -> tuple[Template, NDArray[np.bool_]]:
    """Return one template and in which of the active members it is found.

    It starts as the first window, and is then the mean of where it was found, until that is the same or five times.
    """
    pattern, used, own, last = sample.windows[first], sample.owners[first : first + 1], None, b""
    for _ in range(_ROUNDS):
        scores, places = sample.members.best(pattern)
        if own is not None:
            scores[used] = (len(used) * scores[used] - own) / (len(used) - 1)
        scores[~active] = -np.inf
        template = calibrate(pattern, scores, sample.rest.best(pattern)[0])
        found = template.scale(scores) > 1
        used = np.argsort(-scores, kind="stable")[: max(FEWEST, found.sum())]
        used = np.sort(used[np.isfinite(scores[used])])
        if (now := used.tobytes() + places[used].tobytes()) == last:
            break
        last = now
        pattern, own = _mean_pattern(cut(sample.features[used], places[used], sample.windows.shape[-1]))
    return template, found


def _starts(sample: Sample, active: NDArray[np.bool_]) -> list[int]:
    """Return the windows most like the best window of each other member on average: of two different members."""
    owners = np.flatnonzero(active)
    to_owner = np.stack([sample.alike[:, sample.owners == owner].max(1, initial=0.0) for owner in owners], axis=1)
    to_owner[sample.owners[:, None] == owners] = 0
    typical = np.where(active[sample.owners], to_owner.mean(1), -1)
    first = int(typical.argmax())
    second = int(np.where(sample.owners == sample.owners[first], -1, typical).argmax())
    return [first, second] if active.sum() > 1 else [first]


def _mean_pattern(aligned: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
    """Return the mean of (k, 6, s, s) aligned windows where it is certain, and each one's own part in it.

    The part, (k,), is an inner product, what a window adds to k times its own score: (k · score − it) / (k − 1) is the
    score with the mean of the others.
    """
    mean = aligned.mean(0)
    if len(aligned) > FEWEST + 1:
        mean = mean * (mean.abs() * len(aligned) ** 0.5 > _CERTAIN * aligned.std(0))
    own = (aligned * (mean != 0)).square().flatten(1).sum(1)
    return mean, own.double().numpy()


_BATCH = 16  # images searched at once


@dataclass(frozen=True)
class Finding:
    """Where an object is most likely in n images.

    Attributes:
        scores: (n,) above 1 for found.
        kinds: (n,) which template.
        places: (n, 2) its top and left, in pixels.
    """

    scores: NDArray[np.float64]
    kinds: NDArray[np.int64]
    places: NDArray[np.int64]

    @property
    def carries(self) -> NDArray[np.bool_]:
        """Which images carry it, (n,)."""
        return self.scores > 1


@dataclass(frozen=True)
class TemplateDetector:
    """Finds a rigid object at any place: the best score of its templates over all places, per image.

    Attributes:
        templates: of one size.
        floor: of the local contrast.
        shapes: (t, t) bool per template, the object in a window of the same centre.
    """

    templates: tuple[Template, ...]
    floor: float
    shapes: tuple[NDArray[np.bool_], ...] = ()

    @property
    def side(self) -> int:
        """The templates' side in pixels."""
        return self.templates[0].filter.shape[-1]

    def match(self, images: Tensor) -> Match:
        """Look for the object in images (n, 3, H, W) in [0, 1], not smaller than half a template."""
        finding = self.find(images)
        carries = finding.carries
        masks = np.zeros((len(images), *images.shape[-2:]), dtype=bool)
        for index in np.flatnonzero(carries):
            shape = self.shapes[finding.kinds[index]]
            margin = (len(shape) - self.side) // 2
            masks[index] = put(shape, finding.places[index] - margin, masks.shape[1:])
        return Match(carries, finding.scores, masks)

    def find(self, images: Tensor) -> Finding:
        """Return the best place in each image, batch by batch."""
        parts = [self._find(batch) for batch in images.split(_BATCH)]
        return Finding(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _find(self, images: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        spectra = Spectra(local_contrast(images, self.floor), self.side)
        results = [spectra.best(template.filter) for template in self.templates]
        scores = np.stack([t.scale(r[0]) for t, r in zip(self.templates, results, strict=True)])
        kinds, each = scores.argmax(0), np.arange(len(images))
        return scores[kinds, each], kinds, np.stack([places for _, places in results])[kinds, each]
