"""The rule of a verdict: which comparisons decide, and how.

What the effects of an artifact say about a network, by a fixed rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from unhans.effects.comparisons import ARTIFACT, EQUAL, FEWEST, MINIMUM, RATE, Comparison, against, comparisons
from unhans.effects.effect import Effect, Trial, gap, independent
from unhans.effects.verdict_text import (
    controls_said,
    effect_said,
    missing_said,
    removal_said,
    summary_said,
    tested_said,
)
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
    """The verdict's name, what it means in plain words, and its grounds with the numbers.

    Attributes:
        name: proven, not used, or open.
        summary: the verdict in a sentence.
        effect: of the artifact, in words.
        controls, removal: the same of these; "" where they do not matter or are not there.
        reason: why it is open, else None.
        decided_by: what decided: "artifact" for its own effect, or the names of controls. Of a proven artifact, and of
            one among many, the comparison that was nearest to failing.
        missing: what a decision would take, in words; "" where there is one.
        p_value: of "this artifact is not proven", the largest of its comparisons; None where nothing was compared.
        q_value: the same, adjusted for all tests of one look; 1 where the rule of the intervals fails.
        tests: in this look.
        rate: what q may reach: the look's share of the error rate.
    """

    name: Name
    summary: str
    effect: str = ""
    controls: str = ""
    removal: str = ""
    reason: Reason | None = None
    decided_by: tuple[str, ...] = ()
    missing: str = ""
    p_value: float | None = None
    q_value: float | None = None
    tests: int = 1
    rate: float = RATE

    @property
    def grounds(self) -> dict[str, str]:
        """The grounds that there are, by what they are about."""
        every = {"Effect": self.effect, "Controls": self.controls, "Removal": self.removal}
        if self.p_value is not None and self.q_value is not None:
            every["Test"] = tested_said(self.p_value, self.q_value, self.tests, self.rate)
        return {label: text for label, text in (every | {"Missing": self.missing}).items() if text}

    @property
    def sentence(self) -> str:
        """Everything in one text."""
        return " ".join([self.summary, *self.grounds.values()])


def judge(added: Sequence[Trial], removed: Sequence[Trial], name: str) -> Verdict:
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
    does not decide, as to fill a piece of the object lowers p as well; it is graded in the sentence: the network leans
    on the artifact, or it has back-up strategies [000 §3.2], which samples show that were recognised before.

    Args:
        added: the artifact's trial on samples of other classes, then its controls.
        removed: the trials of the fills on affected samples, then the control; may be empty.
        name: of the class.
    """
    effect, rivals, compared = added[0].effect, rivals_of(added), comparisons(added)
    ruling = ruled(effect, compared[0], rivals)
    shown = effect.n >= FEWEST and effect.probability_interval[0] >= MINIMUM
    p_value = max(each.p_value for each in compared)
    return Verdict(
        ruling.name,
        summary_said(ruling, effect, rivals, name),
        effect_said(effect, name) + f" {_excluded(effect)}" * (ruling.name == "not used"),
        controls_said(rivals) if shown else "",
        _removal(removed, name),
        ruling.reason,
        ruling.decided_by,
        missing_said(ruling, added),
        p_value,
        p_value if ruling.name == "proven" else 1.0,
    )


def _excluded(effect: Effect) -> str:
    low, high = effect.probability_interval
    if high < 0:
        return "It makes the class less probable."
    direction = "It raises the probability, but an" if low > 0 else "An"
    return f"{direction} effect of {MINIMUM} or more is excluded."


def _removal(removed: Sequence[Trial], name: str) -> str:
    """Say what removal does, if there was any."""
    if not removed:
        return ""
    fill, control = removed[0], removed[-1]
    _, interval = gap(control, fill)
    return removal_said(fill.effect, fill.name, control.effect, name, _grade(fill.effect, interval))


def _grade(effect: Effect, interval: Interval) -> str:
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return "too few samples to say whether the network leans on it"
    if high < -MINIMUM and interval[0] > 0:
        return "the network leans on it"
    if interval[0] > 0 and high < 0:
        return "the network leans on it a little, more than on as large an area elsewhere"
    if 2 * effect.predicted < effect.n:
        return f"only {effect.predicted} of them were recognised before, so little could be lost"
    if low > -MINIMUM:
        return "the network has back-up strategies and recognises the class without it"
    return "whether the network leans on it more than on any area of its size stays open"
