"""Which disagreement is more than that of two trainings that differ in their seed only?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, fisher_exact

from unhans.stats import Area, Interval, area_of, wilson

FEWEST = 20  # images of a class, and of twins, below which nothing is said
QUANTILE = 0.975  # of the twins' images, which a class's median must exceed
PART = 0.1  # of a class's images, which may lie beyond it by chance
RATE = 0.05  # of false ones among what is called different
_RESAMPLES = 2000


class Reasons(Enum):
    """What is said about two models and a class.

    Attributes:
        DIFFERENT: they disagree by more than twins do.
        WITHIN_TWINS: their disagreement lies in the range of twins.
        NO_TWINS: there are no twins, so nothing can be said.
        TOO_FEW: fewer than twenty images have a value, of these models or of twins.
        UNSURE: they disagree by more than twins do, but not surely so among all that is judged.
        TWINS_DISAGREE: twins disagree as much as about different images, so nothing can exceed them.
    """

    DIFFERENT = "different"
    WITHIN_TWINS = "within_twins"
    NO_TWINS = "no_twins"
    TOO_FEW = "too_few"
    UNSURE = "unsure"
    TWINS_DISAGREE = "twins_disagree"


@dataclass(frozen=True)
class ClassDisagreement:
    """How much two models disagree about the images of a class, held against twins.

    Attributes:
        median: of the disagreements of the images, 0 is none; of clusters one minus the adjusted Rand index.
        interval: its 95 % bootstrap interval over images.
        n: images that have a value.
        limit: 97.5 % point of the twins' disagreements about images of the class, of clusters of their resamples; NaN
            without twins.
        beyond: share of the images that lie beyond the limit; NaN without twins, and of clusters.
        p: of "no more images lie beyond the limit than of twins" (Fisher's exact test), of clusters of "no more than
            twins"; NaN without twins.
        reasons: whether the models' reasons differ.
    """

    median: float
    interval: Interval
    n: int
    limit: float
    beyond: float
    p: float
    reasons: Reasons


def resampled(values: NDArray[np.floating], seed: int = 0) -> tuple[float, Interval]:
    """Return the median of values (n,), none of them NaN, and its 95 % bootstrap interval."""
    rows = np.random.default_rng(seed).integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[rows], axis=1), [0.025, 0.975])
    return float(np.median(values)), (float(low), float(high))


def class_disagreement(
    values: NDArray[np.floating],
    twins: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> ClassDisagreement:
    """Judge the disagreements of two models about the images of one class.

    The reasons are called different where the lower end of the median's interval lies above the 97.5 % point of the
    twins' disagreements: the typical image separates the two models more than nearly every image separates twins. Or
    where more than a tenth of the images surely lie beyond that point (lower end of Wilson's interval): a part of a
    class, such as those images that carry an artifact, does not move the median.

    Args:
        values: one minus an agreement for every image (n,), NaN where it has none.
        twins: the same for pairs of trainings that differ in the seed only, (pairs, n) or (m,); None without twins.
        seed: of the resamples.

    Raises:
        ValueError: no image has a value.
    """
    seen = values[~np.isnan(values)]
    if not len(seen):
        raise ValueError(f"none of {len(values)} images has a disagreement: no map holds anything to compare")
    median, interval = resampled(seen, seed)
    held = np.array([]) if twins is None else twins[~np.isnan(twins)]
    if not len(held):
        return ClassDisagreement(median, interval, len(seen), *[float("nan")] * 3, Reasons.NO_TWINS)
    limit = float(np.quantile(held, QUANTILE))
    beyond = int((seen > limit).sum())
    if min(len(seen), len(held)) < FEWEST:
        reasons = Reasons.TOO_FEW
    else:
        different = interval[0] > limit or wilson(beyond, len(seen))[0] > PART
        reasons = Reasons.DIFFERENT if different else Reasons.WITHIN_TWINS
    there = int((held > limit).sum())
    p = fisher_exact([[beyond, len(seen) - beyond], [there, len(held) - there]], "greater").pvalue
    return ClassDisagreement(median, interval, len(seen), limit, beyond / len(seen), float(p), reasons)


def settle(found: Sequence[ClassDisagreement]) -> list[ClassDisagreement]:
    """Return the judgments of one family: what is different stays so where it is sure enough among all of them.

    Benjamini and Hochberg's procedure at 5 % over all that could be judged; what it does not reject is unsure.
    """
    judged = [one for one in found if one.reasons in (Reasons.DIFFERENT, Reasons.WITHIN_TWINS)]
    if not judged:
        return list(found)
    adjusted = iter(false_discovery_control([one.p for one in judged]))
    return [
        replace(one, reasons=Reasons.UNSURE)
        if one.reasons in (Reasons.DIFFERENT, Reasons.WITHIN_TWINS)
        and next(adjusted) > RATE
        and one.reasons is Reasons.DIFFERENT
        else one
        for one in found
    ]


def detection(scores: Mapping[str, NDArray[np.floating]], carriers: NDArray[np.bool_]) -> dict[str, Area]:
    """Return how well each disagreement tells carriers of an artifact from other images, as areas under ROC curves.

    Args:
        scores: by name, a disagreement of every image (n,); images without a value are left out.
        carriers: which images carry it (n,).
    """
    found = {}
    for name, values in scores.items():
        seen = ~np.isnan(values)
        positive, negative = values[seen & carriers], values[seen & ~carriers]
        if len(positive) and len(negative):
            found[name] = area_of(positive, negative)
    return found
