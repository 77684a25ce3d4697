"""Repairs in words: the methods, what they chose, and what each achieved, for readers who do not know the field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from unhans.repair import Assessment, KnownArtifact, Outcome, Summary, TableTwo
from unhans.report.text.number_format import PROBABILITY, percent, points, range_written, samples_said, signed
from unhans.stats import Interval

METHOD_NAMES = {
    "uncorrected": "as it was",
    "unaltered": "fine-tuned on unaltered data (A)",
    "augmented": "fine-tuned with the artifact on all images (B)",
    "a_clarc": "A-ClArC",
    "p_clarc": "P-ClArC",
    "reactive": "reactive P-ClArC",
    "right_reasons": "right for the right reasons",
}
SHORT_NAMES = METHOD_NAMES | {
    "unaltered": "A: unaltered data",
    "augmented": "B: artifact on all",
    "right_reasons": "right reasons",
}
SOURCES = {
    "found": "images of the class with the artifact against its others",
    "pasted": "the same images with and without the artifact pasted",
}
ENOUGH = 0.8  # of the effect: a repair that takes away so much is counted
ORIGINS = {
    "train": "training samples, as no validation sample carries the artifact",
    "pasted": "validation images with the artifact pasted, as none is known to carry it",
}


def remarks_of(found: Assessment) -> tuple[str, ...]:
    """Say where a network was measured on other samples than validation images that carry the artifact."""
    remarks = []
    removed = "train" if found.removed is not None and found.removed_from == "train" else None
    relevance = found.relevance_on if found.relevance is not None and found.relevance_on in ORIGINS else None
    if removed and removed == relevance:
        remarks.append(f"Removal and relevance in the mask are measured on {ORIGINS[removed]}.")
    elif removed:
        remarks.append(f"Removal is measured on {ORIGINS[removed]}.")
    if relevance and relevance != removed:
        remarks.append(f"Relevance in the mask is measured on {ORIGINS[relevance]}.")
    if found.left_out:
        samples = samples_said(found.left_out)
        remarks.append(f"Left out of the validation images: {samples} with the artifact and no image without it.")
    return tuple(remarks)


class Named(NamedTuple):
    """What the sentences call the artifact and the class that it belongs to."""

    artifact: str = "the artifact"
    label: str = "its class"


UNNAMED = Named()


def artifact_name(known: KnownArtifact) -> str:
    """Name an artifact that is to be repaired, such as "the planted watermark"."""
    if known.source == "isolated":
        return f"the {known.name} artifact that was isolated from class {known.class_name!r}"
    return f"the {known.source} {known.name}"


def artifact_of_class(known: KnownArtifact) -> str:
    """Name an artifact and its class, each once."""
    name = artifact_name(known)
    return name if repr(known.class_name) in name else f"{name}, of class {known.class_name!r}"


def known_artifact_sentence(known: KnownArtifact) -> str:
    """Say which artifact is repaired, how many are known to carry it, and what a user should know about it."""
    carriers = " and ".join(f"{int(rows.sum())} {split}" for split, rows in known.carriers.items())
    some = any(rows.any() for rows in known.carriers.values())
    on = f"known to be on {carriers} images." if some else "whose carriers nobody knows."
    return " ".join((f"The artifact: {artifact_of_class(known)}, {on}", *artifact_remarks(known)))


def artifact_remarks(known: KnownArtifact) -> list[str]:
    """Say what is doubtful about an isolated artifact: that it is used at all, and by this network."""
    remarks, case = [], known.case
    if case is not None and not case.proven:
        verdict = "it was not measured"
        if case.proof is not None:
            found = case.proof.verdict
            verdict = f"the verdict is {found.name!r}{f' ({found.reason})' if found.reason else ''}"
        remarks.append(f"That the network uses the artifact of class {case.name!r} is not proven: {verdict}.")
    if known.other_network:
        remarks.append("Its effect was measured on another network.")
    return remarks


def outcome_line(outcome: Outcome) -> str:
    """Say in one line what a repair led to."""
    one = outcome.assessment
    return (
        f"accuracy {percent(one.clean.share)}, with the artifact {percent(one.added.share)}, "
        f"Δp {signed(one.effect.probability, 3)}; {outcome.seconds:.0f} s"
    )


def choice_said(outcome: Outcome) -> str:
    """Say what a method chose: the concept and its layer, or the weight in the loss; "" where nothing is chosen."""
    if outcome.weight is not None:
        return f"weight {outcome.weight:g}"
    one = outcome.concept
    if one is None:
        return ""
    return (
        f"{one.estimator} at {one.layer}, {one.spatial}, AUC {one.separation:.3f}, "
        f"from {one.n_affected} and {one.n_unaffected} images: {SOURCES[one.source]}"
    )


def choices_said(one: Summary) -> list[str]:
    """Say what a method chose in its seeds, each choice once."""
    return list(dict.fromkeys(filter(None, map(choice_said, one.runs))))


def repair_words(found: Iterable[Summary], named: Named = UNNAMED) -> dict[str, str]:
    """Say by the name of every method what it achieved and what it chose; see `achievement`."""
    words = {}
    for one in found:
        name, chosen = METHOD_NAMES[one.method], "; ".join(choices_said(one))
        words[f"{name[0].upper()}{name[1:]}"] = f"{achievement(one, named)}{f' Chosen: {chosen}.' if chosen else ''}"
    return words


def repair_headline(found: Sequence[Summary]) -> str:
    """Say in one line how many repairs take away most of the effect, and how many of these cost no accuracy.

    A training on unaltered data is no repair.
    """
    measured = [one for one in found if one.reduced is not None and one.method != "unaltered"]
    if not measured:
        return f"{len(found)} network{'s' * (len(found) != 1)} assessed with and without the artifact"
    good = [one for one in measured if one.reduced[1][0] >= ENOUGH]
    free = sum(one.kept is not None and one.kept.interval[1] >= 0 for one in good)
    cost = f", {'all' if free == len(good) else free or 'none'} without a measurable loss of accuracy" if good else ""
    if len(measured) == 1:
        if not good:
            return "The repair does not certainly take away 80 % of the artifact's effect"
        share = reduced_said(good[0].reduced[0]).replace(">", "over ")
        loss = f"{'without' if free else 'with'} a measurable loss of accuracy"
        return f"The repair takes away {share} of the artifact's effect, {loss}"
    takes = "take" if len(good) > 1 else "takes"
    return f"{len(good) or 'None'} of {len(measured)} repairs {takes} away at least 80 % of the artifact's effect{cost}"


def correction_sentence(before: Assessment, after: Assessment) -> str:
    """Say what a correction changed: the artifact's Δp and the accuracy on validation images."""
    effects = (signed(one.effect.probability, 3) for one in (before, after))
    return (
        f"The artifact's Δp goes from {' to '.join(effects)} (n = {after.effect.n}), accuracy from "
        f"{percent(before.clean.share)} to {percent(after.clean.share)} (n = {after.clean.n} validation images)."
    )


