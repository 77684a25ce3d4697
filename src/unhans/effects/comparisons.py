"""What has to be shown of an artifact, one hypothesis after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unhans.effects.effect import Trial, pairs, span
from unhans.effects.thresholds import EQUAL, MINIMUM, RATE
from unhans.stats import p_value, samples_below, samples_to_show

ARTIFACT = "artifact"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One hypothesis that has to be rejected: the mean of `values` is `least` or less.

    name: "artifact" for its own effect, else the control that it is held against. values: (n,) independent changes of
    the probability in ± possible; those of one donor of pixels are averaged.
    """

    name: str
    values: NDArray[np.float64]
    least: float
    possible: float = 1.0

    @cached_property
    def p_value(self) -> float:
        """The one-sided p-value; see `unhans.stats.significance.p_value`."""
        return p_value(self.values, self.least, self.possible)

    def samples(self, rate: float = RATE) -> int | None:
        """Return about how many samples like these would reject it at a rate; None where no number will do."""
        return samples_to_show(self.values, rate, self.least, self.possible)

    def samples_to_exclude(self) -> int | None:
        """Return about how many samples like these put the whole 95 % interval below `least`; None: no number will."""
        return samples_below(self.values, self.least, self.possible)


def comparisons(added: Sequence[Trial]) -> list[Comparison]:
    """Return what has to be shown: the effect of the artifact, the first trial, and that it exceeds each control's.

    An artifact is proven where all of these hypotheses are rejected; the p-value of that is the largest of theirs
    (intersection-union test [Berger 1982]), whatever their number.
    """
    artifact = added[0]
    own = Comparison(ARTIFACT, artifact.differences, MINIMUM)
    return [own, *(against(artifact, control) for control in added[1:])]


def against(artifact: Trial, control: Trial) -> Comparison:
    """Return the comparison of an artifact with a control, on the samples of both."""
    values, donors = pairs(artifact, control)
    values = values if donors is None else _averaged(values, donors)
    return Comparison(control.name, values, EQUAL, span(artifact, control))


def _averaged(values: NDArray[np.float64], donors: NDArray[np.int64]) -> NDArray[np.float64]:
    """One value for each donor: the mean over the samples that its pixels were pasted on."""
    _, group = np.unique(donors, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


def decisive(added: Sequence[Trial], decided_by: Sequence[str]) -> list[Comparison]:
    """Return the comparisons that decided, the one with the largest p-value first."""
    found = [each for each in comparisons(added) if each.name in decided_by]
    return sorted(found, key=lambda each: -each.p_value)
