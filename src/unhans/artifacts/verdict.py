"""What the effects of an artifact say about a network, by a fixed rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unhans.artifacts.effect import Effect
from unhans.artifacts.interval import Interval
from unhans.artifacts.trial import Trial, gap

Name = Literal["proven", "no effect", "not separable"]

MINIMUM = 0.05  # least change of the probability that counts as an effect
FEWEST = 10  # samples below which nothing is proven
EQUAL = 0.001  # probability by which an artifact must surpass a control: below is the rounding of networks in 16 bits


@dataclass(frozen=True)
class Verdict:
    """The verdict's name and, in plain words with the numbers, its grounds."""

    name: Name
    sentence: str


def judge(added: Sequence[Trial], removed: Sequence[Trial], name: str) -> Verdict:
    """Judge whether the network uses the artifact as a sign of the class.

    added: the artifact's trial on samples of other classes, then its controls. removed: the trials of the fills on
    affected samples, then the control; may be empty. name: the class. The rule, with Δp the mean change of the class's
    probability and every interval of 95 %:

    - *no effect*: the lower end of the interval of Δp lies below MINIMUM.
    - *proven*: it does not; for every control the lower end of the interval of the paired difference
      Δp(artifact) − Δp(control) lies above 0 (by EQUAL); and each of these numbers comes from FEWEST samples or more.
    - *not separable* (from a control, or for want of samples): everything else.

    All controls must be passed, so their number needs no correction. Removal does not decide, as to fill a piece of the
    object lowers p as well; it is graded in the sentence: the network leans on the artifact, or it has back-up
    strategies [000 §3.2].
    """
    gaps = [(control, *gap(added[0], control)) for control in added[1:]]
    verdict, reason = _verdict(added[0], gaps, name)
    return Verdict(verdict, " ".join([reason, *_graded(removed, name)]))


def _verdict(artifact: Trial, gaps: Sequence[tuple[Trial, float, Interval]], name: str) -> tuple[Name, str]:
    effect = artifact.effect
    change = _change(effect, name)
    if effect.probability_interval[0] < MINIMUM:
        return "no effect", f"{change} {_no_effect(effect)}"
    failed = [each for each in gaps if each[2][0] <= EQUAL]
    if failed:
        return "not separable", f"{change} {_not_separable(failed)}"
    fewest = min([effect.n, *(_shared(artifact, control) for control, *_ in gaps)])
    if fewest < FEWEST:
        return (
            "not separable",
            f"{change} A proof takes {FEWEST} samples per comparison, got {fewest}.",
        )
    return "proven", f"{change} {_proven(gaps)}"


def _change(effect: Effect, name: str) -> str:
    share = f"{effect.share:.0%} [{effect.share_interval[0]:.0%}, {effect.share_interval[1]:.0%}]"
    return (
        f"Pasted on {effect.n} sample{'s' * (effect.n != 1)} of other classes, the artifact changes the probability of "
        f"{name!r} by {_said(effect.probability, effect.probability_interval)}, its logit by "
        f"{_said(effect.logit, effect.logit_interval)} and its rank by {_said(effect.rank, effect.rank_interval)}; "
        f"{share} of them are newly predicted as {name!r} (95 % intervals)."
    )


def _no_effect(effect: Effect) -> str:
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return f"An effect of {MINIMUM} or more is not shown, and fewer than {FEWEST} samples exclude none."
    if high < 0:
        return "It makes the class less probable, so it is no sign of it for the network."
    if high < MINIMUM:
        direction = "It raises the probability, but " if low > 0 else ""
        return f"{direction}{'an' if direction else 'An'} effect of {MINIMUM} or more is excluded."
    return f"An effect of {MINIMUM} or more is not shown; with these samples one larger than {high:.2f} is excluded."


def _not_separable(failed: Sequence[tuple[Trial, float, Interval]]) -> str:
    told = [
        f"{_control(control)} changes it by {_said(control.effect.probability, control.effect.probability_interval)}, "
        f"the artifact by {_said(more, interval)} more"
        for control, more, interval in failed
    ]
    return f"It cannot be told from {'its control' if len(told) == 1 else 'its controls'}: {'; '.join(told)}."


def _proven(gaps: Sequence[tuple[Trial, float, Interval]]) -> str:
    if not gaps:
        return "There was no control."
    control, more, interval = min(gaps, key=lambda each: each[2][0])
    return (
        f"Every control does less; the closest, {_control(control)}, changes it by "
        f"{_said(control.effect.probability, control.effect.probability_interval)}, "
        f"the artifact by {_said(more, interval)} more."
    )


def _control(control: Trial) -> str:
    if control.name == "other classes":
        return f"the artifact on the class that gains most from it besides, {control.detail!r},"
    kind = {"mean colour": "its area in its mean colour", "random colour": "its area in a random colour"}
    return kind.get(
        control.name, "a patch of the class in its area" if control.name == "patch of the class" else control.name
    )


def _graded(removed: Sequence[Trial], name: str) -> list[str]:
    """The sentence on removal, if there was any."""
    if not removed:
        return []
    fill, control = removed[0], removed[-1]
    effect, (_, interval) = fill.effect, gap(control, fill)
    return [
        f"Taken away from {effect.n} affected sample{'s' * (effect.n != 1)} (fill: {fill.name}), it changes the "
        f"probability of {name!r} by {_said(effect.probability, effect.probability_interval)} and its logit by "
        f"{_said(effect.logit, effect.logit_interval)}; the same area filled elsewhere changes the probability by "
        f"{_said(control.effect.probability, control.effect.probability_interval)}: {_grade(effect, interval)}."
    ]


def _grade(effect: Effect, interval: Interval) -> str:
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return "too few samples to say whether the network leans on it"
    if high < -MINIMUM and interval[0] > 0:
        return "the network leans on it"
    if low > -MINIMUM:
        return "the network has back-up strategies and decides for the class without it"
    return "whether the network leans on it more than on any area of its size stays open"


def _shared(first: Trial, second: Trial) -> int:
    return len(np.intersect1d(first.indices, second.indices))


def _said(value: float, interval: Interval) -> str:
    told, low, high = (
        f"{number:+.2f}".replace("-0.00", "0.00").replace("+0.00", "0.00") for number in (value, *interval)
    )
    return f"{told} [{low}, {high}]"
