"""How an isolated artifact compares with the one that was planted."""

from __future__ import annotations

from dataclasses import dataclass

from unhans.effects.effect import Effect


@dataclass(frozen=True)
class Known:
    """How an isolated artifact compares with the planted one.

    iou: of the pixels with more than half the largest alpha, mean over the compared samples that carry both, None for
    an isolated artifact that covers the whole image; carriers, found, right: of the samples that it was isolated from,
    how many carry the planted artifact, in how many the isolated one was found, and both;
    effect: of the planted artifact on the samples that the isolated one was pasted on; within: whether the isolated
    one's mean change of probability lies in the interval of the planted one's; None where it was not pasted.
    """

    iou: float | None
    carriers: int
    found: int
    right: int
    effect: Effect | None = None
    within: bool | None = None
