"""What the page shows of one class, as JSON, and which of its samples get a thumbnail."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.attribution import COLOUR_MAPS, check_colour_map
from unhans.report.figures import choose_evenly, map_points, typical_first
from unhans.report.pictures import heatmap_tiles, image_tiles, sheet, tile_size
from unhans.spray import ClassAudit, Cluster

PAGE = 60e6  # bytes of a whole page, which browsers open within seconds
TEXT = 26e3  # bytes of a class without pictures: 1,300 samples, compressed
TILES = {80: 2500, 64: 1750, 48: 1080}  # bytes of a tile per side in pixels: photographs and heatmaps, base64
ENOUGH = 60  # samples; below it smaller thumbnails are better than fewer
MOST = 300
LEAST = 8
CLUSTERS = (3, 12)  # fewest and most clusters of a class to choose from
PER_CLUSTER = 5  # samples for each of them
OF_FIRST = 1 / 3  # share of the thumbnails that go to the most striking cluster
OF_VALIDATION = 1 / 6  # share, at most, that goes to its validation samples, where both splits are shown
OF_REST = 1 / 4  # share that goes to the rest of the class, for comparison


@dataclass(frozen=True)
class Thumbnails:
    """How many samples of a class are shown as pictures, and how large.

    Attributes:
        samples: at most so many of a class.
        side: longer side of a picture in pixels.

    Raises:
        ValueError: either is below 1.
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

    Raises:
        ValueError: there is no class.
    """
    if classes < 1:
        raise ValueError(f"A report needs at least one class; got {classes}.")
    room = PAGE / classes - TEXT
    best = [_most(room / size, side) for side, size in TILES.items()]
    return next((found for found in best if found.samples >= ENOUGH), best[-1])


def _most(tiles: float, side: int) -> Thumbnails:
    offers = (Thumbnails(count, side) for count in range(MOST, LEAST, -1))
    return next((offer for offer in offers if offer.tiles <= tiles), Thumbnails(LEAST, side))


def shown_samples(
    groups: Sequence[NDArray[np.int64]], n: int, count: int, validation: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return which of n samples get one of `count` thumbnails, ascending.

    The most striking cluster gets a third of the thumbnails and the rest of the class a quarter; the other clusters
    share what is left, and all samples what is left then. Within a group thumbnails are spread evenly from its first
    member to its last.

    Args:
        groups: the members of each cluster, the most striking cluster first.
        n: samples of the class.
        count: thumbnails.
        validation: (n,) samples for validation, where there are others too: up to a sixth of the thumbnails go to those
            of the most striking cluster.
    """
    shown = np.zeros(n, dtype=bool)
    if groups:
        if validation is not None:
            _add(shown, groups[0][validation[groups[0]]], int(count * OF_VALIDATION))
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
        shown[choose_evenly(free, count)] = True


FORMAT = "unhans class report 1"
GRID = 1000  # steps of a map's longer side
MEASURES = ("score", "normalised_cut", "compactness", "separation", "relevance_consistency", "image_consistency")


def class_part(
    audit: ClassAudit,
    images: Any,
    classes: Sequence[str],
    paths: Sequence[str],
    thumbnails: Thumbnails | None = None,
    cmap: str = "hot-cold",
) -> bytes:
    """Return the deflated JSON from which the page draws one class; numbers and paths take a fifth of their text.

    Args:
        audit: the class, n samples; its heatmaps are read in blocks.
        images: (n, 3, H, W) in [0, 1] or uint8; only those that are shown are read, one by one.
        classes: the name of every class, by index.
        paths: (n,) the path of every sample.
        thumbnails: how many samples are shown as pictures and how large; see `thumbnails_for`.
        cmap: a colour map of `colorize`.

    Raises:
        ValueError: there is not one image or one path per sample, a name of a class is missing, or the colour map is
            unknown.
    """
    _check(audit, images, classes, paths)
    check_colour_map(cmap)
    thumbnails = thumbnails or Thumbnails()
    clusters = audit.clusters[: thumbnails.clusters]
    groups = [typical_first(audit, cluster.members) for cluster in clusters]
    part = {
        "format": FORMAT,
        "label": audit.label,
        "name": audit.name,
        "description": audit.description,
        "colours": colour_stops(cmap),
        "spectrum": _spectrum(audit),
        "map": _map(audit),
        "samples": _samples(audit, paths),
        "names": {str(label): classes[label] for label in _seen(audit)},
        "clusters_found": len(audit.clusters),
        "clusters": [_cluster(one, group) for one, group in zip(clusters, groups, strict=True)],
        "sprite": _sprite(audit, images, groups, thumbnails, cmap),
    }
    return zlib.compress(json.dumps(part, separators=(",", ":"), allow_nan=False).encode(), 9)


