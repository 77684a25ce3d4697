"""The detector of striking clusters: candidates of every clustering, measured, merged and ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.spray.estimator import SpRAy
from unhans.spray.finding import Cluster
from unhans.spray.measures import compactness, image_consistency, normalised_cuts, relevance_consistency
from unhans.spray.striking import smallest, striking_cut

SAME = 0.9  # Jaccard index from which two clusters are one
KEPT = 12  # clusters of a class
RANDOM = 10  # samples by which a score is shrunk

Candidate = tuple[str, int, int, NDArray[np.bool_]]


def rank_clusters(
    spray: SpRAy, heatmaps: ArrayLike | Any, images: ArrayLike | Any | None = None
) -> tuple[Cluster, ...]:
    """Return the clusters of a class that a person should look at, at most 12: the cut first, the others by score.

    Candidates are the striking side of the smallest cut (`striking_cut`, which makes a class suspicious), the clusters
    of every k-means clustering and of every one in `spray.clusterings_`; noise is none. Each of them, and the rest of
    the class, has more than n_neighbors samples and at least 5 % of all. Of two whose Jaccard index is 0.9 or more the
    one with the higher score is kept, but the cut always. The measures are those of `unhans.spray.measures`, separation
    is 1 − Ncut, at least 0, and `score` puts them together.

    spray: fitted; heatmaps: those it was fitted on, (n, H, W) or (n, d); images: the samples themselves (n, C, h, w),
    in any scale, or None: then image_consistency is NaN and the score goes without it. Raises ValueError
    for images of another shape.
    """
    maps = spray.prepare(heatmaps)
    candidates = list(_candidates(spray, maps))
    if not candidates:
        return ()
    found = _measured(spray, maps, images, candidates)
    by_score = sorted(found, key=lambda cluster: (cluster.method != "cut", -cluster.score))
    return tuple(_merged(by_score))


def score(size: int, *measures: float) -> float:
    """Return how striking a cluster of so many samples is, in [0, 1]: its mean measure times size / (size + 10).

    NaN is left out. A random subset has measures of about 0, so the factor is what ten random samples would leave of
    the mean: small clusters, which k-means finds in any class, lose more. Neither depends on the size of the class.
    """
    known = [value for value in measures if not math.isnan(value)]
    return sum(known) / len(known) * size / (size + RANDOM)


def _candidates(spray: SpRAy, maps: NDArray[np.floating]) -> Iterator[Candidate]:
    cut = striking_cut(spray, maps)
    if cut is not None:
        yield "cut", 2, int(cut[1][0]), cut[1]
    least = smallest(spray, len(maps))
    for method, labels in _clusterings(spray):
        names = np.unique(labels[labels >= 0])
        for label in names:
            if least <= np.sum(labels == label) <= len(maps) - least:
                yield method, len(names), int(label), labels == label


def _clusterings(spray: SpRAy) -> Iterator[tuple[str, NDArray[np.integer]]]:
    yield from (("kmeans", labels) for labels in spray.labels_)
    yield from getattr(spray, "clusterings_", {}).items()


def _measured(
    spray: SpRAy, maps: NDArray[np.floating], images: ArrayLike | Any | None, candidates: list[Candidate]
) -> Iterator[Cluster]:
    members = np.array([candidate[-1] for candidate in candidates])
    cuts = normalised_cuts(spray.affinity_, members)
    same = np.full(len(members), math.nan) if images is None else image_consistency(maps, members, images)
    measures = [compactness(maps, members), np.maximum(1 - cuts, 0), relevance_consistency(maps, members), same]
    for candidate, cut, values in zip(candidates, cuts.tolist(), np.stack(measures, axis=1).tolist(), strict=True):
        yield Cluster(*candidate, cut, *values, score(int(candidate[-1].sum()), *values))


def _merged(clusters: Iterable[Cluster]) -> list[Cluster]:
    """The first clusters of which no two are nearly the same."""
    kept: list[Cluster] = []
    for cluster in clusters:
        if len(kept) < KEPT and all(jaccard(cluster.members, other.members) < SAME for other in kept):
            kept.append(cluster)
    return kept


def jaccard(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """Return the share of the samples in either set (n,) that are in both; at least one is not empty."""
    return float(np.sum(left & right) / np.sum(left | right))
