"""Networks that are trained on images prepared in one way and tested on others: what does the swap cost?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, false_discovery_control

from unhans.comparison.studies.decoy_study import UNREAD
from unhans.stats import (
    Estimate,
    Rate,
    difference_over_folds,
    difference_over_seeds,
    share_over_folds,
    share_over_seeds,
)

UNASKED = -3  # in place of a prediction: an image of another fold than the network's
PROVEN = 0.05  # share of false alarms among the swaps that are told to cost something
Predictions = Mapping[str, NDArray[np.int64]]  # by variant (n,): places among the classes, `OTHER` or `UNREAD`


@dataclass(frozen=True)
class SwapImages:
    """The images of a variant.

    Attributes:
        labels: (n,) places among the classes.
        paired: they are the images of the first variant in the same order, prepared otherwise.
    """

    labels: NDArray[np.int64]
    paired: bool = True


@dataclass(frozen=True)
class SwapRow:
    """A network, or several of which one number is told: they differ in the seed only, or are folds.

    Attributes:
        name: unlike those of other rows.
        trained: the variant that they were trained on; None where it is none of them.
        models: names of the networks.
        predictions: of each network.
        fold_ratio: images that a fold tests, for each that it is trained on, where these are the folds of one
            cross-validation: each has predictions of images of its own, and `UNASKED` for those of others.
    """

    name: str
    trained: str | None
    models: Sequence[str]
    predictions: Sequence[Predictions]
    fold_ratio: float | None = None


@dataclass(frozen=True)
class SwapCost:
    """Accuracy on the variant of the training minus that on another.

    Attributes:
        difference: with its interval; of the same images it is paired.
        only_own, only_other: images of one network that are right under one of both alone; None where images differ.
        p: of McNemar's exact test, adjusted for all swaps (Benjamini & Hochberg 1995); None for several networks and
            other images.
    """

    difference: Estimate
    only_own: int | None = None
    only_other: int | None = None
    p: float | None = None

    @property
    def proven(self) -> bool:
        """The swap costs accuracy beyond chance."""
        beyond = self.difference.interval[0] > 0
        return beyond and (self.p is None or self.p <= PROVEN)


@dataclass(frozen=True)
class SwapCell:
    """Networks of a row, tested on a variant.

    Attributes:
        row, tested: names of the row and the variant.
        accuracy: of all images.
        one_off: share of predictions that are at most one class away; None where classes have no order.
        by_class: accuracy by name of the class; of those that have images.
        cost: None on the variant of the training, and where that is not known.
        one_off_cost: the same for `one_off`.
    """

    row: SwapRow
    tested: str
    accuracy: Estimate
    one_off: Estimate | None
    by_class: Mapping[str, Estimate]
    cost: SwapCost | None = None
    one_off_cost: SwapCost | None = None


@dataclass(frozen=True)
class SwapStudy:
    """Trained-on × tested-on.

    Attributes:
        classes: names.
        order: the place of every class in their order; None where they have none.
        images: by variant.
        cells: row by row, variant by variant.
        unread: by variant the images that could not be read.
    """

    classes: Sequence[str]
    order: Sequence[int] | None
    images: Mapping[str, SwapImages]
    cells: Sequence[SwapCell]
    unread: Mapping[str, int]

    @property
    def rows(self) -> list[SwapRow]:
        """The rows in their order."""
        return list({cell.row.name: cell.row for cell in self.cells}.values())

    def cell(self, row: str, tested: str) -> SwapCell:
        """Return a cell by the names of its row and its variant."""
        return next(each for each in self.cells if (each.row.name, each.tested) == (row, tested))

    def confusion(self, cell: SwapCell) -> NDArray[np.int64]:
        """Return how often images of each class are taken for each (C, C + 1), the last column for another class.

        Counts of several networks are added up; images that could not be read are left out.
        """
        labels, found = self.images[cell.tested].labels, np.zeros((len(self.classes), len(self.classes) + 1), np.int64)
        for predictions in cell.row.predictions:
            predicted = predictions[cell.tested]
            read = predicted > UNREAD
            np.add.at(found, (labels[read], predicted[read]), 1)  # OTHER, −1, is the last column
        return found

    @property
    def swaps(self) -> list[SwapCell]:
        """The cells off the variant of the training."""
        return [each for each in self.cells if each.cost is not None]

    @property
    def single(self) -> list[SwapCell]:
        """The swaps of single networks."""
        return [each for each in self.swaps if len(each.row.models) == 1]


def study_swap(
    rows: Sequence[SwapRow],
    images: Mapping[str, SwapImages],
    classes: Sequence[str],
    order: Sequence[int] | None = None,
) -> SwapStudy:
    """Return accuracy, and what it loses by the swap, of every row on every variant.

    Args:
        rows: the networks.
        images: by variant.
        classes: names.
        order: the place of every class in their order, for the share of predictions that are one off at most.

    Raises:
        ValueError: a variant has no image that every network could read.
    """
    cells = [_cell(row, tested, images, classes, order) for row in rows for tested in images]
    unread = {
        name: int(np.any([each[name] == UNREAD for row in rows for each in row.predictions], axis=0).sum())
        for name in images
    }
    return SwapStudy(classes, order, images, _adjusted(cells), unread)


def is_right(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which predictions (n,) are the label's class."""
    return predicted == labels