def _check(audit: ClassAudit, images: Any, classes: Sequence[str], paths: Sequence[str]) -> None:
    for name, values in (("image", images), ("path", paths)):
        if len(values) != len(audit.index):
            raise ValueError(f"There must be one {name} per audited sample ({len(audit.index)}); got {len(values)}.")
    if (most := max(_seen(audit))) >= len(classes):
        raise ValueError(f"There must be a name for class {most}; got {len(classes)} names.")


def _seen(audit: ClassAudit) -> list[int]:
    explained = audit.prediction[:0] if audit.target is None else audit.target
    return np.union1d(audit.prediction, explained).tolist()


def _spectrum(audit: ClassAudit) -> dict[str, Any]:
    control = None if audit.control is None else list(map(_number, audit.control.eigenvalues_))
    return {
        "heatmaps": list(map(_number, audit.spray.eigenvalues_)),
        "images": control,
        "eigengap": int(audit.spray.eigengap_),
    }


def _map(audit: ClassAudit) -> dict[str, Any]:
    """Return the map on a grid that keeps its proportions; its projection is None where it shows two axes of Φ."""
    points, projection = map_points(audit), None if audit.spray.projection_ is None else audit.spray.projection
    x, y = np.rint(GRID * (points - points.min(0)) / (np.ptp(points, axis=0).max() or 1.0)).astype(int).T.tolist()
    return {"projection": projection, "x": x, "y": y}


def _samples(audit: ClassAudit, paths: Sequence[str]) -> dict[str, Any]:
    arrays = {"index": audit.index, "prediction": audit.prediction, "rank": audit.rank + 1, "split": audit.split,
              "target": audit.target}  # fmt: skip
    columns = {name: None if array is None else array.tolist() for name, array in arrays.items()}
    return columns | {"path": [str(path) for path in paths]}


def _cluster(cluster: Cluster, members: NDArray[np.int64]) -> dict[str, Any]:
    measures = {name: _number(getattr(cluster, name)) for name in MEASURES}
    return {"name": cluster.name, "method": cluster.method, "members": members.tolist()} | measures


def _sprite(
    audit: ClassAudit, images: Any, groups: Sequence[NDArray[np.int64]], thumbnails: Thumbnails, cmap: str
) -> dict[str, Any]:
    """Return tiles: image and heatmap of every shown sample, then means: of the class, of each cluster and its rest."""
    validation = None if audit.split is None else np.asarray(audit.split) > 0
    shown = shown_samples(groups, len(audit.index), thumbnails.samples, validation)
    size = tile_size(*np.asarray(images[int(shown[0])]).shape[-2:], thumbnails.side)
    parted = np.zeros((1 + 2 * len(groups), len(audit.index)))
    for row, group in zip(parted[1::2], groups, strict=True):
        row[group] = 1
    parted[::2] = 1 - np.stack([np.zeros(len(audit.index)), *parted[1::2]])
    heatmaps, means = heatmap_tiles(audit.heatmaps, shown, parted, size, cmap)
    pairs = zip(image_tiles(images, shown, size), heatmaps, strict=True)
    return {"samples": shown.tolist()} | sheet([*chain.from_iterable(pairs), *means])


def colour_stops(cmap: str) -> list[str]:
    """Return the colours of a colour map from its lower to its upper end, as a style sheet takes them."""
    return ["#" + bytes(round(255 * part) for part in colour).hex() for colour in COLOUR_MAPS[cmap]]


def _number(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None
