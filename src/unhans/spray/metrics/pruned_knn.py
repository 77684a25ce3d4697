"""Nearest neighbours by a slow distance with the help of a fast one, on one core or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

Thing = TypeVar("Thing")
Distance = Callable[[Thing, Thing], float]
Pairs = NDArray[np.int64]  # (p, 2), the lower index first

CHUNK = 128  # pairs that a worker gets at once: a fraction of a second's work


def measure_pairs(
    things: Sequence[Thing], distance: Distance[Thing], n_jobs: int, pairs: Pairs
) -> Iterator[NDArray[np.float64]]:
    """Yield the distances of pairs, chunk by chunk in their order; n_jobs: processes, -1 is one per core."""
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    tasks = (delayed(_chunk)({i: things[i] for i in np.unique(chunk)}, chunk, distance) for chunk in chunks)
    with threadpool_limits(1):  # small products: threads would only fight over the cores
        yield from Parallel(n_jobs=n_jobs, return_as="generator")(tasks)


def all_pairs(n: int) -> Pairs:
    """Return every pair of n things."""
    return np.stack(np.triu_indices(n, 1), axis=1)


def distance_matrix(things: Sequence[Thing], distance: Distance[Thing], n_jobs: int = 1) -> NDArray[np.float64]:
    """Return the distances (n, n) of all pairs: symmetric, zero on the diagonal."""
    found = np.zeros((len(things), len(things)))
    pairs = all_pairs(len(things))
    if len(pairs):
        fill_symmetric(found, pairs, np.concatenate(list(measure_pairs(things, distance, n_jobs, pairs))))
    return found


def fill_symmetric(matrix: NDArray[np.float64], pairs: Pairs, values: NDArray[np.float64]) -> None:
    """Write the values of pairs into a symmetric matrix."""
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = values


def _chunk(things: dict[int, Thing], pairs: Pairs, distance: Distance[Thing]) -> NDArray[np.float64]:
    return np.array([distance(things[i], things[j]) for i, j in pairs])


Measure = Callable[[Pairs], Iterator[NDArray[np.float64]]]
Advance = Callable[[int, int], None]

GROWTH = 4  # a round measures a quarter of what was measured before, or k / 2 pairs per sample


def nearest_measured(
    estimate: NDArray[np.float64], k: int, measure: Measure, doubt: float | None = None, advance: Advance | None = None
) -> NDArray[np.float64]:
    """Return the distances (n, n) of all pairs that may be k nearest neighbours; infinity for those left out.

    Pairs are measured in the order of their estimates. Those of a sample end where its next estimate, times a factor,
    is not below its k-th lowest distance so far. The factor is 1 for estimates that are never above the distance:
    then nothing is lost. For others it is the ratio of distance and estimate below which a share `doubt` of the
    measured pairs lies, the smaller the more careful.

    Args:
        estimate: (n, n) symmetric, not negative; infinity where a pair is out of the question.
        k: neighbours, below n; each sample needs as many finite estimates.
        measure: yields the distances of pairs (p, 2), some at a time and in their order.
        doubt: None for estimates that are lower bounds.
        advance: called with the number of pairs measured, and the number now expected in total.
    """
    order = _ascending(estimate)
    ascending = np.take_along_axis(estimate, order, axis=1)
    found = np.full_like(estimate, np.inf)
    wanted = np.isfinite(ascending) & (np.arange(order.shape[1]) < k)
    done, pending = 0, wanted
    while wanted.any():
        pairs = _pairs(order, wanted)
        expected = done + max(len(pairs), int(pending.sum()) // 2)
        values = []
        for part in measure(pairs):
            values.append(part)
            done += len(part)
            if advance is not None:
                advance(done, expected)
        fill_symmetric(found, pairs, np.concatenate(values))
        pending = _pending(estimate, found, order, ascending, k, doubt)
        wanted = pending & (np.cumsum(pending, axis=1) <= max(k // 2, done // len(estimate) // GROWTH, 1))
    return found


def _pending(
    estimate: NDArray[np.float64],
    found: NDArray[np.float64],
    order: NDArray[np.int64],
    ascending: NDArray[np.float64],
    k: int,
    doubt: float | None,
) -> NDArray[np.bool_]:
    """Which pairs, each sample's in the order of their estimates, may still be nearest neighbours."""
    known = np.isfinite(found) & (estimate > 0)
    factor = 1.0 if doubt is None or not known.any() else np.quantile(found[known] / estimate[known], doubt)
    kth = np.partition(found, k - 1, axis=1)[:, k - 1 : k]
    unknown = np.isinf(np.take_along_axis(found, order, axis=1))
    return unknown & (ascending * factor < kth)


def _ascending(estimate: NDArray[np.float64]) -> NDArray[np.int64]:
    """The other samples (n, n − 1) of each by their estimates; ties go to the lower index."""
    others = np.array(estimate)
    np.fill_diagonal(others, np.inf)
    order = np.argsort(others, axis=1, kind="stable")
    return order[order != np.arange(len(order))[:, None]].reshape(len(order), -1)


def _pairs(order: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Pairs:
    """The pairs that at least one of both samples wants, each once."""
    rows, columns = np.nonzero(wanted)
    pairs = np.stack([rows, order[rows, columns]], axis=1)
    return np.unique(np.sort(pairs, axis=1), axis=0)
