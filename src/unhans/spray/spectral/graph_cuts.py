"""Normalised cuts of a neighbour graph [Shi & Malik 2000]: of given sets, and the sweep cut along an eigenvector."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

ROUNDING = 1e-9  # share of an eigenvector's largest value below which two of its values are equal

Cut = tuple[float, NDArray[np.bool_]]


def normalised_cuts(affinity: csr_array, members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the normalised cut of each set from the rest, cut/vol(S) + cut/vol(rest), in [0, 2]; at random it is 1.

    Args:
        affinity: (n, n).
        members: (m, n) of m sets.
    """
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    chosen = members.T.astype(np.float64)
    volume = degree @ chosen
    cut = volume - (chosen * (affinity @ chosen)).sum(axis=0)
    return np.clip(cut / volume + cut / (degree.sum() - volume), 0, 2)


def sweep_cut(affinity: csr_array, vector: NDArray[np.floating], least: int) -> Cut | None:
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


def _joined(affinity: csr_array, order: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight within a set that each sample adds when it joins those before it in the order, both ways."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    edges = affinity.tocoo()
    row, column = place[edges.row], place[edges.col]
    earlier = column < row
    return np.bincount(row[earlier], weights=2 * edges.data[earlier], minlength=len(order))
