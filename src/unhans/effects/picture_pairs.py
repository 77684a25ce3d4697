"""What the change from one picture to another does to predictions, over pairs that a person made [000 table 3]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from unhans.effects.effect import Effect, differences, effect_of, rank_of
from unhans.stats import Interval, wilson

Step = Literal["after − before", "control − before", "after − control"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True)
class PairAnswers:
    """What a network says about n pairs of pictures.

    Attributes:
        before, after: logits (n, C).
        control: logits (n, C) of the control pictures, not a number where a pair has none.
        targets: (n,) the class of each pair.
        pictures: (n,) which picture is changed: pairs of one picture have one number.
    """

    before: NDArray[np.float64]
    after: NDArray[np.float64]
    control: NDArray[np.float64]
    targets: NDArray[np.int64]
    pictures: NDArray[np.int64]

    @property
    def controlled(self) -> NDArray[np.bool_]:
        """Which pairs (n,) have a control."""
        return np.isfinite(self.control).all(1)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> PairAnswers:
        """Return some of the pairs."""
        parts = (self.before, self.after, self.control, self.targets, self.pictures)
        return PairAnswers(*(part[rows] for part in parts))


@dataclass(frozen=True)
class PairEffect:
    """The change from the first picture of pairs to the second.

    Attributes:
        step: which two pictures.
        pairs: how many.
        effect: towards the class of each pair; n counts different pictures `before`, and `share` is what is newly
            predicted as the class.
        lost, lost_interval: the share that is no longer predicted as it.
    """

    step: Step
    pairs: int
    effect: Effect
    lost: float
    lost_interval: Interval


def pair_effects(answers: PairAnswers, seed: int = 0) -> list[PairEffect]:
    """Return what the change does and, of the pairs with a control, what the control does, and the change beyond it.

    Pairs of one picture are not independent: their mean counts once.

    Raises:
        ValueError: there is no pair.
    """
    if not len(answers.targets):
        raise ValueError("the effect of a change expects at least one pair of pictures, got none")
    found = [_effect(STEPS[0], answers.before, answers.after, answers, seed)]
    rows = answers.take(answers.controlled)
    if len(rows.targets):
        found.append(_effect(STEPS[1], rows.before, rows.control, rows, seed))
        found.append(_effect(STEPS[2], rows.control, rows.after, rows, seed))
    return found


def own_class_first(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return logits (n, C) with the column of each row's own class exchanged with the first."""
    rows, swapped = np.arange(len(logits)), logits.copy()
    swapped[rows, targets], swapped[:, 0] = logits[:, 0], logits[rows, targets]
    return swapped


def _effect(
    step: Step, first: NDArray[np.float64], second: NDArray[np.float64], answers: PairAnswers, seed: int
) -> PairEffect:
    was, now = (own_class_first(logits, answers.targets) for logits in (first, second))
    held, holds = (rank_of(logits, 0) == 0 for logits in (was, now))
    changes = [differences(was, now, 0), now[:, 0] - was[:, 0], rank_of(was, 0) - rank_of(now, 0)]
    table = np.stack([*changes, holds & ~held, held & ~holds], axis=1).astype(np.float64)
    means = _means(table, answers.pictures)
    effect = effect_of(means[:, :3], means[:, 3], int(held.sum()), first.shape[1], seed)
    lost = float(means[:, 4].sum())
    return PairEffect(step, len(table), effect, lost / len(means), wilson(lost, len(means)))


def _means(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The means (m, k) of rows (n, k) that have one number."""
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(group, weights=column) for column in values.T], axis=1)
    return sums / counts[:, None]
