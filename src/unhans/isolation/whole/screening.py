"""A linear discriminant on few of many numbers of whole images: what it finds, and held-out scores of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.isolation.fixed import FOLDS, deal_folds
from unhans.isolation.isolated import Match
from unhans.isolation.validation import area_under_roc, chance
from unhans.isolation.whole.image_statistics import Family, Numbers, statistics_of

_FEWEST, _MOST, _EACH = 4, 24, 3  # numbers that a discriminant looks at: at least, at most, and rows for each
_ROUNDS = 30
_ERRORS = 0.05, 20.0  # share of a cluster's members that are wrong before anything was seen, and how many count for it
_LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class LinearDiscriminant:
    """score = (numbers[columns] − middle) @ direction; its standard deviation within a group is about 1."""

    columns: NDArray[np.int64]
    middle: Numbers
    direction: Numbers

    def scores(self, numbers: Numbers) -> Numbers:
        """Return the scores of rows (n, d)."""
        return (numbers[:, self.columns] - self.middle) @ self.direction


@dataclass(frozen=True, eq=False)
class WholeDetector:
    """Finds an artifact that lies on whole images, by a discriminant on numbers that describe them.

    Attributes:
        family: which numbers.
        discriminant: of them.
        threshold: of its scores.
        size: (H, W) of the images it was fitted to, as these numbers depend on it.
    """

    family: Family
    discriminant: LinearDiscriminant
    threshold: float
    size: tuple[int, int]

    def match(self, images: Tensor) -> Match:
        """Look for the artifact in images (n, 3, H, W) in [0, 1]; its mask on carriers is the whole image.

        Raises:
            ValueError: the images are of another size.
        """
        size = tuple(images.shape[-2:])
        if size != tuple(self.size):
            raise ValueError(
                f"an artifact of whole images is found in images of its own size: {tuple(self.size)} pixels, got {size}"
            )
        scores = self.discriminant.scores(statistics_of(self.family, images))
        carries = scores > self.threshold
        return Match(carries, scores, np.broadcast_to(carries[:, None, None], (len(images), *size)).copy())


@dataclass(frozen=True)
class HeldOut:
    """How well numbers tell a cluster from the rest: held-out scores (n,), their area, its p-value by permutation."""

    scores: Numbers
    area: float
    probability: float


def fit_discriminant(numbers: Numbers, members: NDArray[np.bool_]) -> LinearDiscriminant:
    """Fit a discriminant to the numbers (n, d) that differ most between members and the rest, each one or more.

    Their covariance is shrunk by the rule of Ledoit and Wolf.
    """
    inside, outside = numbers[members], numbers[~members]
    spread = np.sqrt((inside.var(0) * len(inside) + outside.var(0) * len(outside)) / max(1, len(numbers) - 2)) + _LEAST
    step = (inside.mean(0) - outside.mean(0)) / spread
    most = int(np.clip(len(numbers) // _EACH, _FEWEST, _MOST))
    columns = np.sort(np.argsort(-np.abs(step), kind="stable")[:most])
    middle = (inside[:, columns].mean(0) + outside[:, columns].mean(0)) / 2
    within = numbers[:, columns] - np.where(members[:, None], inside[:, columns].mean(0), outside[:, columns].mean(0))
    covariance = _shrunk_covariance(within / spread[columns])
    direction = np.linalg.solve(covariance + 1e-6 * np.eye(len(columns)), step[columns])
    direction /= max(np.sqrt(direction @ covariance @ direction), _LEAST)
    return LinearDiscriminant(columns, middle, direction / spread[columns])


def _shrunk_covariance(rows: Numbers) -> Numbers:
    """The covariance of rows (n, d) with mean 0, drawn to a multiple of the identity [Ledoit and Wolf 2004]."""
    n, d = rows.shape
    plain = rows.T @ rows / n
    level = np.trace(plain) / d
    distance = ((plain - level * np.eye(d)) ** 2).sum()
    noise = max(0.0, ((rows**2).sum(1) ** 2).mean() - (plain**2).sum()) / n
    shrinkage = min(1.0, noise / max(distance, _LEAST))
    return (1 - shrinkage) * plain + shrinkage * level * np.eye(d)


def held_out(numbers: Numbers, members: NDArray[np.bool_], seed: int) -> HeldOut:
    """Score every row by a discriminant that was fitted without it; members, others: two or more each.

    The p-value permutes memberships among the scores of each part. It decides only what is worth a test of its effect.
    """
    rng = np.random.default_rng([seed, len(members), 2])
    scores, folds = _scores(numbers, members, rng)
    area = area_under_roc(scores[members], scores[~members])
    return HeldOut(scores, area, chance(scores, members, folds, rng))


def held_out_area(numbers: Numbers, members: NDArray[np.bool_], seed: int) -> float:
    """Return the area of held-out scores alone."""
    scores, _ = _scores(numbers, members, np.random.default_rng([seed, len(members), 2]))
    return area_under_roc(scores[members], scores[~members])


def _scores(
    numbers: Numbers, members: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Numbers, NDArray[np.int64]]:
    """Held-out scores (n,), and the part of each sample."""
    folds = deal_folds(members, rng)
    scores = np.zeros(len(members))
    for fold in range(FOLDS):
        own, rest = folds == fold, folds != fold
        if own.any() and min(members[rest].sum(), (~members)[rest].sum()) >= 1:
            scores[own] = fit_discriminant(numbers[rest], members[rest]).scores(numbers[own])
    return scores, folds


def carrier_probabilities(scores: Numbers, members: NDArray[np.bool_]) -> Numbers:
    """Return the probability of each sample to carry what a cluster shares: (n,).

    Held-out scores of those with and without it are two normal distributions of one width. A cluster misses some and
    holds some wrongly; how many is estimated with the distributions (EM), from 5 % on.
    """
    weights = np.where(members, 1 - _ERRORS[0], _ERRORS[0])
    expected, count = _ERRORS
    for _ in range(_ROUNDS):
        middle = np.array([_mean(scores, 1 - weights), _mean(scores, weights)])
        width = max(_mean((scores - middle[0]) ** 2, 1 - weights) * (1 - weights).mean()
                    + _mean((scores - middle[1]) ** 2, weights) * weights.mean(), _LEAST)  # fmt: skip
        share = [
            (weights[group].sum() + count * prior) / (group.sum() + count)
            for group, prior in ((~members, expected), (members, 1 - expected))
        ]
        odds = np.log(np.where(members, share[1], share[0])) - np.log1p(-np.where(members, share[1], share[0]))
        odds = odds + ((scores - middle[0]) ** 2 - (scores - middle[1]) ** 2) / (2 * width)
        weights = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    return weights


def _mean(values: Numbers, weights: Numbers) -> float:
    return float((values * weights).sum() / max(weights.sum(), _LEAST))
