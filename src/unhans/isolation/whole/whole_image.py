"""Isolation of artifacts that lie on whole images: what turns the rest of a class into a cluster's images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.transforms import Transform
from unhans.isolation.isolated import Isolated, NothingIsolatedError, boxes
from unhans.isolation.validation import best_threshold
from unhans.isolation.whole.image_statistics import Family, Statistics, statistics_of
from unhans.isolation.whole.screening import HeldOut, carrying, fitted, held_out, held_out_area
from unhans.isolation.whole.transform_estimation import (
    estimate_channel_map,
    estimate_field,
    estimate_jpeg,
    estimate_spectrum,
)
from unhans.isolation.whole.whole_detector import WholeDetector
from unhans.spray.groups import smallest_group, split

Numbers = NDArray[np.float64]
Estimate = Callable[[Tensor, Numbers, int], "Transform | None"]

_AREA = 0.6  # held-out area under the ROC curve below which a detector would be of no use
_CHANCE = 0.01  # for each of four kinds
_APART = 4.0  # standard deviations within, by which the means of two parts of the scores differ: natural variation has
# up to 3.6, artifacts 4.2 to 5.2 (photographs of 32 pixels; blur, scan lines and frames against eight clean classes)
_EXPLAINED = 0.2  # of what tells the groups apart: a kind of scene differs in more than a transform
_ROUNDS = 3
_MOST = 100  # images of each group that are told apart after the transform


@dataclass(frozen=True)
class Sought:
    """One kind of transform: the numbers that tell it, what estimates it, and what it is called."""

    family: Family
    estimate: Estimate
    named: str


KINDS = (
    Sought("colours", estimate_channel_map, "change of colour or contrast"),
    Sought("places", estimate_field, "field of brightness"),
    Sought("frequencies", estimate_spectrum, "blur, sharpening or noise"),
    Sought("seams", estimate_jpeg, "JPEG compression"),
)


@dataclass(frozen=True)
class Explained:
    """How well a transform explains what a cluster's images differ in.

    before, after: held-out area under the ROC curve of all numbers together, the cluster against the rest as it is and
    against the rest with the transform, which was estimated from other images; ½ is chance.
    """

    before: float
    after: float

    @property
    def share(self) -> float:
        """How much of what tells the groups apart is gone: 1 is all, 0 nothing."""
        return float(np.clip((self.before - self.after) / max(self.before - 0.5, 1e-6), 0, 1))


def isolate_whole(
    images: Tensor, members: NDArray[np.bool_], seed: int = 0, numbers: Statistics | None = None
) -> tuple[Isolated, ...]:
    """Find every kind of transform that may have turned images of a class into those of a cluster, best first.

    images: (n, 3, H, W) in [0, 1]; members: (n,) bool; numbers: of the images, if they are known. The best one leaves
    least that tells the cluster from the rest.
    Raises NothingIsolatedError with the reason of each kind where none tells them apart by held-out scores.
    """
    numbers = Statistics(images) if numbers is None else numbers
    found, reasons = [], []
    for kind in KINDS:
        try:
            found.append(_isolated(kind, images, members, numbers, seed))
        except NothingIsolatedError as error:
            reasons.append(str(error))
    if not found:
        raise NothingIsolatedError("; ".join(reasons))
    return tuple(each for _, each in sorted(found, key=lambda pair: pair[0]))


def _isolated(
    kind: Sought, images: Tensor, members: NDArray[np.bool_], numbers: Statistics, seed: int
) -> tuple[float, Isolated]:
    told = held_out(numbers[kind.family], members, seed)
    if told.area < _AREA or told.probability > _CHANCE:
        raise NothingIsolatedError(
            f"no {kind.named}: such numbers of whole images separate the cluster with a held-out AUC of "
            f"{told.area:.2f} (p = {told.probability:.2g}), expected at least {_AREA} (p at most {_CHANCE})"
        )
    told, weights = _settled(numbers[kind.family], told, members, seed)
    carriers = weights > 0.5
    apart = float(split(told.scores[:, None], smallest_group(len(carriers))).distance[0])
    if apart < _APART:
        raise NothingIsolatedError(
            f"no {kind.named}: by such numbers the images do not fall into those with it and those without it (means "
            f"{apart:.1f} standard deviations apart, expected at least {_APART:g}; one group split in two has 2.6)"
        )
    transform = kind.estimate(images, weights, seed)
    if transform is None:
        raise NothingIsolatedError(f"no {kind.named}: none makes the rest of the class more like the cluster")
    explained = _explained(kind, images, weights, numbers, seed)
    if explained.share < _EXPLAINED:
        raise NothingIsolatedError(
            f"no {kind.named} alone: with it, {1 - explained.share:.0%} of what tells the images from the others stays"
        )
    discriminant = fitted(numbers[kind.family], carriers)
    threshold = best_threshold(told.scores[carriers], told.scores[~carriers])
    detector = WholeDetector(kind.family, discriminant, threshold, (int(images.shape[-2]), int(images.shape[-1])))
    masks = np.broadcast_to(carriers[:, None, None], (len(images), *images.shape[-2:])).copy()
    sentence = _sentence(transform, carriers, members, told, explained)
    isolated = Isolated(
        "global", (), carriers, masks, detector, told.area, boxes(masks), sentence, seed, transform=transform
    )
    return explained.after, isolated


def _settled(numbers: Numbers, told: HeldOut, members: NDArray[np.bool_], seed: int) -> tuple[HeldOut, Numbers]:
    """Who carries it by the scores, and the scores of a discriminant between these; a group found is rarely exact."""
    for _ in range(_ROUNDS):
        weights = carrying(told.scores, members)
        carriers = weights > 0.5
        if not 2 <= carriers.sum() <= len(carriers) - 2:
            return told, members.astype(float)
        if (carriers == members).all():
            break
        told, members = held_out(numbers, carriers, seed), carriers
    return told, weights


def _explained(kind: Sought, images: Tensor, weights: Numbers, numbers: Statistics, seed: int) -> Explained:
    """Estimate the transform from each half of the images, apply it to the other half's rest, and tell them apart."""
    rng = np.random.default_rng([seed, len(images), 6])
    carriers = weights > 0.5
    chosen = np.sort(np.concatenate([rng.permutation(np.flatnonzero(g))[:_MOST] for g in (carriers, ~carriers)]))
    own, every = carriers[chosen], np.concatenate([numbers[each.family] for each in KINDS], axis=1)[chosen]
    changed, halves = every.copy(), np.empty(len(images), dtype=np.int64)
    for group in (carriers, ~carriers):
        halves[rng.permutation(np.flatnonzero(group))] = np.arange(group.sum()) % 2
    for half in (0, 1):
        rows = np.flatnonzero(~own & (halves[chosen] != half))
        fit = torch.from_numpy(np.flatnonzero(halves == half))
        transform = kind.estimate(images[fit], weights[fit.numpy()], seed)
        if len(rows) and transform is not None:
            after = transform.apply(images[torch.from_numpy(chosen[rows])])
            changed[rows] = np.concatenate([statistics_of(each.family, after) for each in KINDS], axis=1)
    return Explained(held_out_area(every, own, seed), held_out_area(changed, own, seed))


def _sentence(
    transform: Transform, carriers: NDArray[np.bool_], members: NDArray[np.bool_], told: HeldOut, explained: Explained
) -> str:
    return (
        f"An artifact of whole images ({transform.name}): it {transform.sentence}; {carriers.sum()} of "
        f"{len(members)} images carry it (held-out AUC of the cluster {told.area:.2f}, p = {told.probability:.2g}); "
        f"with it, the others are told from them by an AUC of {explained.after:.2f} instead of {explained.before:.2f}."
    )
