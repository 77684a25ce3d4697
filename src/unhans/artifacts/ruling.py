"""The rule of a verdict: which comparisons decide, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from unhans.artifacts.comparison import ARTIFACT, EQUAL, MINIMUM, RATE, Comparison, against, comparisons
from unhans.artifacts.effect import Effect
from unhans.artifacts.interval import Interval
from unhans.artifacts.trial import Trial, gap, independent

Name = Literal["proven", "not used", "open"]
Reason = Literal[
    "too few samples",
    "neither shown nor excluded",
    "flips alone",
    "not told from a control",
    "multiplicity",
    "not isolated",
    "features only",
]

FEWEST = 10  # samples below which nothing is proven and no effect excluded


class Rival(NamedTuple):
    """A control held against the artifact: by how much more the artifact does, on the samples of both.

    n: these samples, or the images that lent their pixels to the control where they are fewer; p_value: of "the
    artifact does no more than the control".
    """

    control: Trial
    more: float
    interval: Interval
    n: int
    p_value: float

    @property
    def surpassed(self) -> bool:
        """Whether the artifact does more, by the interval and by the test of its own."""
        return bool(self.interval[0] > EQUAL and self.p_value <= RATE)


class Ruling(NamedTuple):
    """What follows by the rule; reason: why it is open; decided_by: "artifact" for its own effect, or controls."""

    name: Name
    reason: Reason | None
    decided_by: tuple[str, ...]


def rivals_of(added: Sequence[Trial]) -> list[Rival]:
    """Hold every control against the artifact, the first trial, on the samples of both."""
    artifact = added[0]
    return [
        Rival(control, *gap(artifact, control), independent(artifact, control), against(artifact, control).p_value)
        for control in added[1:]
    ]


def ruled(effect: Effect, own: Comparison, rivals: Sequence[Rival]) -> Ruling:
    """Apply the rule of `unhans.artifacts.verdict.judge`; own: the comparison of the artifact's effect with MINIMUM."""
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return Ruling("open", "too few samples", (ARTIFACT,))
    if high < MINIMUM:
        flips = effect.share_interval[0] >= MINIMUM
        return Ruling("open", "flips alone", (ARTIFACT,)) if flips else Ruling("not used", None, (ARTIFACT,))
    if low < MINIMUM or own.p_value > RATE:
        return Ruling("open", "neither shown nor excluded", (ARTIFACT,))
    return _beside(own, rivals)


def _beside(own: Comparison, rivals: Sequence[Rival]) -> Ruling:
    """Rule on an artifact that has an effect."""
    if few := tuple(each.control.name for each in rivals if each.n < FEWEST):
        return Ruling("open", "too few samples", few)
    if failed := tuple(each.control.name for each in rivals if not each.surpassed):
        return Ruling("open", "not told from a control", failed)
    p_values = {own.name: own.p_value} | {each.control.name: each.p_value for each in rivals}
    return Ruling("proven", None, (max(p_values, key=lambda name: p_values[name]),))


def decisive(added: Sequence[Trial], decided_by: Sequence[str]) -> list[Comparison]:
    """Return the comparisons that decided, the one with the largest p-value first."""
    found = [each for each in comparisons(added) if each.name in decided_by]
    return sorted(found, key=lambda each: -each.p_value)
