"""Which samples an effect is measured on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def evenly(labels: NDArray[np.int64], pool: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Draw up to `samples` indices of the pool, as evenly over its classes as these allow; sorted.

    labels: (N,) of the data set. A larger number keeps the samples of a smaller one. Raises ValueError for a number
    that is not positive.
    """
    if samples < 1:
        raise ValueError(f"the number of samples to measure an effect on must be positive, got {samples}")
    turns = np.empty(len(pool), dtype=np.int64)
    for label in np.unique(labels[pool]):
        rows = np.flatnonzero(labels[pool] == label)
        own = int(label) % 2**32  # samples without a class have a negative label
        turns[np.random.default_rng([seed, 1, own]).permutation(rows)] = np.arange(len(rows))
    order = np.random.default_rng([seed, 2]).random(len(pool))
    return np.sort(pool[np.lexsort((order, turns))[:samples]])


def drawn(pool: NDArray[np.int64], samples: int, seed: int) -> NDArray[np.int64]:
    """Draw up to `samples` indices of the pool; sorted."""
    pool = np.unique(np.asarray(pool, dtype=np.int64))
    return np.sort(np.random.default_rng([seed, 3]).permutation(pool)[:samples])


def check_label(label: int, classes: Sequence[str]) -> int:
    """Return the label, or raise ValueError where there is no such class."""
    if not 0 <= label < len(classes):
        raise ValueError(f"an artifact's class must be an index 0 … {len(classes) - 1}, got {label}")
    return label
