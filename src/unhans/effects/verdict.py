"""The rule of a verdict: which comparisons decide, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from unhans.effects.comparisons import ARTIFACT, Comparison, against, comparisons
from unhans.effects.effect import Effect, Trial, gap, independent
from unhans.effects.thresholds import EQUAL, FEWEST, MINIMUM, RATE
from unhans.stats import Interval

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
    """Apply the rule of `unhans.effects.verdict.judge`; own: the comparison of the artifact's effect with MINIMUM."""
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


@dataclass(frozen=True)
class Verdict:
    """What the trials of an artifact say by the rule: data, of which `unhans.report.text` makes sentences.

    Attributes:
        name: proven, not used, or open.
        reason: why it is open, else None.
        decided_by: what decided: "artifact" for its own effect, or the names of controls. Of a proven artifact, and of
            one among many, the comparison that was nearest to failing.
        p_value: of "this artifact is not proven", the largest of its comparisons; None where nothing was compared.
        q_value: the same, adjusted for all tests of one look; 1 where the rule of the intervals fails.
        tests: in this look.
        rate: what q may reach: the look's share of the error rate.
    """

    name: Name
    reason: Reason | None = None
    decided_by: tuple[str, ...] = ()
    p_value: float | None = None
    q_value: float | None = None
    tests: int = 1
    rate: float = RATE


def judge(added: Sequence[Trial]) -> Verdict:
    """Judge whether the network uses the artifact as a sign of the class, as if nothing else had been tested.

    With Δp the mean change of the class's probability and every interval of 95 %:

    - *not used*: the upper end of the interval of Δp lies below MINIMUM, so that an effect of MINIMUM or more is
      excluded, by FEWEST samples or more; nor is a share of MINIMUM or more newly predicted as the class (lower end).
    - *proven*: its lower end lies at MINIMUM or above; for every control the lower end of the interval of the paired
      difference Δp(artifact) − Δp(control) lies above 0 (by EQUAL); each of these numbers comes from FEWEST samples
      or more; and each of these hypotheses is rejected at RATE by a test that holds for any distribution.
    - *open*: everything else, with the reason and what is missing. The interval of Δp holds MINIMUM, so that an effect
      of it is neither shown nor excluded; or the difference to a control does not lie above 0; or there are too few
      samples.

    All controls must be passed, so their number needs no correction (`unhans.effects.comparisons.comparisons`); the
    number of artifacts does: see `unhans.effects.false_discovery.decide`. "Not used" is an interval's statement about
    one artifact, with an error of about 3.5 % for each (5 % where the first hundred samples may end the test). Removal
    does not decide, as to fill a piece of the object lowers p as well; `leaning` grades it: the network leans on the
    artifact, or it has back-up strategies [000 §3.2], which samples show that were recognised before.

    Args:
        added: the artifact's trial on samples of other classes, then its controls.
    """
    compared = comparisons(added)
    ruling = ruled(added[0].effect, compared[0], rivals_of(added))
    p_value = max(each.p_value for each in compared)
    return Verdict(*ruling, p_value=p_value, q_value=p_value if ruling.name == "proven" else 1.0)


Leaning = Literal["too few samples", "much", "a little", "hardly recognised", "not needed", "open"]


def leaning(removed: Sequence[Trial]) -> Leaning | None:
    """Grade what taking the artifact away does beside the same done elsewhere; None where it was not taken away.

    removed: the trials of the fills on affected samples, the first decides, and the control at the end.
    """
    if not removed:
        return None
    effect, (_, (least, _)) = removed[0].effect, gap(removed[-1], removed[0])
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return "too few samples"
    if high < -MINIMUM and least > 0:
        return "much"
    if least > 0 and high < 0:
        return "a little"
    if 2 * effect.predicted < effect.n:
        return "hardly recognised"
    return "not needed" if low > -MINIMUM else "open"
