"""Groups of samples that stand apart in the neighbour graph of one view: cuts along eigenvectors, and k-means.

The groups are candidates and nothing more: what they share is isolated, and its effect measured, before anything is
said of the class. So many are proposed rather than one, and none is held back by a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from unhans.spray.cluster_measures import dispersion
from unhans.spray.spectral import (
    euclidean_neighbours,
    knn_affinity,
    laplacian_spectrum,
    normalised_cuts,
    sweep_cut,
)
from unhans.spray.suspicion import usual

VECTORS = 8  # eigenvectors that are cut; an artifact that forms a group is among the first
K_MEANS = (3, 4)  # of D^-½Φ: two artifacts and the rest; two groups are what a cut gives
RESAMPLES = 3  # draws of four fifths of the samples, over which cuts that are smaller than usual are compared
DRAWN = 0.8
LARGEST = 2000  # samples of a view that are compared; the others take the side of most of their neighbours
FLOOR = 0.005  # added to a cut: one edge decides between .001 and 0, and means nothing
KEPT = 3  # groups of a view
SAME = 0.9  # Jaccard index from which two groups are one
FEWEST = 6  # samples of a group
SMALLEST = 0.03  # share of a class

Members = NDArray[np.bool_]
GraphCut = tuple[float, Members, str]  # normalised cut, one side (n,), and how it was found


@dataclass(frozen=True)
class Group:
    """Samples of a class that may share something.

    Attributes:
        view: what they were found by.
        members: (n,) bool.
        strength: how far they stand apart, comparable within the view only; larger is further.
        normalised_cut: in [0, 2], NaN where no graph was cut.
        stability: in [0, 1], mean Jaccard index with the groups of resamples, NaN where none were drawn.
        method: "cut", "kmeans", "pattern" or "statistic".
    """

    view: str
    members: Members
    strength: float
    normalised_cut: float = math.nan
    stability: float = math.nan
    method: str = "cut"


def smallest_group(n: int) -> int:
    """Return how many of n samples make a group: 3 %, and at least 6."""
    return max(FEWEST, math.ceil(SMALLEST * n))


def groups_of(views: Mapping[str, NDArray[np.floating]], n_neighbors: int, seed: int = 0) -> list[Group]:
    """Return up to three groups of each view, those that stand further apart first within a view.

    Args:
        views: by name points (n, d).
        n_neighbors: of the graphs; must be smaller than n.
        seed: draws resamples, and the starts of k-means.
    """
    with threadpool_limits(1):
        return [group for name, points in views.items() for group in _of_view(name, points, n_neighbors, seed)]


def _of_view(name: str, points: NDArray[np.floating], n_neighbors: int, seed: int) -> list[Group]:
    rng = np.random.default_rng([seed, len(points)])
    rows = np.sort(rng.permutation(len(points))[:LARGEST])
    sampled = points[rows]
    cuts = _cuts(sampled, n_neighbors, seed)[:KEPT]
    again = []
    unusual = bool(cuts) and _strength(cuts[0][0]) > usual(name)[0]  # else nothing depends on how stable it is
    for _ in range(RESAMPLES if unusual else 0):
        part = np.sort(rng.permutation(len(rows))[: math.ceil(DRAWN * len(rows))])
        if len(part) > n_neighbors:
            again.append((part, _cuts(sampled[part], n_neighbors, seed, ())))
    least = float(np.median([cuts[0][0], *(found[0][0] for _, found in again if found)])) if cuts else math.nan
    groups = []
    for rank, (cut, side, method) in enumerate(cuts):
        typical = least if rank == 0 else max(cut, least)
        members = _extended(points, rows, side, n_neighbors)
        groups.append(Group(name, members, _strength(typical), cut, _stability(side, again), method))
    return groups


def _strength(cut: float) -> float:
    return -math.log10(cut + FLOOR)


def _cuts(
    points: NDArray[np.floating], n_neighbors: int, seed: int, k_means: Sequence[int] = K_MEANS
) -> list[GraphCut]:
    """The different groups of a graph by their normalised cut, smallest first; of two sides the one more alike."""
    affinity = knn_affinity(euclidean_neighbours(points, n_neighbors))
    _, vectors = laplacian_spectrum(affinity, VECTORS + 1, np.random.RandomState(seed))
    kept: list[GraphCut] = []
    for cut, side, method in sorted(_candidates(affinity, vectors, k_means, seed), key=lambda one: one[0]):
        if all(_partition_index(side, other) < SAME for _, other, _ in kept):
            kept.append((cut, side if method == "kmeans" else _alike(points, side), method))
    return kept


def _candidates(
    affinity: csr_array, vectors: NDArray[np.floating], numbers: Sequence[int], seed: int
) -> Iterator[GraphCut]:
    """One side of the smallest cut along each eigenvector, and the clusters of k-means, where both sides are groups."""
    least = smallest_group(len(vectors))
    pieces = int(connected_components(affinity, directed=False)[0])
    for vector in vectors.T[int(pieces == 1) :]:
        found = sweep_cut(affinity, vector, least)
        if found is not None:
            yield *found, "cut"
    for labels in k_means(affinity, vectors, numbers, seed):
        for side in (labels == one for one in np.unique(labels)):
            if least <= side.sum() <= len(side) - least:
                yield float(normalised_cuts(affinity, side[None])[0]), side, "kmeans"


def k_means(
    affinity: csr_array, vectors: NDArray[np.floating], numbers: Iterable[int], seed: int = 0
) -> Iterator[NDArray[np.integer]]:
    """Cluster the rows of the first k columns of D^-½Φ into k, for each k [Shi & Malik 2000]: labels (n,).

    A k is left out for which there are fewer columns, or fewer than five different rows a cluster.

    Args:
        affinity: (n, n) of the graph.
        vectors: Φ (n, q), eigenvectors of its Laplacian.
    """
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    rows = (vectors / np.sqrt(degree)[:, None]).round(9)
    for k in numbers:
        if k <= rows.shape[1] and len(np.unique(rows[:, :k], axis=0)) >= 5 * k:
            yield KMeans(k, n_init=1, random_state=seed).fit(rows[:, :k]).labels_


def _alike(points: NDArray[np.floating], side: Members) -> Members:
    """The side of a cut whose points are more alike: what carries an artifact may be the larger one."""
    spread = dispersion(points, np.array([side, ~side]))
    return side if spread[0] <= spread[1] else ~side


def _stability(side: Members, again: Sequence[tuple[NDArray[np.int64], list[GraphCut]]]) -> float:
    best = [max((_partition_index(side[part], one) for _, one, _ in found), default=0.0) for part, found in again]
    return float(np.mean(best)) if best else math.nan


def _partition_index(left: Members, right: Members) -> float:
    """The Jaccard index of two splits, whichever sides were named."""
    return max(jaccard(left, right), jaccard(left, ~right))


def jaccard(left: Members, right: Members) -> float:
    """Return the share of the samples in either set (n,) that are in both; 0 for two empty sets."""
    return float(np.sum(left & right) / max(1, np.sum(left | right)))


def _extended(points: NDArray[np.floating], rows: NDArray[np.int64], side: Members, n_neighbors: int) -> Members:
    """The side of all samples: those that were not compared take that of most of their neighbours that were."""
    if len(rows) == len(points):
        return side
    from sklearn.neighbors import KNeighborsClassifier

    members = np.zeros(len(points), dtype=bool)
    members[rows] = side
    others = np.setdiff1d(np.arange(len(points)), rows)
    near = KNeighborsClassifier(min(n_neighbors, len(rows)), algorithm="brute").fit(points[rows], side)
    members[others] = near.predict(points[others])
    return members
