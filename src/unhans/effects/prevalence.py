"""How far the splits of a data set are affected by an artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from unhans.effects.bench import Bench
from unhans.effects.case import Share
from unhans.isolation import Detector

Advance = Callable[[int], None]


def spread(
    bench: Bench,
    detector: Detector,
    label: int,
    splits: Mapping[str, NDArray[np.int64]],
    clustered: NDArray[np.int64],
    cluster: NDArray[np.int64],
    advance: Advance = lambda samples: None,
) -> tuple[Share, ...]:
    """Count in every split the samples of a class that carry an artifact, and how many are classified correctly.

    Only one batch of images is in memory; what cannot be read counts nowhere.

    Args:
        bench: the network and a data set; every index counts there.
        detector: finds the artifact.
        label: of the class.
        splits: by name ("train", "val"), the indices of a split's samples of all classes.
        clustered: the samples whose heatmaps were clustered.
        cluster: those of them that are in the artifact's cluster.
        advance: called with a number of samples whenever some are done.
    """
    found = []
    for name, indices in splits.items():
        own = indices[bench.labels[indices] == label]
        carries, correct = _looked_at(bench, detector, label, own, advance)
        found.append(
            Share(
                split=name,
                n=len(carries),
                by_cluster=int(np.isin(own, cluster).sum()) if np.isin(own, clustered).any() else None,
                by_matching=int(carries.sum()),
                correct=int(correct.sum()),
                correct_without=int(correct[~carries].sum()),
            )
        )
    return tuple(found)


def _looked_at(
    bench: Bench, detector: Detector, label: int, indices: NDArray[np.int64], advance: Advance
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each sample that can be read carries the artifact, and whether it is classified as its class."""
    carries, correct = [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    for images, kept in bench.batches(indices):
        carries.append(detector.match(images).carries)
        correct.append(bench.predict(images).argmax(1) == label)
        advance(len(kept))
    return np.concatenate(carries), np.concatenate(correct)
