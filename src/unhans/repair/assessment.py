"""What a network does with and without an artifact, in one pass over the validation images (METHODS §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import covered_by, is_whole, put_on
from unhans.effects import (
    Bench,
    Effect,
    Measurement,
    Portion,
    draw_evenly,
    drawn,
    flip_effect,
    measure,
    portion,
    portion_of,
)
from unhans.effects.interventions import pasted
from unhans.repair.known_artifact import OnBench
from unhans.stats import Area, Rate, area_of

Origin = Literal["train", "val", "pasted"]
Indices = NDArray[np.int64]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Assessment:
    """What a network does on validation images of all classes, with and without an artifact of one class.

    Attributes:
        clean: accuracy on images without the artifact (validation A).
        added: on the same images with it pasted on all of them (validation B).
        removed: on samples that carry it, after it was taken away, None where none are known.
        groups: accuracy by (class name, whether the artifact was added), of the classes that have images.
        effect: of pasting, on the images of other classes, towards the artifact's class.
        relevance: mean share of the positive relevance with respect to the artifact's class that lies inside its mask,
            on samples that carry it; None where there are none.
        removed_from: the split of the samples that it was taken away from: "val" or, where no validation sample carries
            it, "train".
        relevance_on: likewise, and "pasted" where nobody is known to carry it: on validation images of its class (of
            all classes, where that has none) with it pasted.
        area: under the ROC curve of the logit of the artifact's class against the largest other one, on the clean
            images; None where only one side has images.
        left_out: validation samples that carry it and of which no clean image exists: they are in no group, and neither
            in clean nor in added.
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


@dataclass(frozen=True)
class AssessmentPlan:
    """Which samples are measured.

    Attributes:
        here: the artifact on the bench of the network. Training samples are looked at only where no validation sample
            carries it.
        samples: of other classes that the effect is measured on, and carriers that it is removed from, at most.
        images: validation images at most, as evenly over the classes as these allow; None is all of them.
        most_explained: samples at most whose relevance is measured.
    """

    here: OnBench
    samples: int = 500
    images: int | None = None
    most_explained: int = 64

    @cached_property
    def _usable(self) -> Indices:
        """Validation samples that have a clean image."""
        val = self._labelled
        return val if self.here.known.source == "planted" else np.setdiff1d(val, self.here.carriers("val"))

    @property
    def _labelled(self) -> Indices:
        val = self.here.splits["val"]
        return val[self.here.bench.labels[val] >= 0]

    @property
    def left_out(self) -> int:
        """Validation samples that have none."""
        return len(self._labelled) - len(self._usable)

    @cached_property
    def pool(self) -> Indices:
        """What is predicted without and with the artifact."""
        usable, bench = self._usable, self.here.bench
        return np.sort(usable) if self.images is None else draw_evenly(bench.labels, usable, self.images, bench.seed)

    @cached_property
    def carriers(self) -> tuple[Origin, Indices]:
        """What the artifact is removed from: validation samples or, where none carries it, training samples."""
        split: Origin = "val" if len(self.here.carriers("val")) else "train"
        return split, drawn(self.here.carriers(split), self.samples, self.here.bench.seed)

    @cached_property
    def explained(self) -> tuple[Origin, Indices]:
        """What is explained; without carriers, images of the class, that it is pasted on."""
        split, carriers = self.carriers
        seed, pool = self.here.bench.seed, self.pool
        if len(carriers):
            return split, drawn(carriers, self.most_explained, seed)
        own = pool[self.here.bench.labels[pool] == self.here.known.label]
        return "pasted", drawn(own if len(own) else pool, self.most_explained, seed)

    @property
    def work(self) -> int:
        """How many images are predicted or explained, for a progress bar."""
        return 2 * len(self.pool) + len(np.setdiff1d(self.carriers[1], self.pool)) + len(self.explained[1])


