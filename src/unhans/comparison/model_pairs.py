"""Every two of several models, class by class, held against seed twins and against chance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.cluster_agreement import judge_clusters
from unhans.comparison.image_masks import blocks
from unhans.comparison.mask_agreement import chance_overlap
from unhans.comparison.model_view import ModelView, Views, disagreements
from unhans.comparison.seed_twins import ClassDisagreement, Reasons, class_disagreement, settle
from unhans.stats import Interval, wilson

Pair = tuple[str, str]
ByMeasure = Mapping[str, NDArray[np.float64]]
ALL = None  # in place of a class: all images
TRANSFERS = {"transfer", "transfer quotient"}  # measures of what is left under the other model's masks
CLUSTERS = "gradient clusters"  # which are judged as a whole, by the adjusted Rand index, not image by image


@dataclass(frozen=True)
class PairDisagreement:
    """How far two models disagree about the images of one class by one measure.

    Attributes:
        first, second: the models.
        measure: see `disagreements`.
        label: the class; None is all images.
        found: the typical disagreement, and whether it is more than that of twins.
        chance: the typical disagreement about two different images of the class, or for masks about masks of the same
            size at random places.
    """

    first: str
    second: str
    measure: str
    label: int | None
    found: ClassDisagreement
    chance: float


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """Return every two of the models."""
    return list(combinations(names, 2))


def judge_pairs(
    views: Views,
    labels: NDArray[np.int64],
    twins: Collection[Pair] = (),
    networks: Mapping[str, str] | None = None,
    seed: int = 0,
) -> list[PairDisagreement]:
    """Judge every two models for every class and for all images together.

    A pair is held against all pairs of twins of its own architecture, twins against the other ones; a pair of different
    architectures has no twins. The classes of all pairs that are no twins are one family of tests for each measure.

    Args:
        views: what the models say, by name, in the order in which they are compared.
        labels: (n,) of the images.
        twins: pairs of models that differ in the seed of their training only.
        networks: by name what the architecture of a model is; None: all have the same.
        seed: of intervals and of chance.
    """
    known = {pair: disagreements(views, *pair) for pair in pairs_of(list(views))}
    alike = [pair for pair in known if pair in twins or pair[::-1] in twins]
    kinds = dict.fromkeys(views, "") if networks is None else networks
    found = []
    for pair, values in known.items():
        same = kinds[pair[0]] == kinds[pair[1]]
        held_against = [one for one in alike if one != pair and same and kinds[one[0]] == kinds[pair[0]]]
        chances = _by_chance(views, pair, labels, seed)
        for measure in values:
            for label, rows in _classes(labels):
                own = values[measure][rows]
                if np.isnan(own).all():
                    continue
                if measure == CLUSTERS:
                    of_pairs = [[views[name].clusters[rows] for name in each] for each in (pair, *held_against)]
                    judged = judge_clusters(of_pairs[0], of_pairs[1:], seed)
                    chance = _typical(chances[measure][rows], np.mean)
                else:
                    held = [known[each][measure][rows] for each in held_against if measure in known[each]]
                    judged = class_disagreement(own, np.stack(held) if held else None, seed)
                    chance = _typical(chances[measure][rows], np.median)
                if judged.limit >= chance and judged.reasons is Reasons.WITHIN_TWINS:
                    judged = replace(judged, reasons=Reasons.TWINS_DISAGREE)
                found.append(PairDisagreement(*pair, measure, label, judged, chance))
    return _settled(found, alike)


def _settled(found: Sequence[PairDisagreement], twins: Collection[Pair]) -> list[PairDisagreement]:
    """One family of tests for each measure: the classes of all pairs that are no twins."""
    families: dict[str, list[int]] = {}
    for number, one in enumerate(found):
        if one.label is not ALL and (one.first, one.second) not in twins:
            families.setdefault(one.measure, []).append(number)
    settled = list(found)
    for numbers in families.values():
        for number, judged in zip(numbers, settle([found[i].found for i in numbers]), strict=True):
            settled[number] = replace(found[number], found=judged)
    return settled


def _classes(labels: NDArray[np.int64]) -> Iterator[tuple[int | None, NDArray[np.int64]]]:
    yield ALL, np.arange(len(labels))
    for label in np.unique(labels):
        yield int(label), np.flatnonzero(labels == label)


def _by_chance(views: Views, pair: Pair, labels: NDArray[np.int64], seed: int) -> ByMeasure:
    """Disagreements (n,) about each image and another one of its class; NaN where there is none."""
    rng, other = np.random.default_rng(seed), np.arange(len(labels))
    for _, rows in list(_classes(labels))[1:]:
        other[rows] = np.roll(rows, rng.integers(1, max(2, len(rows))))
    found = disagreements({pair[0]: views[pair[0]], pair[1]: views[pair[1]].take(other)}, *pair)
    alone = other == np.arange(len(labels))
    found = {name: np.where(alone, np.nan, values) for name, values in found.items()}
    for name in TRANSFERS & set(found):
        found[name] = np.full(len(labels), np.nan)  # probabilities under masks are of these images alone
    if "masks" in found:
        masks = views[pair[0]].masks
        found["masks"] = np.full(len(labels), np.nan)
        for rows in blocks(masks.rows):
            found["masks"][rows] = 1 - np.median(chance_overlap(masks.at(rows), seed=seed), axis=1)
    return found


def _typical(values: NDArray[np.float64], typical: Callable[..., Any]) -> float:
    seen = values[~np.isnan(values)]
    return float(typical(seen)) if len(seen) else float("nan")


@dataclass(frozen=True)
class Accuracy:
    """How often a model predicts the label.

    Attributes:
        correct: images.
        n: of so many.
        interval: 95 % of the share (Wilson).
    """

    correct: int
    n: int
    interval: Interval

    @property
    def share(self) -> float:
        """The accuracy."""
        return self.correct / self.n


def accuracy_of(view: ModelView, labels: NDArray[np.int64]) -> Accuracy:
    """Return the accuracy of a model on images with labels (n,)."""
    correct = int((view.predicted == labels).sum())
    return Accuracy(correct, len(labels), wilson(correct, len(labels)))
