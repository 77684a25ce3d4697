"""Of models that are not told apart in accuracy: which one do proven artifacts move least?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from unhans.comparison.predictions import equally_accurate
from unhans.stats import Interval


class Choice(Enum):
    """Why a model is recommended, or none.

    Attributes:
        LEAST_EFFECT: what is proven in one of the models does least in it.
        SEVERAL_LEAST: it does less in several of them, which are not told apart, than in the others.
        ONLY_ONE: no other model is as accurate, so there is nothing to choose.
        NOTHING_PROVEN: no artifact is proven in any of them.
        NOT_TOLD_APART: the artifacts' effects do not differ by more than their intervals.
        NOT_TESTED: no artifact was tested.
    """

    LEAST_EFFECT = "least_effect"
    SEVERAL_LEAST = "several_least"
    ONLY_ONE = "only_one"
    NOTHING_PROVEN = "nothing_proven"
    NOT_TOLD_APART = "not_told_apart"
    NOT_TESTED = "not_tested"


@dataclass(frozen=True)
class Recommendation:
    """The model to take.

    Attributes:
        model: its name, or None.
        choice: why.
        candidates: models as accurate as the best.
        effects: by model the largest Δp, with its interval, of an artifact that is proven in one of them.
        least: the candidates in which proven artifacts do least, not told apart from the one that comes first.
    """

    model: str | None
    choice: Choice
    candidates: tuple[str, ...]
    effects: Mapping[str, tuple[float, Interval]]
    least: tuple[str, ...] = ()


Effects = Mapping[str, Mapping[str, tuple[float, Interval]]]
Paired = Callable[[str, str, str], Interval]


def recommend(
    names: Sequence[str], correct: NDArray[np.bool_], effects: Effects | None, paired: Paired, tolerance: float = 0.0
) -> Recommendation:
    """Choose among the models that are as accurate as the best.

    A model is recommended where the artifact that does most in each other candidate does less in it, paired over images
    (the whole interval of the difference lies below 0), and no artifact does more in it than that. Where this holds
    against some of them only, it is one of several.

    Args:
        names: of the models (m).
        correct: (m, n), which images each classifies correctly, none of them with an artifact.
        effects: by model and artifact, Δp with its interval, of every artifact that is proven in one of the candidates;
            None where none was tested.
        paired: from a model, another one and an artifact to the interval of the difference of its effects in them.
        tolerance: accuracy that a candidate may lack.
    """
    equal = equally_accurate(correct, tolerance)
    candidates = tuple(name for name, one in zip(names, equal, strict=True) if one)
    if effects is None:
        return Recommendation(None, Choice.NOT_TESTED, candidates, {})
    strongest = {
        name: max(effects[name], key=lambda one: effects[name][one][0]) for name in candidates if effects[name]
    }
    worst = {name: effects[name][one] for name, one in strongest.items()}
    if len(candidates) == 1:
        return Recommendation(None, Choice.ONLY_ONE, candidates, worst)
    if not worst:
        return Recommendation(None, Choice.NOTHING_PROVEN, candidates, {})
    best = min(worst, key=lambda name: worst[name][0])
    least = tuple(name for name in worst if name == best or paired(best, name, strongest[name])[1] >= 0)
    if len(least) == 1:
        return Recommendation(best, Choice.LEAST_EFFECT, candidates, worst, least)
    choice = Choice.SEVERAL_LEAST if len(least) < len(worst) else Choice.NOT_TOLD_APART
    return Recommendation(None, choice, candidates, worst, least)
