"""Does an isolated layer, laid over other images, draw the relevance that the cluster has there?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import Layered, check_part, covered_by, put_on
from unhans.effects.bench import Bench
from unhans.isolation import Isolated
from unhans.stats import Interval, bootstrap


@dataclass(frozen=True)
class Portion:
    """Mean share in [0, 1] of positive relevance inside the artifact's mask, over n images, with a 95 % interval."""

    n: int
    mean: float
    interval: Interval


@dataclass(frozen=True)
class Quality:
    """How well an isolated layer, laid over other images, reproduces the relevance of the cluster.

    Attributes:
        cluster: in the images that carry the artifact.
        before, after: in other images at the same places, without and with the layer.
        correlation: of the mean relevance inside the mask, cluster against pasted, pixel by pixel; None for a free
            artifact and where it is constant.
    """

    cluster: Portion
    before: Portion
    after: Portion
    correlation: float | None


def reproduce(
    bench: Bench,
    isolated: Isolated,
    target: int,
    heatmaps: NDArray[np.floating],
    others: NDArray[np.int64],
    samples: int = 64,
) -> Quality:
    """Lay an isolated artifact over other images and compare the relevance it draws with the cluster's.

    Args:
        heatmaps: (n, H, W) of the images it was isolated from, with respect to the class target.
        others: data-set indices of images without it.
        samples: how many of the others are drawn, at most, by the bench's seed.

    Raises:
        ValueError: the artifact is global, the heatmaps are of another number, or none of the others can be read.
    """
    _check(isolated, heatmaps, others)
    carried = np.flatnonzero(isolated.members)
    cluster = np.array([portion(heatmaps[i], isolated.masks[i]) for i in carried])
    chosen = np.random.default_rng([bench.seed, samples]).permutation(others)[:samples]
    before, after, pasted = _paste_on(bench, isolated, target, chosen)
    return Quality(
        cluster=portion_of(cluster, bench.seed),
        before=portion_of(before, bench.seed),
        after=portion_of(after, bench.seed),
        correlation=_correlation(isolated, heatmaps[carried], pasted),
    )


def portion(heatmap: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Return the share of a heatmap's positive relevance (H, W) that lies in a mask; 0 where there is none."""
    positive = np.maximum(heatmap, 0).astype(np.float64)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else 0.0


def _paste_on(
    bench: Bench, artifact: Layered, target: int, indices: NDArray[np.int64]
) -> tuple[NDArray[np.float64], ...]:
    """The shares inside before and after pasting (n,) each, and the sum of the positive relevance after it (H, W)."""
    before, after, heatmap = [], [], 0.0
    for images, kept in bench.batches(indices):
        masks = covered_by(artifact, kept, tuple(images.shape[-2:]))
        pasted = put_on(artifact, images, kept)
        plain, drawn = bench.explain(images, target), bench.explain(pasted, target)
        before += [portion(*pair) for pair in zip(plain, masks, strict=True)]
        after += [portion(*pair) for pair in zip(drawn, masks, strict=True)]
        heatmap = heatmap + np.maximum(drawn, 0).sum(0, dtype=np.float64)
    if not after:
        raise ValueError(f"none of the {len(indices)} other images could be read, expected at least one")
    return np.array(before), np.array(after), np.asarray(heatmap)


def portion_of(values: NDArray[np.float64], seed: int) -> Portion:
    """Return the mean of shares (n,) with its bootstrap interval."""
    low, high = bootstrap(values, seed)
    return Portion(len(values), float(values.mean()), (max(0.0, low), min(1.0, high)))


def _correlation(isolated: Isolated, carried: NDArray[np.floating], pasted: NDArray[np.float64]) -> float | None:
    if isolated.kind != "fixed":
        return None
    mask = isolated.masks[isolated.members][0]
    first, second = np.maximum(carried, 0).mean(0, dtype=np.float64)[mask], pasted[mask]
    if min(np.ptp(first), np.ptp(second)) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _check(isolated: Isolated, heatmaps: NDArray[np.floating], others: NDArray[np.int64]) -> None:
    check_part(isolated, "relevance inside it")
    if isolated.kind == "global":
        raise ValueError("a global artifact has no layer that could be laid over other images")
    if len(heatmaps) != len(isolated.members):
        raise ValueError(f"heatmaps must be of the {len(isolated.members)} images isolated from, got {len(heatmaps)}")
    if not len(others):
        raise ValueError("other images are needed to lay the artifact over, got none")
