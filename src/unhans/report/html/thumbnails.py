"""How many samples of a class get a thumbnail, how large, and which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAGE = 60e6  # bytes of a whole page, which browsers open within seconds
TEXT = 26e3  # bytes of a class without pictures: 1,300 samples, compressed
TILES = {80: 2500, 64: 1750, 48: 1080}  # bytes of a tile per side in pixels: photographs and heatmaps, base64
ENOUGH = 60  # samples; below it smaller thumbnails are better than fewer
MOST = 300
LEAST = 8
CLUSTERS = (3, 12)  # fewest and most clusters of a class to choose from
PER_CLUSTER = 5  # samples for each of them
OF_FIRST = 1 / 3  # share of the thumbnails that go to the most striking cluster
OF_REST = 1 / 4  # share that goes to the rest of the class, for comparison


@dataclass(frozen=True)
class Thumbnails:
    """samples: how many samples of a class are shown as pictures; side: longer side of such a picture in pixels.

    Raises ValueError where either is below 1.
    """

    samples: int = 60
    side: int = 80

    def __post_init__(self) -> None:
        if self.samples < 1 or self.side < 1:
            raise ValueError(f"Thumbnails need at least one sample and one pixel; got {self}.")

    @property
    def clusters(self) -> int:
        """How many clusters of a class are shown."""
        return min(max(self.samples // PER_CLUSTER, CLUSTERS[0]), CLUSTERS[1])

    @property
    def tiles(self) -> int:
        """How many pictures they make: two per sample, and mean heatmaps of the class, each cluster and its rest."""
        return 2 * self.samples + 1 + 2 * self.clusters


def thumbnails_for(classes: int) -> Thumbnails:
    """Return the thumbnails with which a page of so many classes of photographs stays below about 60 MB.

    300 per class for up to 37 classes, 60 and more for up to 230, 12 smaller ones for 1,000.

    Raises ValueError where there is no class.
    """
    if classes < 1:
        raise ValueError(f"A report needs at least one class; got {classes}.")
    room = PAGE / classes - TEXT
    best = [_most(room / size, side) for side, size in TILES.items()]
    return next((found for found in best if found.samples >= ENOUGH), best[-1])


def _most(tiles: float, side: int) -> Thumbnails:
    offers = (Thumbnails(count, side) for count in range(MOST, LEAST, -1))
    return next((offer for offer in offers if offer.tiles <= tiles), Thumbnails(LEAST, side))


def shown_samples(groups: Sequence[NDArray[np.int64]], n: int, count: int) -> NDArray[np.int64]:
    """Return which of n samples get one of `count` thumbnails, ascending.

    groups: the members of each cluster in the order of interest, the most striking cluster first. It gets a third of
    the thumbnails and the rest of the class a quarter; the other clusters share what is left, and all samples what is
    left then. Within a group thumbnails are spread evenly from its first member to its last.
    """
    shown = np.zeros(n, dtype=bool)
    if groups:
        rest = np.setdiff1d(np.arange(n), groups[0])
        others = int(count * (1 - OF_FIRST - OF_REST)) // max(1, len(groups) - 1)
        shares = [int(count * OF_FIRST), int(count * OF_REST), *[others] * (len(groups) - 1)]
        for group, share in zip([groups[0], rest, *groups[1:]], shares, strict=True):
            _add(shown, group, min(max(share, 1) - int(shown[group].sum()), count - int(shown.sum())))
    _add(shown, np.arange(n), count - int(shown.sum()))
    return np.flatnonzero(shown)


def _add(shown: NDArray[np.bool_], group: NDArray[np.int64], count: int) -> None:
    free = group[~shown[group]]
    if count > 0 and len(free):
        shown[free[np.linspace(0, len(free) - 1, min(count, len(free))).round().astype(int)]] = True
