"""Who carries an artifact, in its class and in others, and what taking it away does in each split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import check_mask, is_whole
from unhans.effects.bench import Bench, drawn
from unhans.effects.case import Prevalence, Share
from unhans.effects.interventions import Masks, Subtraction, Truth, check_fills
from unhans.effects.proof import SplitRemoval
from unhans.isolation import Detector, Isolated


@dataclass(frozen=True)
class Look:
    """What a detector found in the samples of a class of one split, of those that can be read.

    Attributes:
        index: (n,) of the samples.
        carries: (n,) whether the artifact was found.
        correct: (n,) whether the network calls them by their class.
        masks: where it lies, packed to bits, by the index of a sample that carries it.
        size: (H, W) of the images.
    """

    index: NDArray[np.int64]
    carries: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    masks: Mapping[int, NDArray[np.uint8]]
    size: tuple[int, int]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return where the artifact lies on a sample that carries it: (H, W)."""
        height, width = self.size
        return np.unpackbits(self.masks[index], count=height * width).reshape(self.size).astype(bool)


def look_in_splits(
    bench: Bench, detector: Detector, label: int, splits: Mapping[str, NDArray[np.int64]]
) -> dict[str, Look]:
    """Look for an artifact in all samples of its class, split by split, one batch of images at a time.

    Args:
        bench: the network and a data set; every index counts there.
        detector: finds the artifact.
        label: of the class.
        splits: by name ("train", "val"), the indices of a split's samples of all classes.
    """
    return {name: _look(bench, detector, label, own[bench.labels[own] == label]) for name, own in splits.items()}


def _look(bench: Bench, detector: Detector, label: int, indices: NDArray[np.int64]) -> Look:
    read, carries, correct = [indices[:0]], [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    masks, size = {}, (0, 0)
    for images, kept in bench.batches(indices):
        match, size = detector.match(images), (int(images.shape[-2]), int(images.shape[-1]))
        read.append(kept)
        carries.append(match.carries)
        correct.append(bench.predict(images).argmax(1) == label)
        masks |= {int(kept[row]): np.packbits(match.masks[row]) for row in np.flatnonzero(match.carries)}
    return Look(*map(np.concatenate, (read, carries, correct)), masks, size)


def shares_of(
    looks: Mapping[str, Look],
    clustered: NDArray[np.int64],
    cluster: NDArray[np.int64],
    planted: NDArray[np.bool_] | None = None,
) -> tuple[Share, ...]:
    """Count in every split the samples of a class that carry an artifact, and how many are classified correctly.

    Args:
        looks: what the detector found, by split.
        clustered: the samples whose heatmaps were clustered.
        cluster: those of them that are in the artifact's cluster.
        planted: (N,) which samples truly carry it, if that is known.
    """
    return tuple(
        Share(
            split=name,
            n=len(look.index),
            by_cluster=int(np.isin(look.index, cluster).sum()) if np.isin(look.index, clustered).any() else None,
            by_matching=int(look.carries.sum()),
            correct=int(look.correct.sum()),
            correct_without=int(look.correct[~look.carries].sum()),
            **_truly(planted, look.index, look.carries),
        )
        for name, look in looks.items()
    )


def _truly(
    planted: NDArray[np.bool_] | None, index: NDArray[np.int64], carries: NDArray[np.bool_]
) -> dict[str, int | None]:
    """How many samples truly carry the artifact, and how many of them were found."""
    if planted is None:
        return {"planted": None, "right": None}
    return {"planted": int(planted[index].sum()), "right": int((planted[index] & carries).sum())}


def in_other_classes(
    bench: Bench,
    detector: Detector,
    label: int,
    indices: NDArray[np.int64],
    planted: NDArray[np.bool_] | None = None,
) -> tuple[Prevalence, ...]:
    """Look for the artifact of one class in samples of the others; those that cannot be read count nowhere.

    An artifact that other classes carry as well says little about its own: adding it then has no effect, or a negative
    one [000, table 3, mountain bike]. Detectors raise false alarms, which count here; `planted` tells how many.

    Args:
        bench, detector, label: as of `look_in_splits`.
        indices: of the samples of other classes.
        planted: (N,) which samples truly carry it, if that is known.

    Returns:
        One count for each class that was looked at, by label.
    """
    read, carries, called = [indices[:0]], [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    for images, kept in bench.batches(indices):
        found = detector.match(images).carries
        predicted = np.zeros(len(kept), dtype=bool)
        if found.any():
            predicted[found] = bench.predict(images[found]).argmax(1) == label
        read.append(kept)
        carries.append(found)
        called.append(predicted)
    index, found, predicted = map(np.concatenate, (read, carries, called))
    return tuple(
        Prevalence(
            int(other),
            bench.classes[other],
            int(own.sum()),
            int(found[own].sum()),
            int(predicted[own].sum()),
            **_truly(planted, index[own], found[own]),
        )
        for other in np.unique(bench.labels[index])
        for own in [bench.labels[index] == other]
    )


def remove_in_splits(
    bench: Bench,
    isolated: Isolated,
    label: int,
    index: NDArray[np.int64],
    looks: Mapping[str, Look],
    others: NDArray[np.int64],
    fills: Sequence[str],
    samples: int,
    truth: Truth | None = None,
) -> tuple[SplitRemoval, ...]:
    """Take the artifact away from its carriers of each split apart.

    In a split that `index` has samples of the carriers are the isolated artifact's members, in any other one those in
    which the detector finds it. A split that holds all of `index` is left out: its removal is the proof's own. So is
    one without carriers.

    Args:
        bench: the network and a data set; every index counts there.
        isolated: the artifact.
        label: its class.
        index: (n,) of the images that it was isolated from.
        looks: what the detector found, by split.
        others: samples of other classes, which lend pixels.
        fills: how it is removed.
        samples: to take it away from in each split, at most.
        truth: an affected sample's image as it was before the artifact was planted.
    """
    rows = {int(sample): row for row, sample in enumerate(index)}
    fills, found = check_fills(fills, isolated, truth), []
    for name, look in looks.items():
        surveyed = np.isin(index, look.index)
        if len(index) and surveyed.all():
            continue
        if surveyed.any():
            carriers, masks = index[surveyed & isolated.members], lambda sample: isolated.masks[rows[sample]]
        else:
            carriers, masks = look.index[look.carries], look.mask
        present = _removable(drawn(carriers, samples, bench.seed), masks, is_whole(isolated))
        if len(present):
            trials = Subtraction(bench, isolated, masks, others, truth).trials(label, present, fills)
            found.append(SplitRemoval(name, "members" if surveyed.any() else "detector", trials))
    return tuple(found)


def _removable(indices: NDArray[np.int64], masks: Masks, whole: bool) -> NDArray[np.int64]:
    """The samples whose mask is neither empty nor leaves nothing to fill it from."""
    if whole:
        return indices
    return np.array([index for index in map(int, indices) if _fillable(masks(index))], dtype=np.int64)


def _fillable(mask: NDArray[np.bool_]) -> bool:
    try:
        check_mask(mask)
    except ValueError:
        return False
    return True
