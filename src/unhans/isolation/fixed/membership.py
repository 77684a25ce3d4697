"""Which images of a class carry what the images of a cluster have in common at a fixed place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.isolation.fixed.discriminant import Discriminant, Moments, discriminant, gradient_moments
from unhans.isolation.validation import Split, split_scores
from unhans.spray.groups import ColourFilter, colour_filter

FOLDS = 5  # parts of the cross-fitting
_ROUNDS = 8
_COLOUR_ROUNDS = 3
_TRIED = 8  # members whose colours are tried
_PATIENCE = 3  # rounds after which groups that are still not apart are given up
GAP = 4.0  # robust standard deviations between two groups of scores; those of random clusters stay below 3


@dataclass(frozen=True)
class Membership:
    """Members by matching, and what they were found with.

    Attributes:
        members: (n,) bool.
        scores: (n,) of filters that were fitted without the sample, but in groups that all samples refined:
            cross-fitted, not held out.
        split: how the scores fall into two groups.
        carriers, rest: moments of the gradients of both groups.
        discriminant: what scores an image, fitted to all samples.
        settled: whether a round found the members that it began with.
    """

    members: NDArray[np.bool_]
    scores: NDArray[np.float64]
    split: Split
    carriers: Moments
    rest: Moments
    discriminant: Discriminant | ColourFilter
    settled: bool = True


def refine_membership(
    images: Tensor, cluster: NDArray[np.bool_], seed: int, region: Tensor | None = None
) -> Membership:
    """Refine a cluster's membership until it is stable: members are those whose held-out score is high.

    A sample's score always comes from a filter that was fitted without it. Where eight rounds do not make it stable,
    members are those by the last scores, whose filters were fitted to the members of the round before.
    """
    rng = np.random.default_rng([seed, len(images)])
    members, settled = cluster, False
    for turn in range(_ROUNDS):
        scores, carriers, rest = held_out(images, members, deal_folds(members, rng), region)
        split = split_scores(scores)
        found = scores > split.threshold
        if not 2 <= found.sum() <= len(found) - 2:
            split = replace(split, gap=0.0)  # one image that differs from all others is no group
            break
        settled = bool((found == members).all())
        if settled:
            break
        if turn >= _PATIENCE and split.gap < GAP:
            break
        members = found
    else:
        rest, carriers = gradient_moments(images, torch.from_numpy(members.astype(np.int64)), 2)
    return Membership(members, scores, split, carriers, rest, discriminant(carriers, rest, region), settled)


def refine_by_colour(images: Tensor, cluster: NDArray[np.bool_], seed: int) -> Membership | None:
    """Refine a cluster's membership by the colours that its images have at the same pixels; None where they have none.

    Opaque marks are found by them whatever lies beside. A sample's score comes from a filter that was fitted to the
    other half of the samples.
    """
    rng, members, settled = np.random.default_rng([seed, len(images), 7]), cluster, False
    for _ in range(_COLOUR_ROUNDS):
        scores = _by_other_half(images, members, rng)
        if scores is None:
            return None
        split = split_scores(scores)
        found = scores > split.threshold
        if not 2 <= found.sum() <= len(found) - 2:
            return None
        settled = bool((found == members).all())
        if settled:
            break
        members = found
    fitted = _fitted(images, members, rng)
    if fitted is None:
        return None
    rest, carriers = gradient_moments(images, torch.from_numpy(members.astype(np.int64)), 2)
    return Membership(members, scores, split, carriers, rest, fitted, settled)


def _by_other_half(images: Tensor, members: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64] | None:
    half, scores = deal_folds(members, rng, 2) == 0, np.empty(len(images))
    for own in (half, ~half):
        rows = torch.from_numpy(~own)
        fitted = _fitted(images[rows], members[~own], rng)
        if fitted is None:
            return None
        scores[own] = fitted.scores(images[torch.from_numpy(own)]).numpy()
    return scores


def _fitted(images: Tensor, members: NDArray[np.bool_], rng: np.random.Generator) -> ColourFilter | None:
    groups = [images[torch.from_numpy(group)] for group in (members, ~members)]
    return colour_filter(*groups, _TRIED, rng) if min(map(len, groups)) >= 2 else None


def deal_folds(members: NDArray[np.bool_], rng: np.random.Generator, count: int = FOLDS) -> NDArray[np.int64]:
    """Return each sample's part, 0 … count − 1: members and others are dealt out evenly, at random."""
    parts = np.empty(len(members), dtype=np.int64)
    for group in (members, ~members):
        parts[rng.permutation(np.flatnonzero(group))] = np.arange(group.sum()) % count
    return parts


def held_out(
    images: Tensor, members: NDArray[np.bool_], parts: NDArray[np.int64], region: Tensor | None
) -> tuple[NDArray[np.float64], Moments, Moments]:
    """Return the held-out scores (n,) and the gradients' moments of members and rest."""
    groups = torch.from_numpy(2 * parts + members)
    moments = gradient_moments(images, groups, 2 * FOLDS)
    rest, carriers = (sum(parts[1:], parts[0]) for parts in (moments[::2], moments[1::2]))
    scores = np.empty(len(images))
    for part in range(FOLDS):
        fitted = discriminant(carriers - moments[2 * part + 1], rest - moments[2 * part], region)
        own = np.flatnonzero(parts == part)
        scores[own] = fitted.scores(images[torch.from_numpy(own)])
    return scores, carriers, rest
