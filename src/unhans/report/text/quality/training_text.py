"""The quality of heatmaps over epochs, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unhans.faithfulness.training import ACCURACY, MAIN, followed
from unhans.report.text.number_format import percent, range_written, signed
from unhans.report.text.quality.faithfulness_text import MEASURE_HEADINGS, SCORES, TARGETS
from unhans.stats import FEWEST, RankCorrelation

if TYPE_CHECKING:
    from unhans.faithfulness import RegionPerturbation
    from unhans.faithfulness.training import MeasuredEpoch

OTHERS = {"epochs": "epochs", ACCURACY: "accuracy"}
QUALITY_READING = (
    "AOPC: mean fall of the score while regions are replaced, the most relevant first; random order of the same image "
    "is taken off. Bands: 95 % intervals over images. ρ: Spearman’s, with a 95 % interval that takes epochs for "
    "independent. Logits grow with training whether or not heatmaps become better; the share of images whose AOPC is "
    "above random does not depend on their scale."
)
EPOCHS_READING = (
    "Epochs: how many the network had been trained for; Lightning counts from 0, so that epoch_000.ckpt is the network "
    "after 1 epoch."
)
QUALITY_HEADINGS = MEASURE_HEADINGS | {
    MAIN: "AOPC minus random order",
    "aopc": "AOPC",
    "better_than_random": "images above random",
    ACCURACY: "accuracy",
}
REGIONS_READING = (
    "In parts of all |R|: positive relevance in the region above zero, negative below, means over images. Net: the sum "
    "of both with its 95 % interval over images; below zero, what lies there speaks against the class. Were relevance "
    "even, a region would have its share of the pixels. n: images that have the region."
)


def quality_subtitle(perturbation: RegionPerturbation, target: str, n: int, method: str) -> str:
    """Say what was measured in every epoch."""
    p = perturbation
    what = "pixels" if p.region == 1 else f"regions of {p.region}×{p.region} pixels"
    each = f"{p.steps * p.per_step} {what} replaced, {p.per_step} at a time"
    return f"{method}; {SCORES[p.of]} of {TARGETS[target]} of n = {n} images, {each}"


def epoch_heading(name: str) -> str:
    """Return what a measure of an epoch is called; of a region's it is its net share."""
    if name.startswith("share/"):
        return f"net, {name.removeprefix('share/').rpartition('/')[0]}"
    return QUALITY_HEADINGS.get(name, name)


def checkpoints_sentence(files: Mapping[int, str]) -> str:
    """Say which files the checkpoints are; files: their names by epochs of training, ascending."""
    first, last = (f"{files[epoch]} after {epoch_count(epoch)}" for epoch in (min(files), max(files)))
    return f"{len(files)} checkpoints, from {first} of training to {last}."


def epoch_count(epochs: int) -> str:
    """Write a number of epochs."""
    return "1 epoch" if epochs == 1 else f"{epochs} epochs"


def course_sentences(points: Sequence[MeasuredEpoch], regions: Sequence[str]) -> list[str]:
    """Say of what is followed whether it rises with epochs and with accuracy."""
    names = [MAIN, "better_than_random", *(f"share/{region}/net" for region in regions)]
    return [
        f"{epoch_heading(name)}: {followed_sentence(points, name) or 'too few epochs to tell its course'}."
        for name in names
    ]


def correlation_said(found: RankCorrelation) -> str:
    """Write a rank correlation with its interval."""
    if math.isnan(found.rho):
        return "–"
    return f"{signed(found.rho, 2)} {range_written(found.interval, lambda end: signed(end, 2))}"


def followed_sentence(points: Sequence[MeasuredEpoch], name: str = MAIN) -> str:
    """Say whether a measure rises with epochs and with accuracy; nothing of three epochs, whose order says nothing."""
    every = followed(points, name).items()
    found = {other: one for other, one in every if one.n >= FEWEST and not math.isnan(one.rho)}
    if not found:
        return ""
    said = " and ".join(f"{correlation_said(one)} with {OTHERS[other]}" for other, one in found.items())
    return f"ρ = {said}, {next(iter(found.values())).n} epochs"


def quality_line(points: Sequence[MeasuredEpoch]) -> str:
    """Say in a line what the last epoch gave, and what all of them say together."""
    last = points[-1]
    main = last.values[MAIN]
    interval = range_written(main.interval, lambda end: signed(end, 3))
    when = f"after epoch {last.epoch}" if last.epoch else "before training"
    said = f"{when}: AOPC of the heatmaps minus random {signed(main.mean, 3)} {interval}, n = {main.n}"
    if ACCURACY in last.values:
        said += f"; accuracy {percent(last.values[ACCURACY].mean)}"
    together = followed_sentence(points)
    return f"{said}; {together}" if together else said
