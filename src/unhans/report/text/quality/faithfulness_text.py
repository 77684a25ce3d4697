"""Whether heatmaps are right, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from unhans.faithfulness import estimate_mean
from unhans.report.text.number_format import cost_estimate, duration, percent, range_written, shorten, signed
from unhans.stats import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unhans.faithfulness import MethodSummary, RandomizedStep, RegionPerturbation

ORDER_NAMES = {"morf": "most relevant first", "lerf": "least relevant first", "random": "random order"}
REPLACED = {
    "uniform": "uniform noise",
    "dirichlet": "random mixtures of other images’ pixels",
    "constant": "a constant",
    "mean": "the image’s mean colour",
    "blur": "the blurred image",
    "inpaint": "Telea’s inpainting",
    "flip": "pixels flipped about the middle of their range",
}
SCORES = {"logit": "logit", "probability": "probability"}
TARGETS = {"predicted": "the predicted class", "label": "the label"}
MEASURE_HEADINGS = {
    "entropy": "entropy, nats",
    "normalised_entropy": "entropy / ln pixels",
    "gini": "Gini index",
    "effective_area": "effective area",
    "top_share": "in top 5 %",
    "png_bytes": "PNG, bytes",
    "continuity_translated": "change, moved",
    "continuity_rotated": "change, turned",
    "continuity_noisy": "change, noisy",
    "class_similarity": "cosine within class",
}
FAITHFULNESS_READING = (
    "AOPC: mean fall of the score over all steps, larger is better where the most relevant regions go first and "
    "smaller where the least relevant do. Minus random: the same image’s AOPC in random order taken off. Changed: "
    "share of images whose predicted class is another after the last step (V). The area above the curve of the mean "
    "score is AOPC times the number of steps plus one. Intervals are 95 % bootstrap intervals over images."
)
AHEAD_READING = "Ahead of it: AOPC of the first method minus this one’s."
MEASURES_READING = (
    "Means over images with 95 % intervals. Entropy, Gini index, effective area (exp(entropy) / pixels) and the share "
    "in the top 5 % of the pixels are of |R| / Σ |R|. Change: relative change of the map over that of the image, along "
    "copies that are moved by a pixel, turned by a degree or get noisier. Cosine: with maps of other images of the "
    "class; the lower, the more specific. None of these says that a map is right."
)
CHANGES_READING = (
    "Bars: share of images and repeats whose predicted class is another for the first time after these steps; above "
    "their sum, and V, the share with another class after the last step. Predictions may turn back."
)
SANITY_READING = (
    "Spearman’s rank correlation of |R| with that of the trained network, mean over images with 95 % interval. A "
    "method whose maps stay alike shows what any network would see in the image, such as its edges."
)
LABELS_READING = (
    "A low correlation tells something only of a method whose heatmaps are alike for two networks trained on the true "
    "labels: analysis.permuted with the checkpoint of such a one, from another start, shows it."
)
PERMUTED, UNTRAINED = "trained on permuted labels", "not trained"  # networks that heatmaps are held against
LEARNED = 0.9  # share of permuted labels from which a network has learned them
NAMED = 5  # classes in a sentence
FEWEST_OF_CLASS = 6  # images that tell something of a class: six of one sign come by chance in 1 of 32 cases
ALIKE = 0.5  # Spearman's correlation from which maps of a random network count as alike


def setting_sentence(perturbation: RegionPerturbation, regions: int, target: str, images: int) -> str:
    """Say what was measured."""
    p = perturbation
    what = "pixel" if p.region == 1 else f"region of {p.region}×{p.region} pixels"
    several = what.replace("region", "regions") if p.region > 1 else "pixels"
    each = f"{p.per_step} {several} at a time" if p.per_step > 1 else f"one {what} after the other"
    share = percent(min(1.0, p.steps * p.per_step / regions), 0)
    drawn = "noise and random order are" if p.draws("morf") > 1 else "random order is"
    times = f"; {drawn} drawn {p.repeats} times" if p.repeats > 1 else ""
    return (
        f"The {SCORES[p.of]} of {TARGETS[target]} of {images} images, while {each}, {p.steps} times or "
        f"{share} of the image, is replaced by {REPLACED[p.replace]}{times}."
    )


def faithfulness_cost(passes: int, seconds: float, images: int, done: int) -> str:
    """Say what is to be computed, and how long that takes."""
    there = f" {done} of the measures of a method and class are there already." if done else ""
    if not passes:
        return f"Nothing is left to perturb of {images} images.{there}"
    estimate = cost_estimate(passes, seconds)
    return f"{images} images; {passes:,} perturbed images pass the network{estimate}, and heatmaps besides.{there}"


def estimate_said(one: Estimate, digits: int = 3) -> tuple[str, str]:
    """Write a difference and its interval."""
    if math.isnan(one.mean):
        return "–", ""
    return signed(one.mean, digits), range_written(one.interval, lambda end: signed(end, digits))


def method_sentence(one: MethodSummary) -> str:
    """Say whether a method's order is better than a random one."""
    order = "morf" if "morf" in one.minus_random else "lerf"
    better = 1 if order == "morf" else -1
    found = one.minus_random[order]
    value, interval = estimate_said(found)
    low, high = sorted((better * found.interval[0], better * found.interval[1]))
    said = "better than" if low > 0 else "worse than" if high < 0 else "not told from"
    return f"{one.name}: {said} random order ({ORDER_NAMES[order]}, AOPC minus random {value} {interval}, n = {one.n})."