def achievement(one: Summary, named: Named = UNNAMED) -> str:
    """Say how much of the artifact's effect a method left, what it cost, and where the network still fails."""
    return " ".join(filter(None, (_left(one, named), _kept(one), _worst(one))))


def group_said(group: tuple[str, bool]) -> str:
    """Name a group: a class, with or without the artifact."""
    name, added = group
    return f"{name!r}, {'artifact added' if added else 'unaltered'}"


def basis(found: Iterable[Summary]) -> str:
    """Say what all numbers are of: images and seeds, and what the intervals are over."""
    found = list(found)
    seeds = sorted({len(one.runs) for one in found})
    n = found[0].clean.n
    said = f"{seeds[0]} seed{'s' * (seeds[0] != 1)}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    alone = "over the samples: one seed does not tell how much another training would differ"
    over = f"95 % intervals {alone if seeds == [1] else 'over seeds and samples'}"
    first = f"n = {n} validation images, Δp on n = {found[0].effect.n} of other classes; {said}; {over}."
    return " ".join((first, *dict.fromkeys(remark for one in found for remark in remarks_of(one.runs[0].assessment))))


def reduced_words(reduced: tuple[float, Interval]) -> tuple[str, str]:
    """Write by how much an effect is smaller, and the interval."""
    return reduced_said(reduced[0]), range_written(reduced[1], partial(percent, digits=0))


