"""Single samples before and after, with heatmaps [000, figure 7]."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.effects.bench import Bench
from unhans.effects.effect import softmax

Choice = Literal["largest", "typical"]

NEAR = 0.25  # share of the rows that are large, or typical, enough to be chosen for their class


@dataclass(frozen=True)
class Example:
    """One sample before and after.

    Attributes:
        index, label: the sample and its own class.
        images: (2, 3, H, W) in [0, 1].
        heatmaps: (2, H, W) with respect to the artifact's class.
        probabilities: (2,) of the artifact's class.
        choice: whether it is among the largest changes or a typical one (next to the median).
    """

    index: int
    label: int
    images: Tensor
    heatmaps: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    choice: Choice = "typical"


def choose(
    change: NDArray[np.float64], count: int, labels: NDArray[np.int64] | None = None
) -> list[tuple[int, Choice]]:
    """Return the rows to show: the first half (rounded up) large changes, the rest typical ones, near the median.

    Args:
        change: (n,), larger = more to see.
        count: how many rows; no row twice, fewer where there are fewer.
        labels: (n,) the rows' classes: a class that is not shown yet goes first among the largest and among the most
            typical quarter of all rows.
    """
    labels = np.zeros(len(change), dtype=np.int64) if labels is None else labels
    chosen: list[tuple[int, Choice]] = []
    for choice, distance in (("largest", -change), ("typical", np.abs(change - np.median(change)))):
        order = np.argsort(distance, kind="stable")
        near = order[: math.ceil(len(order) * NEAR)]
        until = (count + 1) // 2 if choice == "largest" else count
        while len(chosen) < min(until, len(change)):
            chosen.append((_next(order, near, [row for row, _ in chosen], labels), choice))
    return chosen


def _next(order: NDArray[np.int64], near: NDArray[np.int64], taken: list[int], labels: NDArray[np.int64]) -> int:
    """The first row of a new class among the near ones, else the first that is not taken."""
    new = near[~np.isin(labels[near], labels[taken])]
    return int(new[0]) if len(new) else int(order[~np.isin(order, taken)][0])


def examples_of(
    bench: Bench, label: int, chosen: list[tuple[int, Choice]], change: Callable[[Tensor, NDArray[np.int64]], Tensor]
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
        for row, index in enumerate(map(int, indices)):
            maps, both = np.stack([m[row] for m in heatmaps]), np.array([p[row] for p in probabilities])
            shown[index] = Example(index, int(bench.labels[index]), states[row], maps, both, choices[index])
    return tuple(shown[index] for index in choices if index in shown)