def ahead_sentence(first: MethodSummary, others: Sequence[MethodSummary]) -> str:
    """Say what the first method is ahead of, behind, and not told from."""
    sign = 1 if "morf" in first.minus_random else -1  # of least relevant first the lower AOPC is the better one

    def names(test: bool | None) -> str:
        found = []
        for one in others:
            low, high = sorted((sign * one.ahead.interval[0], sign * one.ahead.interval[1]))
            place = True if low > 0 else False if high < 0 else None
            if place is test:
                found.append(f"{one.name} ({' '.join(estimate_said(one.ahead))})")
        return ", ".join(found)

    parts = [(names(True), "ahead of"), (names(None), "not told from"), (names(False), "behind")]
    return f"{first.name} is " + "; ".join(f"{word} {them}" for them, word in parts if them) + "."


def class_sentence(name: str, classes: Mapping[str, Estimate], order: str) -> str:
    """Say for which classes a method's order is better than a random one.

    Args:
        name: of the method.
        classes: AOPC minus random by class.
        order: that it is of.
    """
    sign = 1 if order == "morf" else -1
    enough = {each: one for each, one in classes.items() if one.n >= FEWEST_OF_CLASS}
    ends = {each: sorted((sign * one.interval[0], sign * one.interval[1])) for each, one in enough.items()}
    better = [each for each, (low, _) in ends.items() if low > 0]
    worse = [each for each, (low, high) in ends.items() if high < 0 and not low > 0]
    told = (("better than", better), ("worse than", worse))
    parts = [f"{word} random order in {_several(each)}" for word, each in told if each]
    rest, few = len(enough) - len(better) - len(worse), len(classes) - len(enough)
    parts += [f"not told from it in {rest}"] if rest else []
    parts += [f"too few images to tell in {few}, which takes {FEWEST_OF_CLASS} (analysis.per_class)"] if few else []
    most = max(one.n for one in classes.values())
    return f"{name}, {len(classes)} classes apart: {'; '.join(parts)} (n = {most} each, or fewer)."


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} ({', '.join(shorten(name, 30) for name in names[:NAMED])}{more})"


def sanity_sentence(name: str, steps: Sequence[RandomizedStep]) -> str:
    """Say whether a method's maps still look alike once every layer is random."""
    last = steps[-1].absolute
    found = estimate_mean(last, 0, 1.0)
    depend = _depend(found.mean, "what the network has learned")
    if math.isnan(found.mean):
        return f"{name}: {depend}; {_constant(last)}."
    return f"{name}: {depend} (Spearman’s ρ of |R| {found.mean:.2f} once all are random{_left_out(last)})."


def _depend(correlation: float, on: str) -> str:
    if math.isnan(correlation):
        return f"whether heatmaps depend on {on} is not known"
    return f"heatmaps {'depend little on' if correlation >= ALIKE else 'change with'} {on}"


def _constant(correlations: NDArray[np.floating]) -> str:
    """Say how many images have no rank correlation."""
    missing = int(np.isnan(correlations).sum())
    return f"one of the two maps is constant for {missing} of {len(correlations)} images"


def _left_out(correlations: NDArray[np.floating]) -> str:
    return f"; {_constant(correlations)}, which are left out" if np.isnan(correlations).any() else ""


def permuted_cost(images: int, seconds: float) -> str:
    """Say what training on permuted labels takes; a step forward and back as three passes forward."""
    estimate = "" if math.isnan(seconds) else f", about {duration(3 * images * seconds)}"
    return f"Before that a network is trained on permuted labels: {images:,} images pass it forward and back{estimate}."


def permuted_sentence(learned: Estimate | None) -> str:
    """Say how far the network that was trained on permuted labels has learned them."""
    if learned is None:
        return "How many of its permuted labels the given network has learned is not known."
    share = f"{percent(learned.mean, 0)} {range_written(learned.interval, lambda end: percent(end, 0))}"
    said = f"The network trained on permuted labels gives {share} of n = {learned.n} training images theirs"
    weak = "; it has not learned them, so the check says little: train it longer (analysis.permuted_epochs)"
    return f"{said}{'' if learned.mean >= LEARNED else weak}."


def label_sentence(name: str, steps: Sequence[RandomizedStep]) -> str:
    """Say whether a method's maps look alike when the network was trained on permuted labels."""

    def written(step: RandomizedStep) -> str:
        found = estimate_mean(step.absolute, 0, 1.0)
        return "unknown" if math.isnan(found.mean) else " ".join(estimate_said(found, 2))

    permuted, untrained = steps
    depend = _depend(estimate_mean(permuted.absolute, 0, 1.0).mean, "the labels that the network was trained on")
    missing = [int(np.isnan(step.absolute).sum()) for step in steps]
    left_out = f"; left out, as one of the two maps is constant: {missing[0]} and {missing[1]}" if any(missing) else ""
    return (
        f"{name}: {depend} (Spearman’s ρ of |R|: {written(permuted)} with permuted ones, {written(untrained)} with an "
        f"untrained network, n = {len(permuted.absolute)}{left_out})."
    )
