"""What a network does with and without an artifact, in one pass over the validation images (METHODS §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.addition import pasted
from unhans.artifacts.area import Area, area_of
from unhans.artifacts.assessment import Assessment, Rate
from unhans.artifacts.assessment_plan import AssessmentPlan
from unhans.artifacts.bench import Bench
from unhans.artifacts.carried import Carried, OnBench
from unhans.artifacts.effect import Effect, flip_effect
from unhans.artifacts.measurement import Measurement, measure
from unhans.artifacts.put_on import covered_by, is_whole, put_on
from unhans.artifacts.quality import Portion, portion, portion_of
from unhans.artifacts.sampling import evenly

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
