"""Accuracy in groups of samples, and the widest gap between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from unhans.stats.intervals import TAIL, Interval, wilson


@dataclass(frozen=True)
class GroupCount:
    """How many samples of a group are classified correctly.

    Attributes:
        group: its name.
        label: of the class that was counted, None for all classes together.
        n: samples.
        correct: of these.
    """

    group: str
    label: int | None
    n: int
    correct: int

    @property
    def accuracy(self) -> float:
        """The share of them."""
        return self.correct / self.n

    @property
    def interval(self) -> Interval:
        """Its 95 % interval (Wilson)."""
        return wilson(self.correct, self.n)


@dataclass(frozen=True)
class Gap:
    """The widest gap between two groups.

    Attributes:
        best, worst: the groups with the largest and the smallest accuracy.
        interval: of the difference of their accuracies, 95 % at once for all pairs of the groups that were compared, so
            that it holds for the widest, which was looked for.
        groups: that were compared.
    """

    best: GroupCount
    worst: GroupCount
    interval: Interval
    groups: int

    @property
    def value(self) -> float:
        """The difference of their accuracies."""
        return self.best.accuracy - self.worst.accuracy


def group_counts(labels: NDArray[np.int64], groups: NDArray[np.str_], correct: NDArray[np.bool_]) -> list[GroupCount]:
    """Count correct samples of every group, of all classes together and then of each class; what is empty is left out.

    Args:
        labels, groups, correct: (n,) of the samples.
    """
    names, found = sorted(set(groups.tolist())), []
    for label in (None, *np.unique(labels).tolist()):
        own = np.ones(len(labels), dtype=bool) if label is None else labels == label
        for name in names:
            rows = own & (groups == name)
            if rows.any():
                found.append(GroupCount(name, label, int(rows.sum()), int(correct[rows].sum())))
    return found


def widest_gap(counts: list[GroupCount], fewest: int = 1) -> Gap | None:
    """Return the widest gap among groups of one class, or of all; None where fewer than two have enough samples.

    Args:
        counts: of groups with different names.
        fewest: samples below which a group is not compared.
    """
    compared = [each for each in counts if each.n >= fewest]
    if len(compared) < 2:
        return None
    best, worst = (choose(compared, key=lambda each: each.accuracy) for choose in (max, min))
    if best.accuracy == worst.accuracy:
        best, worst = compared[0], compared[1]
    pairs = sum(1 for _ in combinations(compared, 2))
    return Gap(best, worst, share_difference(best.correct, best.n, worst.correct, worst.n, pairs), len(compared))


def share_difference(first: int, n: int, second: int, m: int, pairs: int = 1) -> Interval:
    """Return Newcombe's 95 % interval of the difference of two shares, first / n − second / m (1998, method 10).

    pairs: differences that are looked at, all of whose intervals then hold at once (Bonferroni).
    """
    z = float(-ndtri(TAIL / pairs))
    (low, high), (lower, upper) = wilson(first, n, z), wilson(second, m, z)
    p, q = first / n, second / m
    return (
        p - q - float(np.hypot(p - low, upper - q)),
        p - q + float(np.hypot(high - p, q - lower)),
    )
