"""Isolation of artifacts that lie on whole images: what turns the rest of a class into a cluster's images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import Transform
from unhans.isolation.fixed import deal_folds
from unhans.isolation.isolated import Failure, GlobalEvidence, Isolated, NothingIsolatedError, Reason, boxes
from unhans.isolation.validation import best_threshold
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


ESTIMATES: dict[Family, Estimate] = {  # what estimates a transform, by the numbers that tell it
    "colours": estimate_channel_map,
    "places": estimate_field,
    "frequencies": estimate_spectrum,
    "seams": estimate_jpeg,
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
    transform = ESTIMATES[family](images, weights, seed)
    if transform is None:
        raise _nothing(family, "no transform")
    evidence = GlobalEvidence(told.probability, *_areas(family, images, weights, numbers, seed))
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


def _areas(family: Family, images: Tensor, weights: Numbers, numbers: Statistics, seed: int) -> tuple[float, float]:
    """How well the rest is told from the carriers as it is, and with the transform that the other half gives."""
    rng = np.random.default_rng([seed, len(images), 6])
    carriers = weights > 0.5
    chosen = np.sort(np.concatenate([rng.permutation(np.flatnonzero(g))[:_MOST] for g in (carriers, ~carriers)]))
    own, every = carriers[chosen], np.concatenate([numbers[each] for each in ESTIMATES], axis=1)[chosen]
    changed, halves = every.copy(), deal_folds(carriers, rng, 2)
    for half in (0, 1):
        rows = np.flatnonzero(~own & (halves[chosen] != half))
        fit = torch.from_numpy(np.flatnonzero(halves == half))
        transform = ESTIMATES[family](images[fit], weights[fit.numpy()], seed)
        if len(rows) and transform is not None:
            after = transform.apply(images[torch.from_numpy(chosen[rows])])
            changed[rows] = np.concatenate([statistics_of(each, after) for each in ESTIMATES], axis=1)
    return held_out_area(every, own, seed), held_out_area(changed, own, seed)
