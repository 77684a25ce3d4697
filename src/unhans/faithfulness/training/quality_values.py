"""The quality of heatmaps of one state of a network, in numbers that can be followed while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from unhans.faithfulness.complexity import complexity
from unhans.faithfulness.perturbation_curves import estimate_mean
from unhans.faithfulness.region_perturbation import RegionPerturbation
from unhans.faithfulness.replacement import PixelRange
from unhans.faithfulness.training.region_shares import SHARES, region_shares
from unhans.stats import Estimate, RankCorrelation, rank_correlation

ACCURACY = "accuracy"
MAIN = "minus_random"  # what tells whether heatmaps are right
FAITHFUL = (MAIN, "aopc", "better_than_random")
BOUNDED = {"minus_random": np.inf, "aopc": np.inf, "entropy": np.inf, "png_bytes": np.inf}  # all others lie in ±1


@dataclass(frozen=True)
class MeasuredEpoch:
    """What was measured of the heatmaps of fixed images after so many epochs.

    Attributes:
        epoch: how many epochs the network had trained, 0 before training.
        values: by name, the mean over images with its 95 % interval.
    """

    epoch: int
    values: Mapping[str, Estimate]


def quality_values(
    model: nn.Module,
    heatmaps: NDArray[np.floating],
    images: Tensor,
    targets: Tensor,
    perturbation: RegionPerturbation,
    valid: PixelRange,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    advance: Callable[[int], None] = lambda images: None,
) -> dict[str, NDArray[np.float64]]:
    """Measure heatmaps (n, H, W): faithfulness, complexity and shares in regions, each (n,) by name.

    "minus_random" is AOPC, most relevant first, minus that of random order of the same image; "better_than_random" is 1
    where it is above 0, ½ where it is 0: unlike the other two it does not grow with the scale of logits, which training
    alone lets grow. "share/REGION/KIND" are `region_shares`, and the names of `COMPLEXITIES` those of `complexity`.

    Args:
        model: returns logits (n, classes); it is not written.
        heatmaps: of these images and targets.
        images: (n, C, H, W), as it takes them, on its device.
        targets: the explained class of each (n,).
        perturbation: how regions are replaced.
        valid: the range of pixels.
        masks: by the name of a region (n, H, W); an image with an empty one does not have the region.
        advance: called with the number of perturbed images after each pass.
    """

    def aopc(order: str) -> NDArray[np.float64]:
        orders = perturbation.orders(heatmaps, images, order)
        return perturbation.curves(model, images, targets, orders, valid, advance=advance).aopc

    first, random = aopc("morf"), aopc("random")
    found = {"minus_random": first - random, "aopc": first, "better_than_random": (np.sign(first - random) + 1) / 2}
    found |= {name: np.asarray(each, np.float64) for name, each in vars(complexity(heatmaps)).items()}
    return found | share_values(heatmaps, masks or {})


def share_values(
    heatmaps: NDArray[np.floating], masks: Mapping[str, NDArray[np.bool_]]
) -> dict[str, NDArray[np.float64]]:
    """Return "share/REGION/KIND" of heatmaps (n, H, W), each (n,); see `region_shares`."""
    shares = {region: region_shares(heatmaps, mask) for region, mask in masks.items()}
    return {f"share/{region}/{kind}": getattr(one, kind) for region, one in shares.items() for kind in SHARES}


def estimated(values: Mapping[str, NDArray[np.floating]], seed: int = 0) -> dict[str, Estimate]:
    """Return the means over images with 95 % intervals of values (n,) by name; what is not a number is left out."""
    return {name: estimate_mean(each, seed, BOUNDED.get(name, 1.0)) for name, each in values.items()}


def followed(points: Sequence[MeasuredEpoch], name: str) -> dict[str, RankCorrelation]:
    """Return the rank correlation of a measure with epochs, and with accuracy where that was measured at all of them.

    Args:
        points: of several epochs.
        name: of the measure; an epoch without it is left out.
    """
    unknown = float("nan")

    def means(key: str) -> list[float]:
        return [each.values[key].mean if key in each.values else unknown for each in points]

    found = {"epochs": rank_correlation([each.epoch for each in points], means(name))}
    if all(ACCURACY in each.values for each in points):
        found[ACCURACY] = rank_correlation(means(ACCURACY), means(name))
    return found
