"""The cluster of heatmaps that stands apart most."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unhans.spray.estimator import SpRAy
from unhans.spray.finding import Cluster

SWEPT = 8  # eigenvectors that are cut; an artifact that forms a cluster is among the first
SMALLEST = 0.05  # smallest share of the class that is a cluster
DECIMALS = 2  # of normalised cuts that count as different

Cut = tuple[float, NDArray[np.bool_]]


def striking_cluster(spray: SpRAy, heatmaps: ArrayLike) -> Cluster | None:
    """Return the cluster that stands apart most and is the most consistent, or None where a class is too small.

    Each of the first eigenvectors after the trivial one orders the samples; of all places to cut the order the one with
    the smallest normalised cut counts (the sweep of Cheeger's inequality: λ₂/2 ≤ conductance ≤ √(2λ₂)). Of these cuts
    the smallest wins, and of its two sides, and of cuts equal to two decimals, the side whose heatmaps are more alike:
    the smaller dispersion. The artifact may be in the majority, so size says nothing. Each side has more than
    n_neighbors samples and at least 5 % of the class.

    The k-means clusterings of `spray` are no candidates: the one eigenvector that tells the artifact is drowned among
    the other 31 of Φ, so that none of them finds clusters which this cut finds to the last sample.

    spray: fitted; heatmaps: those it was fitted on, (n, H, W) or (n, d).
    """
    maps = spray.prepare(heatmaps).reshape(len(heatmaps), -1)
    least = max(spray.n_neighbors + 1, math.ceil(SMALLEST * len(maps)))
    if 2 * least > len(maps):
        return None
    affinity = spray.affinity_.toarray()
    cuts = [smallest_cut(affinity, vector, least) for vector in spray.embedding_.T[1 : SWEPT + 1]]
    sides = [(round(cut, DECIMALS), dispersion(maps[side]), cut, side) for cut, low in cuts for side in (low, ~low)]
    _, _, cut, members = min(sides, key=lambda side: side[:2])
    return Cluster(k=2, label=int(members[0]), members=members, normalised_cut=cut)


def smallest_cut(affinity: NDArray[np.floating], vector: NDArray[np.floating], least: int) -> Cut:
    """Return the smallest normalised cut of the graph (n, n) along an eigenvector (n,) of L_sym, and its lower side.

    Ncut = cut/vol(S) + cut/vol(rest), with cut the weight of the edges between the sides and vol the sum of degrees;
    either side has at least `least` samples.
    """
    degree = affinity.sum(axis=1)
    order = np.argsort(vector / np.sqrt(degree), kind="stable")
    within = 2 * np.tril(affinity[np.ix_(order, order)]).sum(axis=1)  # weight a sample adds when it joins the others
    volume = np.cumsum(degree[order])[least - 1 : len(order) - least]
    cut = volume - np.cumsum(within)[least - 1 : len(order) - least]
    normalised = cut / volume + cut / (degree.sum() - volume)
    best = int(normalised.argmin())
    side = np.zeros(len(order), dtype=bool)
    side[order[: best + least]] = True
    return max(float(normalised[best]), 0.0), side


def dispersion(maps: NDArray[np.floating]) -> float:
    """Return how unlike maps (n, d) are: mean squared distance to their mean over the squared norm of the mean.

    Zero for equal maps, infinite where they cancel out. It does not depend on their scale.
    """
    mean = maps.mean(axis=0, dtype=np.float64)
    strength = float(np.square(mean).sum())
    return float(np.square(maps - mean).sum(axis=1).mean()) / strength if strength else math.inf
