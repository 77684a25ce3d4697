"""What the effects of an artifact say about a network, by a fixed rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from unhans.artifacts.effect import Effect
from unhans.artifacts.grounds import Rival, control_said, controls_said, effect_said, removal_said, rivals_of
from unhans.artifacts.interval import Interval
from unhans.artifacts.numerals import samples_said, share_said
from unhans.artifacts.trial import Trial, gap

Name = Literal["proven", "no effect", "not separable"]

MINIMUM = 0.05  # least change of the probability that counts as an effect
FEWEST = 10  # samples below which nothing is proven and no effect excluded
EQUAL = 0.001  # probability by which an artifact must surpass a control: below is the rounding of networks in 16 bits


@dataclass(frozen=True)
class Verdict:
    """The verdict's name, what it means in plain words, and its grounds with the numbers.

    effect: of the artifact; controls, removal: "" where they do not matter or are not there.
    """

    name: Name
    summary: str
    effect: str = ""
    controls: str = ""
    removal: str = ""

    @property
    def grounds(self) -> dict[str, str]:
        """The grounds that there are, by what they are about."""
        every = {"Effect": self.effect, "Controls": self.controls, "Removal": self.removal}
        return {label: text for label, text in every.items() if text}

    @property
    def sentence(self) -> str:
        """Everything in one text."""
        return " ".join([self.summary, *self.grounds.values()])


def judge(added: Sequence[Trial], removed: Sequence[Trial], name: str) -> Verdict:
    """Judge whether the network uses the artifact as a sign of the class.

    added: the artifact's trial on samples of other classes, then its controls. removed: the trials of the fills on
    affected samples, then the control; may be empty. name: the class. The rule, with Δp the mean change of the class's
    probability and every interval of 95 %:

    - *no effect*: the upper end of the interval of Δp lies below MINIMUM, so that an effect of MINIMUM or more is
      excluded, by FEWEST samples or more; nor is a share of MINIMUM or more newly predicted as the class (lower end).
    - *proven*: its lower end lies at MINIMUM or above; for every control the lower end of the interval of the paired
      difference Δp(artifact) − Δp(control) lies above 0 (by EQUAL); and each of these numbers comes from FEWEST samples
      or more.
    - *not separable*: everything else. The interval of Δp holds MINIMUM, so that an effect of it is neither shown nor
      excluded; or that of the difference to a control does not lie above 0; or there are too few samples.

    All controls must be passed, so their number needs no correction. Removal does not decide, as to fill a piece of the
    object lowers p as well; it is graded in the sentence: the network leans on the artifact, or it has back-up
    strategies [000 §3.2], which samples show that were recognised before.
    """
    effect, rivals = added[0].effect, rivals_of(added)
    failed = [rival for rival in rivals if rival.interval[0] <= EQUAL]
    passed = [rival for rival in rivals if rival.interval[0] > EQUAL]
    verdict, summary = _verdict(effect, rivals, failed, name)
    decisive = effect.n >= FEWEST and effect.probability_interval[0] >= MINIMUM
    said = f"{effect_said(effect, name)} {_excluded(effect)}" if verdict == "no effect" else effect_said(effect, name)
    return Verdict(verdict, summary, said, controls_said(passed, failed) if decisive else "", _removal(removed, name))


def _verdict(effect: Effect, rivals: Sequence[Rival], failed: Sequence[Rival], name: str) -> tuple[Name, str]:
    low, high = effect.probability_interval
    if effect.n < FEWEST:
        return "not separable", _few(effect.n)
    if high < MINIMUM and effect.share_interval[0] >= MINIMUM:
        return "not separable", (
            f"Not separable from no effect: {share_said(effect.share, effect.share_interval)} of the samples are newly "
            f"predicted as {name!r}, though its probability hardly moves (as where all classes are nearly equal)."
        )
    if high < MINIMUM:
        return "no effect", f"No effect: for the network, the artifact alone is no sign of {name!r}."
    if low < MINIMUM:
        return "not separable", (
            f"Not separable from no effect. An effect of {MINIMUM} or more is neither shown nor excluded by "
            f"{samples_said(effect.n)}; more samples would tell."
        )
    fewest = min(each.n for each in rivals) if rivals else effect.n
    if fewest < FEWEST:
        return "not separable", _few(fewest)
    if failed:
        rival = " and ".join(control_said(each.control) for each in failed)
        return "not separable", (
            f"Not separable from its control{'s' * (len(failed) > 1)}: the artifact raises the probability of "
            f"{name!r}, but by no more than {rival}, as far as can be told."
        )
    return "proven", f"Proven: the network uses the artifact as a sign of {name!r}."


def _few(n: int) -> str:
    return (
        f"Not separable for want of samples: a verdict takes {FEWEST} for each comparison, but one has only {n}; more "
        "samples would tell."
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
