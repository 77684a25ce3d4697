"""Single samples before and after, with heatmaps [000, figure 7]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts.bench import Bench
from unhans.artifacts.effect import softmax

Choice = Literal["largest", "typical"]


@dataclass(frozen=True)
class Example:
    """One sample before and after.

    index, label: the sample and its own class. images: (2, 3, H, W) in [0, 1]; heatmaps: (2, H, W) with respect to
    the artifact's class; probabilities: (2,) of the artifact's class. choice: whether it is among the largest changes
    or a typical one (next to the median).
    """

    index: int
    label: int
    images: Tensor
    heatmaps: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    choice: Choice = "typical"


def choose(change: NDArray[np.float64], count: int) -> list[tuple[int, Choice]]:
    """Return the rows to show: the first half (rounded up) the largest changes, the rest those nearest the median.

    change: (n,), larger = more to see. No row twice; fewer where there are fewer.
    """
    order = np.argsort(-change, kind="stable")
    largest = order[: (count + 1) // 2]
    rest = order[len(largest) :]
    typical = rest[np.argsort(np.abs(change[rest] - np.median(change)), kind="stable")][: count - len(largest)]
    return [(int(row), "largest") for row in largest] + [(int(row), "typical") for row in typical]


def examples_of(
    bench: Bench,
    label: int,
    chosen: list[tuple[int, Choice]],
    change: Callable[[Tensor, NDArray[np.int64]], Tensor],
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Example, ...]:
    """Read the chosen samples (data-set index, choice) again, change them and explain both states.

    change: images and their indices → the changed images.
    """
    choices = dict(chosen)
    shown = {}
    for images, indices in bench.batches(np.array(list(choices), dtype=np.int64)):
        states = torch.stack([images, change(images, indices)], dim=1)
        probabilities = [softmax(bench.predict(states[:, state]))[:, label] for state in (0, 1)]
        heatmaps = [bench.explain(states[:, state].contiguous(), label) for state in (0, 1)]
        advance(2 * len(indices))
        for row, index in enumerate(map(int, indices)):
            maps, both = np.stack([m[row] for m in heatmaps]), np.array([p[row] for p in probabilities])
            shown[index] = Example(index, int(bench.labels[index]), states[row], maps, both, choices[index])
    return tuple(shown[index] for index in choices if index in shown)
