"""Measuring many pairs of things, on one core or several."""

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


def measured(
    things: Sequence[Thing], pairs: Pairs, distance: Distance[Thing], n_jobs: int = 1
) -> Iterator[NDArray[np.float64]]:
    """Yield the distances of pairs, chunk by chunk in their order.

    n_jobs: processes; -1 is one per core.
    """
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
        enter(found, pairs, np.concatenate(list(measured(things, pairs, distance, n_jobs))))
    return found


def enter(matrix: NDArray[np.float64], pairs: Pairs, values: NDArray[np.float64]) -> None:
    """Write the values of pairs into a symmetric matrix."""
    matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = values


def _chunk(things: dict[int, Thing], pairs: Pairs, distance: Distance[Thing]) -> NDArray[np.float64]:
    return np.array([distance(things[i], things[j]) for i, j in pairs])
