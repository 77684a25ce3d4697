"""What has to be shown of an artifact, one hypothesis after the other, and the rule of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unhans.effects.effect import Trial, gap, pairs, span
from unhans.stats import Interval, p_value, samples_below, samples_to_show, wilson

FEWEST = 10  # samples below which nothing is proven and no effect excluded
MINIMUM = 0.05  # least change of the probability that counts as an effect
EQUAL = 0.001  # probability by which an artifact must surpass a control: below is the rounding of networks in 16 bits
RATE = 0.05  # share of false ones among all that is said to be proven
ARTIFACT = "artifact"


@dataclass(frozen=True, eq=False)
class Comparison:
    """One hypothesis that has to be rejected: the mean of `values` is `least` or less.

    Attributes:
        name: "artifact" for its own effect, else the control that it is held against.
        values: (n,) independent changes of the probability in ± possible; those of one donor of pixels are averaged.
    """

    name: str
    values: NDArray[np.float64]
    least: float
    possible: float = 1.0

    @cached_property
    def p_value(self) -> float:
        """The one-sided p-value; see `unhans.stats.intervals.p_value`."""
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


class Rival(NamedTuple):
    """A control held against the artifact, on the samples of both.

    Attributes:
        more, interval: by how much more the artifact does.
        n: the samples of both, or the images that lent their pixels to the control where they are fewer.
        p_value: of "the artifact does no more than the control".
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


def rivals_of(added: Sequence[Trial]) -> list[Rival]:
    """Hold every control against the artifact, the first trial, on the samples of both."""
    artifact, *controls = added
    held = [(control, against(artifact, control)) for control in controls]
    return [Rival(control, *gap(artifact, control), len(each.values), each.p_value) for control, each in held]


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

    All controls must be passed, so their number needs no correction (`comparisons`); the
    number of artifacts does: see `unhans.effects.false_discovery.decide`. "Not used" is an interval's statement about
    one artifact, with an error of about 3.5 % for each (5 % where the first hundred samples may end the test). Removal
    does not decide, as to fill a piece of the object lowers p as well; `leaning` grades it: the network leans on the
    artifact, or it has back-up strategies [000 §3.2], which samples show that were recognised before.

    Args:
        added: the artifact's trial on samples of other classes, then its controls.
    """
    name, reason, decided_by = rule(added)
    p_value = max(each.p_value for each in comparisons(added))
    return Verdict(name, reason, decided_by, p_value, q_value=p_value if name == "proven" else 1.0)


def rule(added: Sequence[Trial]) -> tuple[Name, Reason | None, tuple[str, ...]]:
    """Apply the rule of `judge`; return its name, why it is open, and what decided."""
    effect, compared = added[0].effect, comparisons(added)
    rivals: list[Rival] = rivals_of(added)
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return "open", "too few samples", (ARTIFACT,)
    if high < MINIMUM and effect.share_interval[0] >= MINIMUM:
        return "open", "flips alone", (ARTIFACT,)
    if high < MINIMUM:
        return "not used", None, (ARTIFACT,)
    if low < MINIMUM or compared[0].p_value > RATE:
        return "open", "neither shown nor excluded", (ARTIFACT,)
    if few := tuple(each.control.name for each in rivals if each.n < FEWEST):
        return "open", "too few samples", few
    if failed := tuple(each.control.name for each in rivals if not each.surpassed):
        return "open", "not told from a control", failed
    return "proven", None, (max(compared, key=lambda each: each.p_value).name,)


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


HALF = 0.5  # share of the affected samples that are recognised without the artifact, below which it is the only sign

Reliance = Literal["alone", "other evidence", "together", "open"]


@dataclass(frozen=True)
class Kept:
    """How many affected samples are still recognised once the artifact is taken away.

    Attributes:
        predicted: recognised before.
        kept: of these, recognised without the artifact.
        interval: of their share, 95 % (Wilson).
        control: of these, recognised where as much was taken away elsewhere.
    """

    predicted: int
    kept: int
    interval: Interval
    control: int


def kept_without(removed: Sequence[Trial]) -> Kept | None:
    """Return how many affected samples stay recognised; None without a removal, or where none was recognised.

    removed: the trials of the fills on affected samples, the first decides, and the control at the end.
    """
    predicted = removed[0].effect.predicted if removed else 0
    if not predicted:
        return None
    kept, control = (predicted - round(one.effect.share * one.effect.n) for one in (removed[0], removed[-1]))
    return Kept(predicted, kept, wilson(kept, predicted), control)


def reliance(verdict: Verdict, removed: Sequence[Trial]) -> Reliance | None:
    """Say from adding and removing together what the artifact is to the network [000 §3.2].

    - *alone*: adding is proven, the network leans on it (`leaning`), and without it fewer than half of the affected
      samples that were recognised still are (upper end of the interval): there is hardly other evidence.
    - *other evidence*: adding is proven, and more than half of them still are (lower end): back-up strategies.
    - *together*: adding has no effect, but the network leans on it: it counts along with other evidence only.
    - *open*: adding is proven, and the samples do not say which.

    Returns:
        None where nothing was taken away, fewer than FEWEST samples were recognised before, or there is no effect.
    """
    grade, kept = leaning(removed), kept_without(removed)
    if grade is None or kept is None or kept.predicted < FEWEST or grade == "hardly recognised":
        return None
    leans = grade in ("much", "a little")
    if verdict.name == "not used":
        return "together" if leans else None
    if verdict.name != "proven":
        return None
    low, high = kept.interval
    if low > HALF:
        return "other evidence"
    return "alone" if leans and high < HALF else "open"