def is_one_off(predicted: NDArray[np.int64], labels: NDArray[np.int64], order: Sequence[int]) -> NDArray[np.bool_]:
    """Tell which predictions (n,) are at most one place from the label in the classes' order; other classes are not."""
    places = np.asarray(order)
    distance = np.abs(places[np.maximum(predicted, 0)] - places[labels])
    return (predicted >= 0) & (distance <= 1)


def _cell(
    row: SwapRow, tested: str, images: Mapping[str, SwapImages], classes: Sequence[str], order: Sequence[int] | None
) -> SwapCell:
    labels = images[tested].labels
    read = [each[tested] > UNREAD for each in row.predictions]
    if not np.all([each.any() for each in read]):
        raise ValueError(f"none of the images of {tested!r} could be read; their paths are above.")
    right = [is_right(each[tested], labels) for each in row.predictions]
    by_class = {
        name: _share(row, right, [seen & (labels == label) for seen in read])
        for label, name in enumerate(classes)
        if all((seen & (labels == label)).any() for seen in read)
    }
    accuracy = _share(row, right, read)
    near = None if order is None else [is_one_off(each[tested], labels, order) for each in row.predictions]
    one_off = None if near is None else _share(row, near, read)
    if row.trained is None or row.trained == tested:
        return SwapCell(row, tested, accuracy, one_off, by_class)
    costs = [_cost(row, tested, images, None), None if order is None else _cost(row, tested, images, order)]
    return SwapCell(row, tested, accuracy, one_off, by_class, *costs)


def _share(row: SwapRow, right: Sequence[NDArray[np.bool_]], counted: Sequence[NDArray[np.bool_]]) -> Estimate:
    """The share over seeds or folds; right and counted are of each network."""
    rates = [_rate(*each) for each in zip(right, counted, strict=True)]
    if row.fold_ratio is None:
        return share_over_seeds(rates)
    return share_over_folds(rates, Rate(sum(one.correct for one in rates), sum(one.n for one in rates)), row.fold_ratio)


def _rate(right: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Rate:
    right = right[counted]
    return Rate(int(right.sum()), len(right), np.packbits(right).tobytes().hex())


def _cost(row: SwapRow, tested: str, images: Mapping[str, SwapImages], order: Sequence[int] | None) -> SwapCost:
    """What a row loses; McNemar's p is not adjusted yet."""
    names = row.trained, tested
    same = images[row.trained].paired and images[tested].paired
    counted = _paired if same else _apart
    rights, reads = [], []
    for each in row.predictions:
        rights.append(
            [
                is_right(each[name], images[name].labels)
                if order is None
                else is_one_off(each[name], images[name].labels, order)
                for name in names
            ]
        )
        reads.append([each[name] > UNREAD for name in names])
    pairs = [counted(*each) for each in zip(rights, reads, strict=True)]
    if row.fold_ratio is None:
        difference = difference_over_seeds(*zip(*pairs, strict=True))
    else:
        difference = difference_over_folds(pairs, counted(*_pooled(rights, reads)), row.fold_ratio)
    if not same or len(row.predictions) > 1:
        return SwapCost(difference)
    own, other = (int(one.hits, 16) for one in pairs[0])
    only_own, only_other = (own & ~other).bit_count(), (other & ~own).bit_count()
    p = binomtest(only_own, only_own + only_other).pvalue if only_own + only_other else 1.0
    return SwapCost(difference, only_own, only_other, float(p))


def _pooled(
    rights: Sequence[Sequence[NDArray[np.bool_]]], reads: Sequence[Sequence[NDArray[np.bool_]]]
) -> tuple[list[NDArray[np.bool_]], list[NDArray[np.bool_]]]:
    """Which images any fold got right, and which it was asked about, for both variants; each has one fold that was."""
    read = [np.any(each, axis=0) for each in zip(*reads, strict=True)]
    right = [
        np.any([one & seen for one, seen in zip(own, asked, strict=True)], axis=0)
        for own, asked in zip(zip(*rights, strict=True), zip(*reads, strict=True), strict=True)
    ]
    return right, read


def _paired(right: Sequence[NDArray[np.bool_]], read: Sequence[NDArray[np.bool_]]) -> tuple[Rate, Rate]:
    """Both rates of the images that could be read under both."""
    both = read[0] & read[1]
    return _rate(right[0], both), _rate(right[1], both)


def _apart(right: Sequence[NDArray[np.bool_]], read: Sequence[NDArray[np.bool_]]) -> tuple[Rate, Rate]:
    """Both rates of other images: which are right tells nothing of the others."""
    first, second = (_rate(*each) for each in zip(right, read, strict=True))
    return Rate(first.correct, first.n), Rate(second.correct, second.n)


def _adjusted(cells: Sequence[SwapCell]) -> list[SwapCell]:
    """The cells with p-values adjusted for all of them, accuracy and one-off apart."""
    found = list(cells)
    for name in ("cost", "one_off_cost"):
        costs = {i: getattr(cell, name) for i, cell in enumerate(found)}
        tested = {i: cost for i, cost in costs.items() if cost is not None and cost.p is not None}
        adjusted = false_discovery_control([cost.p for cost in tested.values()]) if tested else []
        for (i, cost), p in zip(tested.items(), adjusted, strict=True):
            found[i] = replace(found[i], **{name: replace(cost, p=float(p))})
    return found
