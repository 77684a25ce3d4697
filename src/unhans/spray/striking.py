"""The cluster of heatmaps that stands apart most."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from unhans.spray.estimator import SpRAy
from unhans.spray.finding import Cluster
from unhans.spray.parts import rows

SWEPT = 8  # eigenvectors that are cut; an artifact that forms a cluster is among the first
SMALLEST = 0.05  # smallest share of the class that is a cluster
ROUNDING = 1e-9  # share of an eigenvector's largest value below which two of its values are equal
DECIMALS = 2  # of normalised cuts that count as different

Cut = tuple[float, NDArray[np.bool_]]


def striking_cluster(spray: SpRAy, heatmaps: ArrayLike) -> Cluster | None:
    """Return what `striking_cut` finds as a cluster, without its measures and score (NaN: see `rank_clusters`).

    spray: fitted; heatmaps: those it was fitted on, (n, H, W) or (n, d). None where it finds none.
    """
    found = striking_cut(spray, spray.prepare(heatmaps))
    return None if found is None else Cluster("cut", 2, int(found[1][0]), found[1], found[0], *(math.nan,) * 5)


def striking_cut(spray: SpRAy, maps: NDArray[np.floating]) -> Cut | None:
    """Return the set of samples that stands apart most and is the most consistent, None where there is none.

    Each of the first eigenvectors after the trivial one orders the samples; of all places to cut the order the one with
    the smallest normalised cut counts (the sweep of Cheeger's inequality: λ₂/2 ≤ conductance ≤ √(2λ₂)). A graph in
    several pieces has no trivial eigenvector: each of the first then tells one piece from the others, and all of these
    are cut, up to q. Of all cuts the smallest wins, and of its two sides, and of cuts equal to two decimals, the side
    whose heatmaps are more alike: the smaller dispersion. The artifact may be in the majority, so size says nothing.
    Each side has more than n_neighbors samples and at least 5 % of the class; there is none where the class, or every
    piece of it, is too small.

    The k-means clusterings of `spray` are no candidates: the one eigenvector that tells the artifact is drowned among
    the other 31 of Φ, so that none of them finds clusters which this cut finds to the last sample.

    spray: fitted; maps: (n, ...) as `spray.prepare` returned them. The cut is the normalised one, the set (n,).
    """
    least = smallest(spray, len(maps))
    if 2 * least > len(maps):
        return None
    found = [smallest_cut(spray.affinity_, vector, least) for vector in _swept(spray)]
    sides = [(cut[0], side) for cut in found if cut is not None for side in (cut[1], ~cut[1])]
    if not sides:
        return None
    spread = dispersion(maps, np.array([side for _, side in sides]))
    return sides[min(range(len(sides)), key=lambda i: (round(sides[i][0], DECIMALS), spread[i]))]


def _swept(spray: SpRAy) -> NDArray[np.floating]:
    pieces = int(connected_components(spray.affinity_, directed=False)[0])
    return spray.embedding_.T[1 : SWEPT + 1] if pieces == 1 else spray.embedding_.T[: max(SWEPT, pieces)]


def smallest(spray: SpRAy, n: int) -> int:
    """Return how many of n samples make a cluster: more than n_neighbors and at least 5 % of the class."""
    return max(spray.n_neighbors + 1, math.ceil(SMALLEST * n))


def smallest_cut(affinity: csr_array, vector: NDArray[np.floating], least: int) -> Cut | None:
    """Return the smallest normalised cut of the graph (n, n) along an eigenvector (n,) of L_sym, and its lower side.

    Ncut = cut/vol(S) + cut/vol(rest), with cut the weight of the edges between the sides and vol the sum of degrees;
    either side has at least `least` samples. Samples with equal values of v/√degree stay on one side, so that their
    order does not matter; None where that leaves no place to cut. Memory and time are those of the edges.
    """
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    values = vector / np.sqrt(degree)
    order = np.argsort(values, kind="stable")
    volume = np.cumsum(degree[order])[least - 1 : len(order) - least]
    cut = volume - np.cumsum(_joined(affinity, order))[least - 1 : len(order) - least]
    steps = np.diff(values[order])[least - 1 : len(order) - least] > ROUNDING * np.abs(values).max()
    if not steps.any():
        return None
    normalised = np.where(steps, cut / volume + cut / (degree.sum() - volume), math.inf)
    best = int(normalised.argmin())
    side = np.zeros(len(order), dtype=bool)
    side[order[: best + least]] = True
    return max(float(normalised[best]), 0.0), side


def dispersion(maps: NDArray[np.floating], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how unlike the members (m, n) of m sets are: mean squared distance to their mean over |mean|².

    Zero for maps that are equal but not zero, infinite where they cancel out or are zero. It does not
    depend on the scale of the maps (n, ...).
    """
    total = np.zeros((len(members), math.prod(maps.shape[1:])))
    squared = np.zeros(len(members))
    for part, block in rows(maps):
        chosen = members[:, part].astype(np.float64)
        total += chosen @ block
        squared += chosen @ np.square(block).sum(axis=1)
    size = members.sum(axis=1)
    strength = np.square(total / size[:, None]).sum(axis=1)
    spread = np.maximum(squared / size - strength, 0)
    return np.divide(spread, strength, out=np.full(len(members), math.inf), where=strength > 0)


def _joined(affinity: csr_array, order: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight within a set that each sample adds when it joins those before it in the order, both ways."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    edges = affinity.tocoo()
    row, column = place[edges.row], place[edges.col]
    earlier = column < row
    return np.bincount(row[earlier], weights=2 * edges.data[earlier], minlength=len(order))
