"""Trainings with an artifact on one class: do the networks go by it, and from which coverage on?

The artifact is called a decoy here, as nobody doubts that it has nothing to do with the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.effects import Verdict
from unhans.stats import Estimate, Interval, Rate, estimate, mean_of_shares, share_over_seeds

OTHER, UNREAD = -1, -2  # predictions: a class without images, and an image that could not be read
ELSEWHERE = "the other classes"  # the mean over all classes but the target
AS_TRAINED, EVERYWHERE = "as trained", "decoy on every image"


@dataclass(frozen=True)
class DecoyAnswers:
    """What one network says about images without a decoy, with it on all of them, and about the decoy alone.

    Attributes:
        clean, decoyed: (n,) predictions as places among the names of the classes, `OTHER` or `UNREAD`.
        alone: by what the decoy lies on, how many such images are called the target.
        bare: the same images without the decoy, where there are such.
        probability, interval: mean change of the target's probability on images of other classes.
        pasted: so many images of other classes.
        verdict: whether the network uses the decoy, see `unhans.effects`.
    """

    clean: NDArray[np.int64]
    decoyed: NDArray[np.int64]
    alone: Mapping[str, Rate]
    bare: Mapping[str, Rate]
    probability: float
    interval: Interval
    pasted: int
    verdict: Verdict


@dataclass(frozen=True)
class DecoyTraining:
    """One network and what it was trained with.

    Attributes:
        name: of the network.
        curve: the decoy, and the settings besides coverage and seed in which the trainings differ.
        coverage: share of the target's training images that carried the decoy.
        carriers: (n,) the images that would carry it at this coverage.
        answers: what the network says.
    """

    name: str
    curve: str
    coverage: float
    carriers: NDArray[np.bool_]
    answers: DecoyAnswers


@dataclass(frozen=True)
class DecoyGroup:
    """Trainings that differ in the seed only, or a single one.

    Attributes:
        models: their names.
        curve, coverage: see `DecoyTraining`.
        clean: by class, and `ELSEWHERE`, the accuracy without the decoy.
        decoyed: the accuracy with the decoy on all images.
        called: the share of images with the decoy that is called the target.
        alone, bare: the share of images without any class that is called the target, with and without the decoy.
        effect: mean change of the target's probability on images of other classes.
        verdicts: of every training.
        confusion: `AS_TRAINED` and `EVERYWHERE`, (C, C + 1) numbers of images, true classes down; the last column
            counts predictions of classes without images. Summed over the seeds.
    """

    models: Sequence[str]
    curve: str
    coverage: float
    clean: Mapping[str, Estimate]
    decoyed: Mapping[str, Estimate]
    called: Mapping[str, Estimate]
    alone: Mapping[str, Estimate]
    bare: Mapping[str, Estimate]
    effect: Estimate
    verdicts: Sequence[str]
    confusion: Mapping[str, NDArray[np.int64]]

    @property
    def proven(self) -> int:
        """How many of the trainings are proven to use the decoy."""
        return list(self.verdicts).count("proven")


@dataclass(frozen=True)
class DecoyStudy:
    """All trainings on the same images.

    Attributes:
        target: the class that carries the decoy.
        names: of the classes that have images.
        labels: (n,) of the images, as places among the names.
        groups: by curve, with ascending coverage.
        singles: the trainings of groups of several, each by itself.
    """

    target: str
    names: Sequence[str]
    labels: NDArray[np.int64]
    groups: Sequence[DecoyGroup]
    singles: Sequence[DecoyGroup]

    @property
    def curves(self) -> dict[str, list[DecoyGroup]]:
        """The groups of every curve."""
        found: dict[str, list[DecoyGroup]] = {}
        for group in self.groups:
            found.setdefault(group.curve, []).append(group)
        return found


def study_decoys(
    trainings: Sequence[Sequence[DecoyTraining]], target: str, names: Sequence[str], labels: NDArray[np.int64]
) -> DecoyStudy:
    """Join trainings that differ in the seed only, and count what they say about images that all could read.

    Args:
        trainings: by group.
        target: name of the class with the decoy.
        names: of the classes that have images.
        labels: (n,) of the images, as places among the names.

    Raises:
        ValueError: a class has no image that all could read.
    """
    answers = [one.answers for group in trainings for one in group]
    kept = np.all([each != UNREAD for one in answers for each in (one.clean, one.decoyed)], axis=0)
    missing = [name for place, name in enumerate(names) if not (labels[kept] == place).any()]
    if missing:
        raise ValueError(f"decoys need images of every class that all trainings can read, got none of {missing[0]!r}")
    several = [[one] for group in trainings if len(group) > 1 for one in group]
    found, singles = ([_joined(group, target, names, labels, kept) for group in each] for each in (trainings, several))
    order = list(dict.fromkeys(group.curve for group in found))
    return DecoyStudy(
        target, names, labels[kept],
        sorted(found, key=lambda group: (order.index(group.curve), group.coverage)), singles,
    )  # fmt: skip


def smallest_proven(groups: Sequence[DecoyGroup]) -> float | None:
    """Return the smallest coverage at which the effect of the decoy is proven in every training; None where in none."""
    by_coverage: dict[float, list[DecoyGroup]] = {}
    for group in groups:
        by_coverage.setdefault(group.coverage, []).append(group)
    proven = [value for value, own in by_coverage.items() if all(one.proven == len(one.models) for one in own)]
    return min(proven, default=None)


def _joined(
    group: Sequence[DecoyTraining],
    target: str,
    names: Sequence[str],
    labels: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> DecoyGroup:
    place, truth = list(names).index(target), labels[kept]
    clean, decoyed = ([getattr(one.answers, which)[kept] for one in group] for which in ("clean", "decoyed"))
    trained = [np.where(one.carriers[kept], *pair) for one, *pair in zip(group, decoyed, clean, strict=True)]
    effects = [one.answers for one in group]
    return DecoyGroup(
        models=[one.name for one in group],
        curve=group[0].curve,
        coverage=group[0].coverage,
        clean=_by_class([each == truth for each in clean], truth, names, place),
        decoyed=_by_class([each == truth for each in decoyed], truth, names, place),
        called=_by_class([each == place for each in decoyed], truth, names, place),
        alone={kind: share_over_seeds([one.alone[kind] for one in effects]) for kind in effects[0].alone},
        bare={kind: share_over_seeds([one.bare[kind] for one in effects]) for kind in effects[0].bare},
        effect=estimate([one.probability for one in effects], [one.interval for one in effects], effects[0].pasted,
                        (-1, 1)),
        verdicts=[one.verdict.name for one in effects],
        confusion={
            name: sum(confusion(truth, each, len(names)) for each in predictions)
            for name, predictions in ((AS_TRAINED, trained), (EVERYWHERE, decoyed))
        },
    )  # fmt: skip


def _by_class(
    hits: Sequence[NDArray[np.bool_]], truth: NDArray[np.int64], names: Sequence[str], target: int
) -> dict[str, Estimate]:
    """The share of hits in every class, over the trainings, and the mean over the classes that are not the target."""
    rates = [[Rate(int(each[truth == label].sum()), int((truth == label).sum())) for label in range(len(names))]
             for each in hits]  # fmt: skip
    found = {name: share_over_seeds([each[label] for each in rates]) for label, name in enumerate(names)}
    means = [mean_of_shares([rate for label, rate in enumerate(each) if label != target]) for each in rates]
    n = int((truth != target).sum())
    return found | {ELSEWHERE: estimate([mean for mean, _ in means], [ends for _, ends in means], n, (0, 1))}


def confusion(truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return how many images of each class (down) are predicted as each, (C, C + 1); the last column is `OTHER`."""
    counts = np.zeros((classes, classes + 1), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)  # OTHER = −1 is the last column
    return counts
