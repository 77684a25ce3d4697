"""What a network does with and without an artifact, in one pass over the validation images (METHODS §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import covered_by, is_whole, put_on
from unhans.effects import Bench, Effect, Measurement, Portion, drawn, evenly, flip_effect, measure, portion, portion_of
from unhans.effects.interventions import pasted
from unhans.repair.known_artifact import Carried, OnBench
from unhans.stats import Area, Rate, area_of

Origin = Literal["train", "val", "pasted"]


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


Indices = NDArray[np.int64]


@dataclass(frozen=True)
class AssessmentPlan:
    """Which samples are measured.

    here: the artifact on a bench; samples: carriers that it is removed from, at most; most: validation images, None for
    all; most_explained: samples whose relevance is measured.
    """

    here: OnBench
    samples: int
    most: int | None
    most_explained: int

    @property
    def _usable(self) -> Indices:
        """Validation samples that have a clean image."""
        val = self.here.splits["val"]
        val = val[self.here.bench.labels[val] >= 0]
        exact = self.here.affected.source == "planted"
        return val if exact else np.setdiff1d(val, self.here.carriers("val"))

    @property
    def left_out(self) -> int:
        """Validation samples that have none."""
        return int((self.here.bench.labels[self.here.splits["val"]] >= 0).sum()) - len(self._usable)

    @property
    def pool(self) -> Indices:
        """What is predicted without and with the artifact."""
        usable, bench = self._usable, self.here.bench
        return np.sort(usable) if self.most is None else evenly(bench.labels, usable, self.most, bench.seed)

    @property
    def carriers(self) -> tuple[Origin, Indices]:
        """What the artifact is removed from: validation samples or, where none carries it, training samples."""
        split: Origin = "val" if len(self.here.carriers("val")) else "train"
        return split, drawn(self.here.carriers(split), self.samples, self.here.bench.seed)

    @property
    def explained(self) -> tuple[Origin, Indices]:
        """What is explained; without carriers, images of the class, that it is pasted on."""
        split, carriers = self.carriers
        seed, pool = self.here.bench.seed, self.pool
        if len(carriers):
            return split, drawn(carriers, self.most_explained, seed)
        own = pool[self.here.bench.labels[pool] == self.here.affected.label]
        return "pasted", drawn(own if len(own) else pool, self.most_explained, seed)


Advance = Callable[[int], None]
Indices = NDArray[np.int64]


def assess(
    bench: Bench,
    affected: Carried,
    splits: Mapping[str, Indices],
    *,
    samples: int = 500,
    images: int | None = None,
    explained: int = 64,
    advance: Advance = lambda images: None,
) -> Assessment:
    """Measure a network on validation images without the artifact, with it on all of them, and where it was removed.

    Every validation image is read once and predicted twice. Of a sample that carries a planted artifact the image
    before planting is taken; one that carries an isolated or a given artifact has no clean image: it is left out of
    everything but the removal (inpainting is measured there, and must not be mistaken for clean data).

    Args:
        bench: the network and a data set.
        affected: the artifact, its class and its carriers.
        splits: {"val": …} or {"train": …, "val": …}: the bench's indices of each split's samples, in the split's order.
            Training samples are looked at only where no validation sample carries the artifact.
        samples: of other classes that the effect is measured on, and carriers it is removed from, at most.
        images: validation images at most, as evenly over the classes as these allow; None is all of them.
        explained: samples at most whose relevance is measured.
        advance: called with a number of images whenever some are predicted or explained, `assess_work(…)` in all where
            every image can be read.

    Raises ValueError for splits that do not fit, and where there is no validation image to measure on, none of another
    class, or no network that gives finite logits.
    """
    plan = AssessmentPlan(OnBench(bench, affected, splits), samples, images, explained)
    measured = measure(plan.here.cleaned, plan.pool, {"added": pasted(plan.here)}, advance)
    labels, before, after = bench.labels[measured.indices], measured.before, measured.after["added"]
    removed, relevance = _removed(plan, measured, advance), _relevance(plan, advance)
    return Assessment(
        clean=_rate_of_each(before, labels),
        added=_rate_of_each(after, labels),
        removed=removed,
        groups=dict(_groups(bench, labels, {False: before, True: after})),
        effect=_effect(bench, measured, affected.label, samples),
        relevance=relevance,
        removed_from=None if removed is None else plan.carriers[0],
        relevance_on=None if relevance is None else plan.explained[0],
        area=_area(before, labels, affected.label),
        left_out=plan.left_out,
    )


def assess_work(
    bench: Bench,
    affected: Carried,
    splits: Mapping[str, Indices],
    *,
    samples: int = 500,
    images: int | None = None,
    explained: int = 64,
) -> int:
    """Return how many images an assessment predicts or explains, for a progress bar."""
    plan = AssessmentPlan(OnBench(bench, affected, splits), samples, images, explained)
    again = np.setdiff1d(plan.carriers[1], plan.pool)
    return 2 * len(plan.pool) + len(again) + len(plan.explained[1])


def _rate(logits: NDArray[np.float64], labels: Indices) -> Rate:
    return Rate(int((logits.argmax(1) == labels).sum()), len(labels))


def _rate_of_each(logits: NDArray[np.float64], labels: Indices) -> Rate:
    """Accuracy, and on which samples."""
    rate = _rate(logits, labels)
    return replace(rate, hits=np.packbits(logits.argmax(1) == labels).tobytes().hex())


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
    rows = np.isin(measured.indices, evenly(bench.labels, others, samples, bench.seed))
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
    here, target = plan.here, plan.here.affected.label
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
