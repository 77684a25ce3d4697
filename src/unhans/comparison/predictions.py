"""Do two models predict alike, and is one of them more often right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from unhans.stats import Interval, mean_difference, wilson


@dataclass(frozen=True)
class PredictionAgreement:
    """Predictions of two models on the same images.

    Attributes:
        n: images.
        agreement: share of images for which both predict the same class.
        interval: its 95 % interval (Wilson).
        accuracy: of the first and of the second model.
        difference: accuracy of the first minus that of the second, paired over images.
        difference_interval: its 95 % interval.
        only_first: images that only the first model classifies correctly.
        only_second: images that only the second does.
        p: of McNemar's exact test that both are equally often right.
    """

    n: int
    agreement: float
    interval: Interval
    accuracy: tuple[float, float]
    difference: float
    difference_interval: Interval
    only_first: int
    only_second: int
    p: float


def prediction_agreement(first: ArrayLike, second: ArrayLike, labels: ArrayLike, seed: int = 0) -> PredictionAgreement:
    """Compare the predicted classes (n,) of two models with each other and with the labels (n,).

    Raises:
        ValueError: no images.
    """
    one, two, truth = (np.asarray(each) for each in (first, second, labels))
    if not len(truth):
        raise ValueError("predictions are compared on at least one image, got none")
    same, right, also = one == two, one == truth, two == truth
    only_first, only_second = int((right & ~also).sum()), int((also & ~right).sum())
    difference, interval = mean_difference(right.astype(float) - also, seed)
    p = binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    accuracy = float(right.mean()), float(also.mean())
    share = wilson(int(same.sum()), len(same))
    return PredictionAgreement(
        len(same), float(same.mean()), share, accuracy, difference, interval, only_first, only_second, float(p)
    )


def equally_accurate(correct: NDArray[np.bool_], tolerance: float = 0.0, seed: int = 0) -> NDArray[np.bool_]:
    """Tell which models (m,) are as accurate as the best one.

    Args:
        correct: (m, n), which images each model classifies correctly.
        tolerance: models whose accuracy is at most so much lower count as well.
        seed: of the intervals. A model counts where the 95 % interval of its paired difference to the best reaches 0.
    """
    best = correct.mean(1).argmax()
    found = []
    for each in correct:
        mean, (_, high) = mean_difference(each.astype(float) - correct[best], seed)
        found.append(high >= 0 or -mean <= tolerance)
    return np.array(found)
