"""Isolation of artifacts that lie on whole images: what turns the rest of a class into a cluster's images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Transform
from unhans.isolation.fixed import deal_folds
from unhans.isolation.isolated import Failure, GlobalEvidence, Isolated, NothingIsolatedError, Reason, boxes
from unhans.isolation.validation import best_threshold
from unhans.isolation.whole.colour_transport import estimate_colour_matrix
from unhans.isolation.whole.image_statistics import Family, Numbers, Statistics, statistics_of
from unhans.isolation.whole.screening import (
    HeldOut,
    WholeDetector,
    carrier_probabilities,
    fit_discriminant,
    held_out,
    held_out_area,
)
from unhans.isolation.whole.transform_estimation import (
    estimate_channel_map,
    estimate_field,
    estimate_jpeg,
    estimate_spectrum,
)
from unhans.spray.groups import smallest_group, split

Estimate = Callable[[Tensor, Numbers, int], Transform | None]

_AREA = 0.6  # held-out area under the ROC curve below which a detector would be of no use
_CHANCE = 0.01  # for each of four kinds
_APART = 4.0  # standard deviations within, by which the means of two parts of the scores differ: natural variation has
# up to 3.6, artifacts 4.2 to 5.2 (photographs of 32 pixels; blur, scan lines and frames against eight clean classes)
_EXPLAINED = 0.2  # of what tells the groups apart: a kind of scene differs in more than a transform
_ROUNDS = 3
_MOST = 100  # images of each group that are told apart after the transform
_UNSEEN = 4 / 255  # standard deviation of a change of colour that nobody sees: what of a transform is left below it
# would still tell images without any noise, as drawings, from each other
_PLAINER = 0.1  # area by which a transform must leave less than the one before it to be taken


ESTIMATES: dict[Family, tuple[Estimate, ...]] = {  # what estimates a transform, by the numbers that tell it
    "colours": (estimate_channel_map, estimate_colour_matrix),
    "places": (estimate_field,),
    "frequencies": (estimate_spectrum,),
    "seams": (estimate_jpeg,),
}


def isolate_whole(
    images: Tensor, members: NDArray[np.bool_], seed: int = 0, numbers: Statistics | None = None
) -> tuple[Isolated, ...]:
    """Find every kind of transform that may have turned images of a class into those of a cluster, best first.

    The best one leaves least that tells the cluster from the rest.

    Args:
        images, members: (n, 3, H, W) in [0, 1], and (n,) of the cluster.
        numbers: of the images, if they are known.

    Raises:
        NothingIsolatedError: none tells them apart by held-out scores; with the reason of each kind.
    """
    numbers = Statistics(images) if numbers is None else numbers
    found, failures = [], []
    for family in ESTIMATES:
        try:
            found.append(_isolated(family, images, members, numbers, seed))
        except NothingIsolatedError as error:
            failures += error.failures
    if not found:
        raise NothingIsolatedError(*failures)
    return tuple(each for _, each in sorted(found, key=lambda pair: pair[0]))


def _isolated(
    family: Family, images: Tensor, members: NDArray[np.bool_], numbers: Statistics, seed: int
) -> tuple[float, Isolated]:
    told = held_out(numbers[family], members, seed)
    if told.area < _AREA or told.probability > _CHANCE:
        raise _nothing(family, "numbers alike", area=told.area, p_value=told.probability, least=_AREA, most=_CHANCE)
    told, weights = _settled(numbers[family], told, members, seed)
    carriers = weights > 0.5
    apart = float(split(told.scores[:, None], smallest_group(len(carriers))).distance[0])
    if apart < _APART:
        raise _nothing(family, "one group", apart=apart, least=_APART)
    trials = _trials(family, images, weights, numbers, seed)
    if not trials:
        raise _nothing(family, "no transform")
    best = _plainest(trials)
    transform, evidence = best.transform, GlobalEvidence(told.probability, best.before, best.applied)
    if evidence.explained < _EXPLAINED:
        raise _nothing(family, "more than a transform", left=1 - evidence.explained)
    discriminant = fit_discriminant(numbers[family], carriers)
    threshold = best_threshold(told.scores[carriers], told.scores[~carriers])
    detector = WholeDetector(family, discriminant, threshold, (int(images.shape[-2]), int(images.shape[-1])))
    masks = np.broadcast_to(carriers[:, None, None], (len(images), *images.shape[-2:])).copy()
    isolated = Isolated("global", (), carriers, masks, detector, told.area, boxes(masks), evidence, seed, transform)
    return evidence.after, isolated


def _nothing(family: Family, reason: Reason, **values: float) -> NothingIsolatedError:
    return NothingIsolatedError(Failure(reason, {"family": family, **values}))


def _settled(numbers: Numbers, told: HeldOut, members: NDArray[np.bool_], seed: int) -> tuple[HeldOut, Numbers]:
    """Who carries it by the scores, and the scores of a discriminant between these; a group found is rarely exact."""
    for _ in range(_ROUNDS):
        weights = carrier_probabilities(told.scores, members)
        carriers = weights > 0.5
        if not 2 <= carriers.sum() <= len(carriers) - 2:
            return told, members.astype(float)
        if (carriers == members).all():
            break
        told, members = held_out(numbers, carriers, seed), carriers
    return told, weights


@dataclass(frozen=True)
class _Trial:
    """A transform, and how well the rest is told from the carriers as it is, with the transform, and with it undone."""

    transform: Transform
    before: float
    applied: float
    undone: float

    @property
    def left(self) -> float:
        return max(self.applied, self.undone, 0.5)  # below one half it is chance


def _plainest(trials: Sequence[_Trial]) -> _Trial:
    """The first of those that leave hardly more than the best."""
    least = min(each.left for each in trials)
    return next(each for each in trials if each.left <= least + _PLAINER)


def _trials(family: Family, images: Tensor, weights: Numbers, numbers: Statistics, seed: int) -> list[_Trial]:
    """Every transform that can be estimated, tried on images of one half as the other half gives it."""
    rng = np.random.default_rng([seed, len(images), 6])
    carriers = weights > 0.5
    chosen = np.sort(np.concatenate([rng.permutation(np.flatnonzero(g))[:_MOST] for g in (carriers, ~carriers)]))
    folds, some = deal_folds(carriers, rng, 2), images[torch.from_numpy(chosen)]
    if family == "colours":
        unseen = _unseen(some, rng)
        every = _described(some + unseen)
    else:
        unseen = torch.zeros(len(some), 3, 1, 1)
        every = np.concatenate([numbers[each] for each in ESTIMATES], axis=1)[chosen]
    compared = _Compared(some, unseen, every, carriers[chosen], folds[chosen], seed)
    trials, before = [], compared.area()
    for estimate in ESTIMATES[family]:
        parts = [torch.from_numpy(np.flatnonzero(folds == half)) for half in (0, 1)]
        halves = [estimate(images[part], weights[part.numpy()], seed) for part in parts]
        whole = estimate(images, weights, seed)
        if whole is not None:
            applied = compared.area(halves)
            undone = compared.area(halves, undo=True) if len(ESTIMATES[family]) > 1 else applied
            trials.append(_Trial(whole, before, applied, undone))
    return trials


@dataclass(frozen=True)
class _Compared:
    """Images (n, 3, H, W) that carriers (n,) are told by, what hides differences that nobody sees, their numbers."""

    images: Tensor
    unseen: Tensor
    numbers: Numbers
    carriers: NDArray[np.bool_]
    folds: NDArray[np.int64]
    seed: int

    def area(self, halves: Sequence[Transform | None] = (), undo: bool = False) -> float:
        """How well the rest is told from the carriers, one of them changed by the transform of the other half."""
        changed = self.numbers.copy()
        for half, transform in enumerate(halves):
            rows = np.flatnonzero((self.carriers == undo) & (self.folds != half))
            if len(rows) and transform is not None:
                part = self.images[torch.from_numpy(rows)]
                after = transform.undo(part) if undo else transform.apply(part)
                changed[rows] = _described(after + self.unseen[torch.from_numpy(rows)])
        return held_out_area(changed, self.carriers, self.seed)


def _described(images: Tensor) -> Numbers:
    return np.concatenate([statistics_of(each, images.clamp(0, 1)) for each in ESTIMATES], axis=1)


def _unseen(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Random changes of every pixel, and of each image's channels, that nobody sees."""
    sizes = tuple(images.shape), (*images.shape[:2], 1, 1)
    pixels, casts = (_UNSEEN * rng.standard_normal(size, dtype=np.float32) for size in sizes)
    return torch.from_numpy(pixels + casts).to(images)
