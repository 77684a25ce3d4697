"""What was measured of the heatmaps of one method, and its summary beside other methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unhans.attribution import Explain
from unhans.faithfulness.complexity import COMPLEXITIES, complexity
from unhans.faithfulness.perturbation_curves import MeanCurve, PerturbationCurves, estimate_mean, minus
from unhans.faithfulness.properties import class_similarity, continuity, noisy, rotated, translated
from unhans.faithfulness.regions import Order
from unhans.stats import Estimate

SIMILARITY = "class_similarity"
PATHS = ("continuity_translated", "continuity_rotated", "continuity_noisy")
MEASURES = (*COMPLEXITIES, *PATHS, SIMILARITY)


@dataclass(frozen=True)
class MethodMeasures:
    """Measures of the heatmaps of one method.

    Attributes:
        index: of the images in their data set (n,).
        targets: the explained classes (n,).
        curves: by order, of the same images.
        values: by name in `MEASURES`, of each image (n,); NaN where there is none.
    """

    index: NDArray[np.int64]
    targets: NDArray[np.int64]
    curves: Mapping[Order, PerturbationCurves]
    values: Mapping[str, NDArray[np.floating]]

    def take(self, rows: NDArray[np.bool_]) -> MethodMeasures:
        """Return the measures of some of the images."""
        curves = {order: one.take(rows) for order, one in self.curves.items()}
        values = {name: each[rows] for name, each in self.values.items()}
        return MethodMeasures(self.index[rows], self.targets[rows], curves, values)

    @classmethod
    def joined(cls, parts: Sequence[MethodMeasures]) -> MethodMeasures:
        """Return the measures of several sets of images as those of one."""
        return cls(
            np.concatenate([one.index for one in parts]),
            np.concatenate([one.targets for one in parts]),
            {order: PerturbationCurves.joined([one.curves[order] for one in parts]) for order in parts[0].curves},
            {name: np.concatenate([one.values[name] for one in parts]) for name in parts[0].values},
        )


def heatmap_values(
    explain: Explain,
    images: Tensor,
    targets: Tensor,
    heatmaps: NDArray[np.floating],
    path: int = 3,
    noise: float = 0.1,
    seed: int = 0,
) -> dict[str, NDArray[np.floating]]:
    """Return `MEASURES` of the heatmaps (n, H, W) of images of one class, each (n,).

    Args:
        explain: made these heatmaps.
        images: (n, C, H, W).
        targets: the explained classes (n,).
        path: copies for continuity, moved by 1 to `path` pixels, turned by as many degrees, and with ever more noise; 0
            is none.
        noise: of the last noisy copy, in standard deviations of the image.
        seed: of the noise.
    """
    found = {name: np.asarray(value, np.float64) for name, value in vars(complexity(heatmaps)).items()}
    paths = (translated(images, path), rotated(images, path), noisy(images, path, noise, seed)) if path else ()
    unknown = np.full(len(images), np.nan)
    followed = [continuity(explain, copies, targets).mean for copies in paths] or [unknown] * len(PATHS)
    return found | dict(zip(PATHS, followed, strict=True)) | {SIMILARITY: class_similarity(heatmaps)}


@dataclass(frozen=True)
class MethodSummary:
    """One method: means over images with 95 % intervals.

    Attributes:
        name: of the method.
        n: images.
        aopc: by order.
        minus_random: by order, AOPC minus that of random order of the same images.
        changed: by order, share of images and repeats whose predicted class has changed after all steps.
        curves: by order, AOPC minus random for every number of steps.
        changed_by_step: by order (steps + 1,).
        first_changed: by order (steps + 1,), the share whose predicted class changes first at a step.
        ahead: AOPC of the first method minus this one's, most relevant first, of the same images.
        measures: by name in `MEASURES`.
    """

    name: str
    n: int
    aopc: Mapping[Order, Estimate]
    minus_random: Mapping[Order, Estimate]
    changed: Mapping[Order, Estimate]
    curves: Mapping[Order, MeanCurve]
    changed_by_step: Mapping[Order, NDArray[np.float64]]
    first_changed: Mapping[Order, NDArray[np.float64]]
    ahead: Estimate
    measures: Mapping[str, Estimate]


def summarise(
    name: str,
    measured: MethodMeasures,
    random: PerturbationCurves,
    first: MethodMeasures,
    possible: float = np.inf,
    seed: int = 0,
) -> MethodSummary:
    """Sum up a method.

    Args:
        name: of the method.
        measured: of its heatmaps.
        random: random order, of the same images in the same order.
        first: the method that it is held against, likewise.
        possible: the largest size of a difference of scores, 1 of probabilities.
        seed: of the resamples.
    """
    curves = measured.curves
    against = [(one.curves.get("morf") or next(iter(one.curves.values()))).aopc for one in (first, measured)]
    return MethodSummary(
        name=name,
        n=len(measured.index),
        aopc={order: estimate_mean(one.aopc, seed, possible) for order, one in curves.items()},
        minus_random={order: estimate_mean(one.aopc - random.aopc, seed, possible) for order, one in curves.items()},
        changed={order: estimate_mean(one.changed_of_each, seed, 1.0) for order, one in curves.items()},
        curves={order: minus(one, random, seed, possible) for order, one in curves.items()},
        changed_by_step={order: one.changed_share for order, one in curves.items()},
        first_changed={order: one.first_changed_share for order, one in curves.items()},
        ahead=estimate_mean(against[0] - against[1], seed, possible),
        measures={key: estimate_mean(values, seed) for key, values in measured.values.items()},
    )
