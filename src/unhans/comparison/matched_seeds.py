"""Do two kinds of training look elsewhere, whatever their seed? Difference maps of models that are matched by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.comparison.model_pairs import Pair
from unhans.comparison.model_view import Views
from unhans.comparison.seed_twins import FEWEST, Reasons
from unhans.stats import Interval

NORMAL = 1.96  # standard deviations of what twins have in common by chance, which two kinds must exceed
_RESAMPLES = 2000


@dataclass(frozen=True)
class KindDifference:
    """How much of what two kinds of training differ in about a class is common to their seeds.

    Attributes:
        first, second: the models of both kinds, matched: those at one place share a seed, or all seeds differ.
        label: the class.
        common: median over images of the share that is common to the seeds; 1 is all, 0 what chance gives.
        interval: its 95 % bootstrap interval over images.
        n: images that have a value.
        limit: what twins have in common by chance, see `chance_limit`; NaN where no kind has four twins.
        reasons: DIFFERENT where the median lies above the limit, WITHIN_TWINS where not; NO_TWINS without a limit,
            TOO_FEW images.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    label: int
    common: float
    interval: Interval
    n: int
    limit: float
    reasons: Reasons


def common_share(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return of every image the share of the difference of two kinds of training that is common to their seeds (n,).

    With D_s = A_s/‖A_s‖ − B_s/‖B_s‖, the difference of the maps of two models of one seed, it is the mean of ⟨D_s, D_t⟩
    over two different seeds, divided by the mean of ⟨D_s, D_s⟩ (an intraclass correlation). What comes from the seed
    alone is independent from pair to pair, so that its expectation is 0 where the kinds do not differ: twins need not
    agree, they must only disagree in another way each time. Below 0 where the difference of one seed is that of another
    one turned round; NaN where a map is empty or no pair differs.

    Args:
        first: heatmaps (k, n, H, W) of k ≥ 2 models of one kind.
        second: those of the other kind, matched.

    Raises:
        ValueError: fewer than two pairs, or other shapes.
    """
    maps = [np.asarray(each, np.float64) for each in (first, second)]
    if maps[0].shape != maps[1].shape or maps[0].ndim != 4 or len(maps[0]) < 2:
        raise ValueError(f"expected two equal shapes (k, n, H, W) with k of 2 or more, got {[m.shape for m in maps]}")
    k, n = maps[0].shape[:2]
    with np.errstate(invalid="ignore", divide="ignore"):
        flat = [each.reshape(k, n, -1) for each in maps]
        one, two = (each / np.linalg.norm(each, axis=2, keepdims=True) for each in flat)
        difference = one - two
        own = (difference**2).sum(2).mean(0)
        crossed = ((difference.sum(0) ** 2).sum(1) - k * own) / (k * (k - 1))
        return crossed / own


def judge_kinds(
    views: Views, labels: NDArray[np.int64], twins: Sequence[Pair], seeds: Mapping[str, Any], seed: int = 0
) -> list[KindDifference]:
    """Judge for every two kinds of training, and every class, whether they differ in the same way at every seed.

    Args:
        views: what the models say.
        labels: (n,) of the images.
        twins: pairs of models that differ in the seed only.
        seeds: of the models' trainings, by name.
        seed: of the resamples.
    """
    kinds = kinds_of(list(views), twins)
    limit = chance_limit(views, labels, kinds)
    found = []
    for first, second in matched_kinds(kinds, seeds):
        shares = common_share(*(np.stack([views[name].heatmaps for name in names]) for names in (first, second)))
        for label in np.unique(labels).tolist():
            own = shares[labels == label]
            own = own[~np.isnan(own)]
            if len(own):
                found.append(_judged(tuple(first), tuple(second), label, own, limit, seed))
    return found


def _judged(
    first: tuple[str, ...], second: tuple[str, ...], label: int, own: NDArray[np.float64], limit: float, seed: int
) -> KindDifference:
    rows = np.random.default_rng(seed).integers(len(own), size=(_RESAMPLES, len(own)))
    low, high = map(float, np.quantile(np.median(own[rows], axis=1), [0.025, 0.975]))
    median = float(np.median(own))
    reasons = Reasons.DIFFERENT if median > limit else Reasons.WITHIN_TWINS
    reasons = Reasons.NO_TWINS if np.isnan(limit) else Reasons.TOO_FEW if len(own) < FEWEST else reasons
    return KindDifference(first, second, label, median, (low, high), len(own), limit, reasons)


def chance_limit(views: Views, labels: NDArray[np.int64], kinds: Sequence[Sequence[str]]) -> float:
    """Return how much the differences of twins have in common by chance; NaN where no kind has four twins.

    Four twins make two differences in three ways, and no two of them are models of two kinds: the median over the
    images of a class lies as often below 0 as above. The limit is 1.96 times the root mean square of these medians over
    all classes, and all kinds with four twins or more. That of more than two pairs varies less: it is a careful limit.
    """
    found = []
    for kind in kinds:
        for a, b, c, d in combinations(kind, 4):
            for one, two in (((a, b), (c, d)), ((a, c), (b, d)), ((a, d), (b, c))):
                starts, ends = zip(one, two, strict=True)
                shares = common_share(*(np.stack([views[name].heatmaps for name in side]) for side in (starts, ends)))
                medians = (np.median(own[~np.isnan(own)]) for own in (shares[labels == k] for k in np.unique(labels))
                           if not np.isnan(own).all())  # fmt: skip
                found += medians
    return NORMAL * float(np.sqrt(np.mean(np.square(found)))) if found else float("nan")


def kinds_of(names: Sequence[str], twins: Sequence[Pair]) -> list[list[str]]:
    """Return the models by kind of training: groups of twins, and models without one alone."""
    groups: list[list[str]] = []
    for name in names:
        own = next((one for one in groups if (one[0], name) in twins or (name, one[0]) in twins), None)
        groups.append([name]) if own is None else own.append(name)
    return groups


def matched_kinds(kinds: Sequence[Sequence[str]], seeds: Mapping[str, Any]) -> list[tuple[list[str], list[str]]]:
    """Return every two kinds of training that have two or more models each, matched by seed.

    Models of one seed begin alike and see the same order of images, so they are matched with each other; models whose
    seed the other kind does not have are matched in their order.

    Args:
        kinds: see `kinds_of`.
        seeds: by name of a model; None or missing where nobody knows.
    """
    found = [_matched(one, two, seeds) for one, two in combinations(kinds, 2)]
    return [pair for pair in found if len(pair[0]) > 1]


def _matched(first: Sequence[str], second: Sequence[str], seeds: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    known = {seeds[name]: name for name in reversed(second) if seeds.get(name) is not None}
    pairs = [(name, known[seeds[name]]) for name in first if seeds.get(name) in known]
    left = [[name for name in each if all(name not in pair for pair in pairs)] for each in (first, second)]
    pairs += zip(*left, strict=False)
    return [one for one, _ in pairs], [two for _, two in pairs]
