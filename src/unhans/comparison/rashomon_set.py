"""A Rashomon set made on purpose: equally accurate models with other reasons, one taken away after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.predictions import equally_accurate, prediction_agreement
from unhans.stats import Interval, Rate

Stop = Literal["nothing proven", "outside the tolerance", "rounds done", "cannot be taken away"]


class ProvenReason(NamedTuple):
    """An artifact that a network is proven to use: its class, and the mean change of its probability."""

    name: str
    probability: float
    interval: Interval


@dataclass(frozen=True)
class RashomonRound:
    """One training.

    Attributes:
        number: of the model, from 0.
        accuracy: on the validation images.
        difference, interval: of the accuracy from the first model's, on the same images.
        within: whether it is as accurate as the first, within the tolerance.
        proven: what the network is proven to use, the strongest first.
        taken: the name of what is taken away before the next one is trained; None: nothing is.
        stop: why it is the last; None: the strongest reason is taken away, and the next model trained.
    """

    number: int
    accuracy: Rate
    difference: float
    interval: Interval
    within: bool
    proven: Sequence[ProvenReason]
    taken: str | None
    stop: Stop | None


def judge_round(
    first: NDArray[np.int64],
    predicted: NDArray[np.int64],
    labels: NDArray[np.int64],
    proven: Sequence[ProvenReason],
    number: int,
    rounds: int,
    tolerance: float,
    taken: str | None = None,
) -> RashomonRound:
    """Judge whether one more model is trained.

    Args:
        first, predicted: (n,) predictions of the first model and of this one.
        labels: (n,) of the images.
        proven: what this network is proven to use.
        number: of this model, from 0.
        rounds: reasons that are taken away, at most.
        tolerance: accuracy that a model may lack; see `equally_accurate`.
        taken: the name of the strongest of them that can be taken away; None where none can.
    """
    right = np.stack([each == labels for each in (first, predicted)])
    compared = prediction_agreement(predicted, first, labels)
    within = bool(right[1].sum() >= right[0].sum() or equally_accurate(right, tolerance)[1])
    order = sorted(proven, key=lambda one: -one.probability)
    stop: Stop | None = None
    if not within:
        stop = "outside the tolerance"
    elif not order:
        stop = "nothing proven"
    elif number == rounds:
        stop = "rounds done"
    elif taken is None:
        stop = "cannot be taken away"
    accuracy = Rate(int(right[1].sum()), len(labels))
    return RashomonRound(
        number,
        accuracy,
        compared.difference,
        compared.difference_interval,
        within,
        order,
        taken if stop is None else None,
        stop,
    )
