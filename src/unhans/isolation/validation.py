"""Do held-out scores tell a cluster from the rest, and where is the gap between the two groups?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_NOISE = 5.0  # robust standard deviations of the lower group that the threshold lies above its median, if that is …
_NEAR, _FAR = 0.3, 0.5  # … between these shares of the way to the upper group: a border is faint on a white sky
_PERMUTATIONS = 1000
_FEW = 10  # scores of the lower group, with fewer of which both groups tell the deviation


@dataclass(frozen=True)
class Split:
    """Two groups of scores: the threshold between them, and the gap in robust standard deviations of the lower one."""

    threshold: float
    gap: float


def split_scores(scores: NDArray[np.floating]) -> Split:
    """Return where scores (n ≥ 2) fall into two groups, of least squared distances to their means (Otsu's criterion).

    The threshold then lies five robust standard deviations above the lower group's median, at least .3 and at most .5
    of the way to the upper group's. A lower group of fewer than ten takes the deviation of both groups.
    """
    ordered = np.sort(scores)
    cut = _best_cut(ordered)
    low, high = np.median(ordered[:cut]), np.median(ordered[cut:])
    deviations = np.abs(ordered - np.where(np.arange(len(ordered)) < cut, low, high))
    spread = 1.4826 * np.median(deviations[:cut] if cut >= _FEW else deviations)
    way = high - low
    threshold = low + np.clip(_NOISE * spread, _NEAR * way, _FAR * way)
    return Split(float(threshold), float(way / max(spread, 1e-12)))


def _best_cut(ordered: NDArray[np.floating]) -> int:
    n, size = len(ordered), np.arange(1, len(ordered))
    total = np.cumsum(ordered - ordered.mean())[:-1]
    return int(np.argmax(total**2 / (size * (n - size)))) + 1


def chance(
    scores: NDArray[np.floating], members: NDArray[np.bool_], folds: NDArray[np.int64], rng: np.random.Generator
) -> float:
    """Return the p-value of held-out scores under permuted memberships.

    Memberships are permuted within each fold, where the filter has seen none of them; the statistic is the sum of the
    members' ranks within their folds.
    """
    observed, permuted = 0.0, np.zeros(_PERMUTATIONS)
    for fold in np.unique(folds):
        ranks, own = rankdata(scores[folds == fold]), members[folds == fold]
        observed += ranks[own].sum()
        permuted += rng.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)[:, : own.sum()].sum(1)
    return float((1 + np.sum(permuted >= observed)) / (1 + _PERMUTATIONS))


Score = Callable[[NDArray[np.int64]], NDArray[np.float64]]
LearnScore = Callable[[NDArray[np.int64]], Score | None]

_MOST = 100  # members and images of the rest that are scored: the area's standard error is then at most .04
_FIRST = 20  # of each half, and twice as many of the rest, that are looked at first: its standard error is .065
_HOPELESS = 0.57  # area of the first look below which the second is not worth its time: of .75, one in 200 is lost
LEAST_AREA = 0.7  # area below which a detector is of little use
_CERTAIN = 3.0  # standard errors by which the area must exceed one half


@dataclass(frozen=True)
class Separation:
    """How held-out members score against the rest.

    Attributes:
        area: under the ROC curve, mean of two halves.
        error: its standard error where nothing separates.
        threshold: between the scores, where the share of members above it exceeds that of the rest the most.
    """

    area: float
    error: float
    threshold: float

    @property
    def values(self) -> dict[str, float]:
        """The numbers that decide whether it is convincing."""
        return {"area": self.area, "error": self.error, "least": LEAST_AREA}

    @property
    def convincing(self) -> bool:
        """Whether the area is at least .7 and three standard errors above chance."""
        return self.area >= LEAST_AREA and self.area - 0.5 > _CERTAIN * self.error


def area_under_roc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the chance that a positive scores higher than a negative, ties counting half; (n,), (m,)."""
    ranks = rankdata(np.concatenate((positive, negative)))[: len(positive)]
    return float((ranks.sum() / len(positive) - (len(positive) + 1) / 2) / len(negative))


def held_out_separation(
    learn: LearnScore, members: NDArray[np.int64], others: NDArray[np.int64], seed: int = 0
) -> Separation:
    """Learn from one half of the members, score the other half and the rest, and the other way round.

    The area is the mean over the halves; the error is that of the Mann-Whitney statistic under the null hypothesis.
    Where a part of them leaves no hope of a convincing separation the others are not looked at, and the part's is
    returned.

    Args:
        learn: some members → a function that scores sample indices, None where nothing could be learnt (area ½).
        members, others: sample indices, at least two, and those of the rest, at least one; at most 100 of each are
            scored.
    """
    rng = np.random.default_rng([seed, 1])
    rest = rng.permutation(others)[:_MOST]
    first, second = (half[: _MOST // 2] for half in np.array_split(rng.permutation(members), 2))
    if len(second) > _FIRST:
        look = _separated(learn, first[:_FIRST], second[:_FIRST], rest[: 2 * _FIRST])
        if look.area < _HOPELESS:
            return look
    return _separated(learn, first, second, rest)


def _separated(
    learn: LearnScore, first: NDArray[np.int64], second: NDArray[np.int64], rest: NDArray[np.int64]
) -> Separation:
    results = [_scores(learn(np.sort(a)), b, rest) for a, b in ((first, second), (second, first))]
    tested = len(first) + len(second)
    return Separation(
        float(np.mean([area_under_roc(*scores) for scores in results])),
        ((tested + len(rest) + 1) / (12 * tested * len(rest))) ** 0.5,
        best_threshold(*(np.concatenate(scores) for scores in zip(*results, strict=True))),
    )


def best_threshold(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> float:
    """Return the threshold with the largest difference between the shares above it (Youden's index)."""
    values = np.unique(np.concatenate((positive, negative)))
    between = (values[:-1] + values[1:]) / 2 if len(values) > 1 else values
    return float(between[np.argmax([(positive > t).mean() - (negative > t).mean() for t in between])])


def _scores(
    score: Score | None, members: NDArray[np.int64], rest: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return (np.zeros(len(members)), np.zeros(len(rest))) if score is None else (score(members), score(rest))
