"""How much does a heatmap lie outside the objects of its class? The context ratio μ and the share inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MOST_COVERED = 0.9  # of an image that its objects may cover


class ContextState(IntEnum):
    """What became of an image: only one that is measured has a finite μ above 0.

    MEASURED: has one. NONE_INSIDE: all positive relevance lies outside, μ is infinite. NONE_OUTSIDE: all lies inside, μ
    is 0. NO_RELEVANCE: nothing is positive. COVERED: the objects cover too much of the image. UNSEEN: they lie in what
    is cut off before the network sees the image. NO_OBJECT: the image has none of its class.
    """

    MEASURED = 0
    NONE_INSIDE = 1
    NONE_OUTSIDE = 2
    NO_RELEVANCE = 3
    COVERED = 4
    UNSEEN = 5
    NO_OBJECT = 6


def context_ratio(
    heatmaps: NDArray[np.floating], regions: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share of positive relevance inside (n,) and μ (n,), mean positive relevance outside over inside.

    μ = [Σ_out R⁺ / |out|] / [Σ_in R⁺ / |in|] [003 eq. 4.11], infinite where nothing positive lies inside. Both are NaN
    where nothing is positive, and μ where a side has no pixel.

    Args:
        heatmaps: (n, H, W), signed.
        regions: (n, H, W), where the objects lie.

    Raises:
        ValueError: the shapes differ, or a value is not finite.
    """
    if heatmaps.shape != regions.shape or heatmaps.ndim != 3 or not np.isfinite(heatmaps).all():
        raise ValueError(
            f"a context ratio expects finite heatmaps (n, H, W) and regions of their shape, got {heatmaps.shape} and "
            f"{regions.shape}."
        )
    positive = np.maximum(heatmaps, 0).astype(np.float64)
    inside, outside = (np.where(where, positive, 0).sum((1, 2)) for where in (regions, ~regions))
    area = regions.mean((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = inside / (inside + outside)
        return share, (outside / (1 - area)) / (inside / area)


@dataclass(frozen=True)
class ContextRatios:
    """What was measured of images, each (n,).

    Attributes:
        index: in their data set.
        labels: their classes, which are explained.
        predicted: the class that the network says.
        state: of `ContextState`.
        area: share of the pixels that belong to objects of the class.
        inside: share of the positive relevance that lies in them; NaN where it was not asked.
        mu: the context ratio; NaN likewise.
    """

    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    state: NDArray[np.int8]
    area: NDArray[np.float64]
    inside: NDArray[np.float64]
    mu: NDArray[np.float64]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which images have a finite μ above 0 (n,)."""
        return self.state == ContextState.MEASURED

    @property
    def log_mu(self) -> NDArray[np.float64]:
        """ln μ (n,) of those that have one, NaN of the others."""
        return np.where(self.measured, np.log(np.where(self.measured, self.mu, 1)), np.nan)

    @property
    def weighted(self) -> NDArray[np.float64]:
        """The weighted inside-total ratio (n,): share inside over area, 1 by chance [Kohlbrenner et al. 2020]."""
        return self.inside / np.where(self.area > 0, self.area, np.nan)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images the network classifies correctly (n,)."""
        return self.predicted == self.labels

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> ContextRatios:
        """Return the measures of some of the images."""
        return ContextRatios(*(getattr(self, each.name)[rows] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[ContextRatios]) -> ContextRatios:
        """Return the measures of several sets of images as those of one."""
        return cls(*(np.concatenate([getattr(one, each.name) for one in parts]) for each in fields(cls)))


def states_before(
    regions: NDArray[np.bool_], has_object: NDArray[np.bool_], most: float = MOST_COVERED
) -> NDArray[np.int8]:
    """Return the states (n,) that are known before anything is explained; MEASURED of all others.

    Args:
        regions: (n, H, W).
        has_object: (n,) which images have an object of their class, seen by the network or not.
        most: share of an image that its objects may cover.
    """
    area = regions.mean((1, 2))
    found = np.full(len(regions), ContextState.MEASURED, np.int8)
    found[area > most] = ContextState.COVERED
    found[area == 0] = ContextState.UNSEEN
    found[~has_object] = ContextState.NO_OBJECT
    return found


def states_after(inside: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return the states (n,) of images that were explained, by the share of positive relevance inside."""
    found = np.full(len(inside), ContextState.MEASURED, np.int8)
    found[inside == 0] = ContextState.NONE_INSIDE
    found[inside == 1] = ContextState.NONE_OUTSIDE
    found[np.isnan(inside)] = ContextState.NO_RELEVANCE
    return found