def reduced_said(share: float) -> str:
    """Write by how much an effect is smaller: "98 %", or that it grew."""
    if share < 0:
        return f"grew by {-100 * share:.0f} %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _left(one: Summary, named: Named) -> str:
    pasted = f"Pasting {named.artifact} on images of other classes changes the probability of {named.label}"
    said = f"{pasted} by {PROBABILITY.with_interval(one.effect.mean, one.effect.interval)}"
    if one.reduced is None:
        return f"{said}."
    share, (low, high) = one.reduced
    change = f"{-100 * share:.0f} % more" if share < 0 else f"{reduced_said(share).replace('>', 'over ')} less"
    unsure = ", which is no measurable change" if low <= 0 <= high else ""
    return f"{said}, {change} than before{unsure}."


def _kept(one: Summary) -> str:
    clean = f"{percent(one.clean.mean)} {range_written(one.clean.interval)} of unaltered images are classified right"
    if one.kept is None:
        return f"{clean}."
    change = points(one.kept.mean, one.kept.interval)
    low, high = one.kept.interval
    words = "fewer than before" if high < 0 else "more than before" if low > 0 else "no measurable change"
    return f"{clean}, {words} ({change})."


def _worst(one: Summary) -> str:
    name, added = one.group
    images = f"{name!r} {'with' if added else 'without'} the artifact"
    return f"Worst are images of {images}: {percent(one.worst.mean)} of them are right."


TRAINED = {"A": "A (unaltered)", "B": "B (artifact on all)"}
VALIDATED = {"A": "validation A, unaltered", "B": "validation B, artifact on all"}
PATTERN = "The pattern to look for: with the artifact B is right more often than A, and without it B loses nothing."


def table_two_basis(found: TableTwo) -> str:
    """Say how many images and seeds the numbers are of, and what the intervals are over."""
    cell = found.cells["A", "A"]
    seeds = f"{cell.seeds} seed{'s' * (cell.seeds != 1)}"
    images = f"n = {cell.n} validation images, {seeds}; 95 % intervals"
    if cell.seeds == 1:
        return f"{images} over the images (Wilson): one seed does not tell how much another training would differ."
    return f"{images} over seeds (Student's t) and images (Wilson)."


WORSE_ALIKE_BETTER = {  # what is said of network B beside A, by the images that both are tried on
    "B": (
        "With the artifact on all images B is right less often than A, {}: the pattern does not hold.",
        "With the artifact on all images no difference is measurable between B and A, {}.",
        "With the artifact on all images B is right more often than A, {}: the pattern holds.",
    ),
    "A": (
        "On unaltered images B is worse than A, {}: the pattern does not hold.",
        "On unaltered images B is not measurably worse than A, {}: nothing here speaks against the pattern.",
        "On unaltered images B is better than A, {}: the pattern holds.",
    ),
}


def pattern_sentences(found: TableTwo) -> list[str]:
    """Say whether the pattern of table 2 holds: B is right more often with the artifact, and not worse without it."""
    told = []
    for images, (worse, alike, better) in WORSE_ALIKE_BETTER.items():
        low, high = found.gains[images].interval
        told.append((better if low > 0 else worse if high < 0 else alike).format(_pair(found, images)))
    return told


def _pair(found: TableTwo, images: str) -> str:
    first, second = (percent(found.cells[letter, images].mean) for letter in ("B", "A"))
    gain = found.gains[images]
    over = "two shares of the same images" if gain.seeds == 1 else f"paired over {gain.seeds} seeds and by image"
    return f"{first} against {second}, a difference of {points(gain.mean, gain.interval)} ({over}, Newcombe)"
