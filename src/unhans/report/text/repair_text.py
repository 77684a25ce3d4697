"""What every method of repair achieved, in sentences that need no knowledge of the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from unhans.repair import Summary
from unhans.report.text.number_format import percent, percent_range, points
from unhans.report.text.numerals import samples_said, signed
from unhans.stats import Estimate

if TYPE_CHECKING:
    from unhans.repair import Assessment


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


def repair_sentences(found: Iterable[Summary], named: Named = UNNAMED) -> list[str]:
    """Name every method, and say what it achieved; see `achievement`."""
    return [f"{_named(one)}: {achievement(one, named)}" for one in found]


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
    seeds = sorted({one.seeds for one in found})
    n = found[0].clean.n
    said = f"{seeds[0]} seed{'s' * (seeds[0] != 1)}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
    alone = "over the samples: one seed does not tell how much another training would differ"
    over = f"95 % intervals {alone if seeds == [1] else 'over seeds and samples'}"
    first = f"n = {n} validation images, Δp on n = {found[0].effect.n} of other classes; {said}; {over}."
    return " ".join((first, *dict.fromkeys(remark for one in found for remark in remarks_of(one.assessment))))


def delta_said(value: Estimate) -> str:
    """Write Δp with its interval, such as "+0.444 [+0.390, +0.500]"."""
    return f"{signed(value.mean, 3)} [{signed(value.interval[0], 3)}, {signed(value.interval[1], 3)}]"


def reduced_said(share: float) -> str:
    """Write by how much an effect is smaller: "98 %", or that it grew."""
    if share < 0:
        return f"grew by {-100 * share:.0f} %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def _named(one: Summary) -> str:
    chosen = f" ({'; '.join(one.notes)})" if one.notes else ""
    return f"{one.name[0].upper()}{one.name[1:]}{chosen}"


def _left(one: Summary, named: Named) -> str:
    pasted = f"Pasting {named.artifact} on images of other classes changes the probability of {named.label}"
    said = f"{pasted} by {delta_said(one.effect)}"
    if one.reduced is None:
        return f"{said}."
    share, (low, high) = one.reduced
    change = f"{-100 * share:.0f} % more" if share < 0 else f"{reduced_said(share).replace('>', 'over ')} less"
    unsure = ", which is no measurable change" if low <= 0 <= high else ""
    return f"{said}, {change} than before{unsure}."


def _kept(one: Summary) -> str:
    clean = f"{percent(one.clean.mean)} {percent_range(one.clean.interval)} of unaltered images are classified right"
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
