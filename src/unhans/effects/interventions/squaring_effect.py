"""What ways to make images square do to the output of one class, and when it expects copied borders [003 §6.3.1]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import ORIENTATIONS, WAYS, Orientation, Way
from unhans.effects.effect import Effect, flip_effect, softmax
from unhans.effects.verdict import FEWEST, MINIMUM

NATURAL: tuple[Way, ...] = ("mirror", "crop")  # they leave nothing but the image's own structure at the border


def expected_orientations(changes: Sequence[SquaringChange]) -> tuple[Orientation, ...]:
    """Return the orientations in which copied borders make a network see the class.

    There, on at least 10 samples of other classes, mirroring and cropping both lower the class's probability against
    copying by at least 0.05, at the near end of the 95 % interval. Samples of the class do not decide: cropping takes
    a part of the object away and lowers their probability in any network. Nor do random pixels, which harm whatever
    they stand beside, and uniform colours, which are as smooth as copies and may be mistaken for them.

    It is a statement about the network, not about its training images: the streaks of copied pixels may also resemble
    what the class really looks like, as the towers of a church do.
    """

    def found(orientation: Orientation) -> bool:
        others = changes_of(changes, "others", orientation)
        effects = [others[way].effect for way in NATURAL if way in others]
        return bool(effects) and all(e.n >= FEWEST and e.probability_interval[1] <= -MINIMUM for e in effects)

    return tuple(filter(found, ORIENTATIONS))


def changes_of(changes: Sequence[SquaringChange], group: str, orientation: Orientation) -> dict[Way, SquaringChange]:
    """Return the changes of one group in one orientation, by the way of squaring."""
    return {each.way: each for each in changes if (each.group, each.orientation) == (group, orientation)}


Group = Literal["class", "others"]

GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True)
class SquaredLogits:
    """Logits of N oblong images made square in every way; a sample may be there in both orientations.

    Attributes:
        index, labels: (N,) of the sample in the data set, and of its class.
        portrait: (N,), landscape where False.
        logits: (N, 6, C) in the order of `WAYS`.
    """

    index: NDArray[np.int64]
    labels: NDArray[np.int64]
    portrait: NDArray[np.bool_]
    logits: NDArray[np.float64]

    def of(self, indices: NDArray[np.int64]) -> SquaredLogits:
        """Return what belongs to some samples."""
        chosen = np.isin(self.index, indices)
        return SquaredLogits(self.index[chosen], self.labels[chosen], self.portrait[chosen], self.logits[chosen])

    def members(self, label: int, group: Group) -> NDArray[np.bool_]:
        """Return which images (N,) are of the class, or of others."""
        return (self.labels == label) == (group == "class")

    def probabilities(self, label: int) -> NDArray[np.float64]:
        """Return the class's probability (N, 6)."""
        return softmax(self.logits.reshape(-1, self.logits.shape[-1]))[:, label].reshape(self.logits.shape[:2])


@dataclass(frozen=True)
class SquaringChange:
    """How a class's output changes when images are made square in one way and not by copying border pixels.

    Attributes:
        group: samples of the class, or of others.
        base: the class's mean probability with copied borders.
        effect: n and the mean changes with their 95 % intervals; its share are samples that are no longer predicted as
            the class.
    """

    group: Group
    orientation: Orientation
    way: Way
    base: float
    effect: Effect


@dataclass(frozen=True)
class SquaringEffect:
    """All changes of one class's output, and whether the network expects copied borders for it.

    expected: the orientations for which it does, see `expected_orientations`.
    """

    label: int
    name: str
    changes: tuple[SquaringChange, ...]
    expected: tuple[Orientation, ...]

    @property
    def rise(self) -> float:
        """How far copying raises the class's probability on other classes against mirroring and cropping, whichever is
        closer, in the orientation where it is more."""
        found = [[self.change("others", each, way) for way in NATURAL] for each in ORIENTATIONS]
        return max(min(-c.effect.probability for c in pair if c) for pair in found if all(pair))

    def change(self, group: Group, orientation: Orientation, way: Way) -> SquaringChange | None:
        """Return one of the changes, or None where there are no such samples."""
        return changes_of(self.changes, group, orientation).get(way)


def squaring_effect(squared: SquaredLogits, label: int, name: str, seed: int = 0) -> SquaringEffect:
    """Measure every change for one class and judge it; raises ValueError without samples of the class or of others."""
    for group in GROUPS:
        if not squared.members(label, group).any():
            raise ValueError(
                f"a squaring's effect needs images of {'class' if group == 'class' else 'classes other than'} "
                f"{name!r}, got none."
            )
    changes = tuple(_changes(squared, label, seed))
    return SquaringEffect(label, name, changes, expected_orientations(changes))


def _changes(squared: SquaredLogits, label: int, seed: int) -> Iterator[SquaringChange]:
    base = squared.probabilities(label)[:, 0]
    for group, orientation in product(GROUPS, ORIENTATIONS):
        chosen = squared.members(label, group) & (squared.portrait == (orientation == "portrait"))
        for number, way in enumerate(WAYS[1:], 1) if chosen.any() else ():
            copied, other = squared.logits[chosen, 0], squared.logits[chosen, number]
            effect = flip_effect(copied, other, label, seed, lost=True)
            yield SquaringChange(group, orientation, way, float(base[chosen].mean()), effect)
