"""How well a network does with and without an artifact: what a repair is measured by (METHODS §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from unhans.artifacts.area import Area
from unhans.artifacts.effect import Effect
from unhans.artifacts.interval import Interval, wilson
from unhans.artifacts.quality import Portion

Origin = Literal["train", "val", "pasted"]


@dataclass(frozen=True)
class Rate:
    """A share of n samples that are classified correctly.

    hits: which of them, a bit per sample in their order as a hexadecimal number; None where that is not known.
    """

    correct: int
    n: int
    hits: str | None = None

    @property
    def share(self) -> float:
        """The share, not a number where n is 0."""
        return self.correct / self.n if self.n else float("nan")

    @property
    def interval(self) -> Interval:
        """Wilson's 95 % interval of the share, [0, 1] where n is 0."""
        return wilson(self.correct, self.n) if self.n else (0.0, 1.0)


@dataclass(frozen=True)
class Assessment:
    """What a network does on validation images of all classes, with and without an artifact of one class.

    clean: accuracy on images without the artifact (validation A); added: on the same images with it pasted on all of
    them (validation B); removed: on samples that carry it, after it was taken away, None where none are known.
    groups: accuracy by (class name, whether the artifact was added), of the classes that have images. effect: of
    pasting, on the images of other classes, towards the artifact's class. relevance: mean share of the positive
    relevance with respect to the class of the artifact that lies inside its mask, on samples that carry it; None where
    there are none.

    removed_from: the split of the samples that it was taken away from: "val" or, where no validation sample carries it,
    "train". relevance_on: likewise, and "pasted" where nobody is known to carry it: on validation images of its class
    (of all classes, where that has none) with it pasted. area: area under the ROC curve of the logit of the artifact's
    class against the largest other one, on the clean images; None where only one side has images. left_out: validation
    samples that carry it and of which no clean image exists: they are in no group, and neither in clean nor in added.
    """

    clean: Rate
    added: Rate
    removed: Rate | None
    groups: dict[tuple[str, bool], Rate]
    effect: Effect
    relevance: Portion | None
    removed_from: Origin | None = None
    relevance_on: Origin | None = None
    area: Area | None = None
    left_out: int = 0

    @property
    def worst(self) -> tuple[tuple[str, bool], Rate]:
        """The group with the smallest accuracy; of several, the first."""
        return min(self.groups.items(), key=lambda item: item[1].share)
