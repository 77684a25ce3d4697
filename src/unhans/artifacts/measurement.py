"""One pass over samples: the logits of each image as it is and after every change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.bench import Bench

Change = Callable[[Tensor, NDArray[np.int64]], Tensor]  # images (n, 3, H, W) and their indices → changed images
Prediction = Callable[[Tensor, NDArray[np.int64]], NDArray[np.float64]]  # the same → logits (n, C)
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Measurement:
    """The logits (n, C) before and, by the name of the change, after it, of the samples that could be read."""

    indices: NDArray[np.int64]
    before: NDArray[np.float64]
    after: Mapping[str, NDArray[np.float64]]


def measure(bench: Bench, indices: NDArray[np.int64], changes: Mapping[str, Change], advance: Advance) -> Measurement:
    """Read every sample once and predict it without and with each change; one batch of images at a time.

    advance: called with the number of images after each prediction. Raises ValueError where nothing can be read.
    """
    return predicted(bench, indices, {name: _after(bench, change) for name, change in changes.items()}, advance)


def predicted(
    bench: Bench, indices: NDArray[np.int64], ways: Mapping[str, Prediction], advance: Advance
) -> Measurement:
    """Read every sample once, and predict it as it is and in each of these ways; arguments as for `measure`."""
    kept, logits = [], {"": [], **{name: [] for name in ways}}
    for images, read in bench.batches(indices):
        kept.append(read)
        for name, rows in logits.items():
            rows.append(ways[name](images, read) if name else bench.predict(images))
            advance(len(read))
    if not kept:
        raise ValueError(f"the effect of an artifact needs samples that can be read, got none of {len(indices)}")
    whole = {name: np.concatenate(rows) for name, rows in logits.items()}
    return Measurement(np.concatenate(kept), whole.pop(""), whole)


def _after(bench: Bench, change: Change) -> Prediction:
    return lambda images, indices: bench.predict(change(images, indices))
