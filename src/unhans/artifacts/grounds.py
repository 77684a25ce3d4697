"""The grounds of a verdict in plain words, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.artifacts.effect import Effect
from unhans.artifacts.numerals import change_said, samples_said, share_said
from unhans.artifacts.ruling import Rival
from unhans.artifacts.trial import OTHER, Trial

COLOURS = {
    "mean colour": "its area in its mean colour",
    "random colour": "its area in a random colour",
    "area averaged": "the mean colour of the pixels under it",
    "opposite change": "as large a change in the opposite direction",
    "colours exchanged": "the same change with its colour channels exchanged",
    "as strong noise": "random noise as strong on each image",
}
_OF_WHOLE_IMAGES = "opposite change"  # a control of transforms alone
_ELSEWHERE = {"undo": "the opposite of undoing it"}  # what a removal is held against, by its fill
PATCH = "patch of the class"


def effect_said(effect: Effect, name: str) -> str:
    """Say what the artifact does to samples of other classes."""
    return (
        f"Pasted on {samples_said(effect.n)} of other classes, the artifact changes the probability of {name!r} by "
        f"{probability_said(effect)}, its logit by {change_said(effect.logit, effect.logit_interval, 2)} and its rank "
        f"by {change_said(effect.rank, effect.rank_interval, 2)}; {share_said(effect.share, effect.share_interval)} of "
        f"them are newly predicted as {name!r} (95 % intervals)."
    )


def controls_said(rivals: Sequence[Rival]) -> str:
    """Say what each control does, those that the artifact cannot be told from first, and which there are none of."""
    failed, passed = ([rival for rival in rivals if rival.surpassed is does] for does in (False, True))
    told = []
    if failed:
        told.append(f"The artifact cannot be told from its control{'s' * (len(failed) > 1)}: {_doings(failed)}.")
    if passed:
        number = len(passed) + len(failed)
        which = "its only control" if number == 1 else "the others" if failed else f"each of its {number} controls"
        told.append(f"{'It' if failed else 'The artifact'} does more than {which}: {_doings(passed)}.")
    return " ".join([*told, *_missing([rival.control.name for rival in (*passed, *failed)])])


def removal_said(effect: Effect, fill: str, elsewhere: Effect, name: str, grade: str) -> str:
    """Say what taking the artifact away does to affected samples, beside the control; grade: what follows."""
    return (
        f"Taken away from {effect.n} affected {'sample' if effect.n == 1 else 'samples'} (fill: {fill}), it changes "
        f"the probability of {name!r} by {probability_said(effect)} and its logit by "
        f"{change_said(effect.logit, effect.logit_interval, 2)}; "
        f"{_ELSEWHERE.get(fill, 'the same area filled elsewhere')} changes the "
        f"probability by {probability_said(elsewhere)}: {grade}."
    )


def control_said(control: Trial) -> str:
    """Say what a control is."""
    if control.name == OTHER:
        return f"its effect on {control.detail!r}, the class that gains most from it besides"
    return COLOURS.get(control.name, "a patch of the class in its area" if control.name == PATCH else control.name)


def probability_said(effect: Effect) -> str:
    """Write the change of the probability with its interval."""
    return change_said(effect.probability, effect.probability_interval, 3)


def _doings(rivals: Sequence[Rival]) -> str:
    return "; ".join(
        f"{_doing(rival.control)} (difference: {change_said(rival.more, rival.interval, 3)})" for rival in rivals
    )


def _doing(control: Trial) -> str:
    if control.name == OTHER:
        gains = probability_said(control.effect)
        return f"the artifact changes that of {control.detail!r}, the class that gains most from it besides, by {gains}"
    return f"{control_said(control)} changes the probability by {probability_said(control.effect)}"


def _missing(names: Sequence[str]) -> list[str]:
    """Say which of the usual controls could not be had; the trials leave them out for these reasons alone."""
    told = []
    if PATCH not in names and _OF_WHOLE_IMAGES not in names:
        told.append("The patch of the class is left out: too few samples of it are known to be without the artifact.")
    if OTHER not in names:
        told.append("Its effect on another class is left out: there are only two classes.")
    return told
