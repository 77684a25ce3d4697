"""An isolated artifact beside the planted one, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unhans.report.text.numerals import change_written, samples_said

if TYPE_CHECKING:
    from unhans.effects import Known


def truth_sentence(truth: Known) -> str:
    """Say how far an isolated artifact is the planted one, and whether it has its effect."""
    return " ".join(filter(None, (_where(truth), _same(truth))))


def _where(truth: Known) -> str:
    found = (
        "The artifact was planted, so the truth is known: of what it was taken from, the isolated one was found in "
        f"{samples_said(truth.found)}, {truth.right} of the {truth.carriers} with the artifact among them"
    )
    if truth.iou is None:
        return f"{found}; it covers the whole image."
    return f"{found}, and covers it with an IoU of {truth.iou:.2f}." if truth.right else f"{found}."


def _same(truth: Known) -> str:
    if truth.effect is None:
        return ""
    effect = truth.effect
    return (
        "The planted artifact itself changes the probability by "
        f"{change_written(effect.probability, effect.probability_interval, 3)} on the same {samples_said(effect.n)}; "
        f"the isolated one's change lies {'inside' if truth.within else 'outside'} this interval."
    )
