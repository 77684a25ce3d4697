"""Cutting a class in two: where along an eigenvector, and how alike the samples of either side are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unhans.spray.pooling import rows

if TYPE_CHECKING:
    from unhans.spray.spray import SpRAy


SMALLEST = 0.05  # smallest share of the class that is a cluster
ROUNDING = 1e-9  # share of an eigenvector's largest value below which two of its values are equal

Cut = tuple[float, NDArray[np.bool_]]


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