def assess(plan: AssessmentPlan, advance: Advance = lambda images: None) -> Assessment:
    """Measure a network on validation images without an artifact, with it on all of them, and where it was removed.

    Every validation image is read once and predicted twice. Of a sample that carries a planted artifact the image
    before planting is taken; one that carries an isolated or a given artifact has no clean image: it is left out of
    everything but the removal (inpainting is measured there, and must not be mistaken for clean data).

    Args:
        plan: the artifact, the bench, and which samples.
        advance: called with a number of images whenever some are predicted or explained, `plan.work` in all where every
            image can be read.

    Raises:
        ValueError: there is no validation image to measure on, none of another class, or no network that gives finite
            logits.
    """
    bench, target = plan.here.bench, plan.here.known.label
    measured = measure(plan.here.cleaned, plan.pool, {"added": pasted(plan.here)}, advance)
    labels, before, after = bench.labels[measured.indices], measured.before, measured.after["added"]
    removed, relevance = _removed(plan, measured, advance), _relevance(plan, advance)
    return Assessment(
        clean=_rate(before, labels, of_each=True),
        added=_rate(after, labels, of_each=True),
        removed=removed,
        groups=dict(_groups(bench, labels, {False: before, True: after})),
        effect=_effect(bench, measured, target, plan.samples),
        relevance=relevance,
        removed_from=None if removed is None else plan.carriers[0],
        relevance_on=None if relevance is None else plan.explained[0],
        area=_area(before, labels, target),
        left_out=plan.left_out,
    )


def _rate(logits: NDArray[np.float64], labels: Indices, of_each: bool = False) -> Rate:
    """Accuracy; of_each: and on which samples."""
    right = logits.argmax(1) == labels
    return Rate(int(right.sum()), len(labels), np.packbits(right).tobytes().hex() if of_each else None)


def _groups(
    bench: Bench, labels: Indices, logits: Mapping[bool, NDArray[np.float64]]
) -> Iterable[tuple[tuple[str, bool], Rate]]:
    """Accuracy by class and by whether the artifact was added."""
    for label in np.unique(labels):
        rows = labels == label
        for added, values in logits.items():
            yield (str(bench.classes[label]), added), _rate(values[rows], labels[rows])


def _effect(bench: Bench, measured: Measurement, target: int, samples: int) -> Effect:
    others = measured.indices[bench.labels[measured.indices] != target]
    if not len(others):
        raise ValueError(f"the effect of an artifact needs validation images of classes other than {target}, got none")
    rows = np.isin(measured.indices, draw_evenly(bench.labels, others, samples, bench.seed))
    return flip_effect(measured.before[rows], measured.after["added"][rows], target, bench.seed)


def _removed(plan: AssessmentPlan, measured: Measurement, advance: Advance) -> Rate | None:
    """Accuracy on carriers without the artifact; those that were predicted so already are not predicted again."""
    chosen, bench = plan.carriers[1], plan.here.bench
    rows = np.isin(measured.indices, chosen)
    rates = [_rate(measured.before[rows], bench.labels[measured.indices[rows]])]
    again = np.setdiff1d(chosen, plan.pool)
    for images, kept in plan.here.cleaned.batches(again):
        rates.append(_rate(bench.predict(images), bench.labels[kept]))
        advance(len(kept))
    whole = Rate(sum(rate.correct for rate in rates), sum(rate.n for rate in rates))
    return whole if whole.n else None


def _relevance(plan: AssessmentPlan, advance: Advance) -> Portion | None:
    """Mean share of positive relevance inside the mask; None for an artifact that covers the whole image."""
    origin, chosen = plan.explained
    here, target = plan.here, plan.here.known.label
    if is_whole(here):
        advance(len(chosen))
        return None
    found: list[float] = []
    for images, kept in (here.cleaned if origin == "pasted" else here.bench).batches(chosen):
        if origin == "pasted":
            masks = list(covered_by(here, kept, tuple(images.shape[-2:])))
            images = put_on(here, images, kept)
        else:
            masks = [here.mask(int(index)) for index in kept]
        found += [portion(*pair) for pair in zip(here.bench.explain(images, target), masks, strict=True)]
        advance(len(kept))
    return portion_of(np.array(found), here.bench.seed) if found else None


def _area(logits: NDArray[np.float64], labels: Indices, target: int) -> Area | None:
    """How well the logit of the target above all others tells its images from the rest."""
    own = labels == target
    if not (own.any() and (~own).any()):
        return None
    scores = logits[:, target] - np.delete(logits, target, axis=1).max(1)
    return area_of(scores[own], scores[~own])
