"""The clusters of a class: groups proposed by every view, and others to look at, measured, merged and ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.spray.cluster_measures import compactness, image_consistency, relevance_consistency
from unhans.spray.groups import SAME, Group, groups_of, jaccard, k_means, views_of
from unhans.spray.results import Cluster
from unhans.spray.spectral import normalised_cuts
from unhans.spray.spray import SpRAy
from unhans.spray.suspicion import surprise

KEPT = 12  # clusters of a class
SHOWN_K = range(2, 9)  # of the k-means whose clusters are shown
SMALLEST = 0.05  # smallest share of the class that is a cluster to be shown
RANDOM = 10  # samples by which a score is shrunk
MEASURES = ("compactness", "separation", "relevance_consistency", "image_consistency")


def rank_clusters(
    spray: SpRAy,
    heatmaps: ArrayLike | Any,
    images: ArrayLike | Any | None = None,
    groups: Sequence[Group] | None = None,
) -> tuple[Cluster, ...]:
    """Return the clusters of a class, at most 12: those proposed for a test first, then others that a person may like.

    Proposed are groups that were found by any view, in the order of how unusual they are in a class without an
    artifact (`unhans.spray.suspicion.surprise`). After them come, by score, the clusters of k-means on the first k
    columns of D^-½Φ, the embedding of Shi and Malik [2000], and of every clustering in `spray.clusterings_`; noise is
    none. Each of the latter, and the rest of the class, has more than n_neighbors samples and at least 5 % of all. Of
    two whose Jaccard index is 0.9 or more the first is kept. The measures are those of `unhans.spray.cluster_measures`,
    separation is 1 − Ncut, at least 0, and `score` puts them together.

    Args:
        spray: fitted.
        heatmaps: those it was fitted on, (n, H, W) or (n, d).
        images: the samples themselves (n, C, h, w), in any scale, or None: then image_consistency is NaN.
        groups: proposed ones; None: those of the heatmaps alone.

    Raises:
        ValueError: the images have another shape.
    """
    maps = spray.prepare(heatmaps)
    if groups is None:
        groups = groups_of(views_of(maps, {}, None), spray.neighbours_among(len(maps)))
    groups = sorted(groups, key=lambda group: -surprise(group.view, group.strength))
    proposed = [
        Cluster(each.method, 2, 0, each.members, view=each.view, strength=each.strength, stability=each.stability)
        for each in groups
    ]
    found = _measured(spray, maps, images, [*proposed, *_shown(spray, len(maps))])
    shown = sorted(found[len(proposed) :], key=lambda one: -one.score)
    return tuple(_merged([*found[: len(proposed)], *shown]))


def score(size: int, *measures: float) -> float:
    """Return how striking a cluster of so many samples is, in [0, 1]: its mean measure times size / (size + 10).

    NaN is left out. A random subset has measures of about 0, so the factor is what ten random samples would leave of
    the mean: small clusters, which k-means finds in any class, lose more. Neither depends on the size of the class.
    """
    known = [value for value in measures if not math.isnan(value)]
    return sum(known) / len(known) * size / (size + RANDOM)


def smallest_cluster(n_neighbors: int, n: int) -> int:
    """Return how many of n samples make a cluster to be shown: more than n_neighbors and at least 5 % of the class."""
    return max(n_neighbors + 1, math.ceil(SMALLEST * n))


def _shown(spray: SpRAy, n: int) -> Iterator[Cluster]:
    """Clusters of the heatmaps, for a person to look at."""
    least = smallest_cluster(spray.neighbours_among(n), n)
    k_means_labels = k_means(spray.affinity_, spray.embedding_, SHOWN_K)
    clusterings = [*(("kmeans", labels) for labels in k_means_labels), *getattr(spray, "clusterings_", {}).items()]
    for method, labels in clusterings:
        names = np.unique(labels[labels >= 0])
        for label in names:
            if least <= np.sum(labels == label) <= n - least:
                yield Cluster(method, len(names), int(label), labels == label)


def _measured(
    spray: SpRAy, maps: NDArray[np.floating], images: ArrayLike | Any | None, clusters: Sequence[Cluster]
) -> list[Cluster]:
    """The clusters with their measures."""
    if not clusters:
        return []
    members = np.array([cluster.members for cluster in clusters])
    cuts = normalised_cuts(spray.affinity_, members)
    same = np.full(len(members), math.nan) if images is None else image_consistency(maps, members, images)
    measures = [compactness(maps, members), np.maximum(1 - cuts, 0), relevance_consistency(maps, members), same]
    rows = zip(clusters, members.sum(axis=1).tolist(), cuts.tolist(), np.stack(measures, axis=1).tolist(), strict=True)
    return [
        replace(one, normalised_cut=cut, score=score(size, *values), **dict(zip(MEASURES, values, strict=True)))
        for one, size, cut, values in rows
    ]


def _merged(clusters: Iterable[Cluster]) -> list[Cluster]:
    """The first clusters of which no two are nearly the same."""
    kept: list[Cluster] = []
    for cluster in clusters:
        if len(kept) < KEPT and all(jaccard(cluster.members, other.members) < SAME for other in kept):
            kept.append(cluster)
    return kept
