"""Groups of images about which two models disagree in the same way: clusters of the differences of their heatmaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.comparison import ModelComparison, Pair
from unhans.report.html import ToldGroup
from unhans.report.tables import Rows
from unhans.spray import SpRAy
from unhans.spray.groups import groups_of, jaccard

TOLD = 12  # groups of images on the page
SAME = 0.5  # overlap from which two groups of a class are one


@dataclass(frozen=True)
class DifferenceGroup:
    """Images of a class about which two models disagree in the same way.

    Attributes:
        pair: the models.
        label, class_name: the class.
        rows: of the comparison's images.
        paths: of these images.
        split: "train", "val" or "union".
        strength: how far the group stands apart among the class's differences; larger is further.
    """

    pair: Pair
    label: int
    class_name: str
    rows: NDArray[np.int64]
    paths: Sequence[str]
    split: str
    strength: float


def difference_groups(found: ModelComparison, spray: SpRAy, split: str) -> Iterator[DifferenceGroup]:
    """Cluster the differences of heatmaps: do two models disagree about some images of a class in the same way?

    Every heatmap is divided by the sum of its absolute values first, so that the difference R_A − R_B is one of places,
    not of scale; its sign says which model sees more there. Pairs of twins are clustered as well: how far their groups
    stand apart is what chance does.
    """
    for pair in found.predictions:
        scaled = [scaled_maps(found.views[name].heatmaps) for name in pair]
        for label in np.unique(found.labels).tolist():
            rows = found.rows_of(label)
            if len(rows) <= (near := spray.neighbours_among(len(rows))):
                continue
            points = (scaled[0] - scaled[1])[rows].reshape(len(rows), -1)
            for group in groups_of({"difference": points}, near) if np.ptp(points, axis=0).any() else ():
                own = rows[group.members]
                paths = [found.paths[row] for row in own]
                yield DifferenceGroup(pair, label, found.names[label], own, paths, split, group.strength)


def scaled_maps(maps: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return heatmaps (n, H, W), each divided by the sum of its absolute values; empty ones stay."""
    total = np.abs(maps).sum((1, 2), keepdims=True)
    return maps / np.where(total > 0, total, 1)


def furthest_groups(groups: Sequence[DifferenceGroup], twins: Sequence[Pair], most: int) -> list[DifferenceGroup]:
    """Return groups of pairs that are no twins, the furthest first; of a class no two that share half their images."""
    chosen: list[DifferenceGroup] = []
    for one in sorted((one for one in groups if one.pair not in twins), key=lambda one: -one.strength):
        if len(chosen) < most and not any(_is_same(one, other) for other in chosen):
            chosen.append(one)
    return chosen


def _is_same(one: DifferenceGroup, other: DifferenceGroup) -> bool:
    n = 1 + max(one.rows.max(), other.rows.max())
    return (
        one.label == other.label
        and jaccard(*(np.bincount(each.rows, minlength=n) > 0 for each in (one, other))) >= SAME
    )


def told_groups(found: ModelComparison, groups: Sequence[DifferenceGroup]) -> list[ToldGroup]:
    """Return the groups of pairs that are no twins, furthest first, each beside the furthest one of twins."""
    by_twins: dict[int, float] = {}
    for one in groups:
        if one.pair in found.twins:
            by_twins[one.label] = max(one.strength, by_twins.get(one.label, 0.0))
    told = [
        ToldGroup(" – ".join(one.pair), one.class_name, len(one.paths), one.strength, by_twins.get(one.label))
        for one in groups
        if one.pair not in found.twins
    ]
    return sorted(told, key=lambda one: -one.strength)[:TOLD]


def groups_table(groups: Sequence[DifferenceGroup]) -> Rows:
    """Return a row for every image of every group; those of one group are what `analysis.members` takes."""
    columns = ("path", "split", "class", "first", "second", "group", "strength")
    numbers: dict[tuple[Pair, int], int] = {}
    rows = []
    for one in groups:
        number = numbers[one.pair, one.label] = numbers.get((one.pair, one.label), 0) + 1
        split = {"train": "train", "val": "validation"}.get(one.split)
        rows += [(path, split, one.class_name, *one.pair, number, one.strength) for path in one.paths]
    return Rows(columns, rows)
