"""Which group of samples the network serves worst, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.effects import FEWEST
from unhans.report.text.case_text import listed
from unhans.report.text.number_format import percent, points, range_written
from unhans.stats import GroupCount, widest_gap

GROUP_READING = (
    f"95 % intervals (Wilson). Against the best group: of the group with the lowest accuracy, where two groups have "
    f"{FEWEST} images or more; the interval holds for all pairs of groups at once."
)
GROUP_EFFECT_READING = "Mean changes by the artifact with their 95 % intervals, on images of other classes."
NAMED = 5  # empty groups


def gap_sentences(counts: Sequence[GroupCount], classes: Sequence[str]) -> list[str]:
    """Say how far the groups lie apart, and which group of one class is worst.

    Args:
        counts: of known groups, of all classes together and of each class.
        classes: names by label.
    """
    overall = [each for each in counts if each.label is None]
    small = [each for each in counts if each.label is not None and each.n < FEWEST]
    gap, told = widest_gap(overall, FEWEST), []
    if gap is None:
        told.append(f"Groups cannot be compared: fewer than two have {FEWEST} validation images or more.")
    else:
        low, _ = gap.interval
        sure = "" if low > 0 else "; no difference is shown"
        told.append(
            f"Widest gap: {gap.best.group!r} is {points(gap.value, gap.interval)} above {gap.worst.group!r} "
            f"(95 % at once for all pairs of {gap.groups} groups){sure}."
        )
    of_classes = [each for each in counts if each.label is not None and each.n >= FEWEST]
    if of_classes:
        worst = min(of_classes, key=lambda each: each.accuracy)
        said = f"{percent(worst.accuracy)} {range_written(worst.interval)} of {worst.n}"
        told.append(f"Worst group: class {classes[int(worst.label or 0)]!r}, {worst.group!r}: {said}.")
    if small:
        told.append(f"Too small to be the worst group (below {FEWEST} images): {len(small)} of class and group.")
    return told


def groups_headline(images: int, column: str) -> str:
    """Say what was counted."""
    return f"Accuracy of {images} validation images by {column}."


def unknown_groups_sentence(unknown: int, empty: Sequence[str], column: str) -> str:
    """Say how many validation images the table tells nothing of, and which of its groups have none; "" where none."""
    told = [f"{unknown} validation images have no {column!r} in the table; they are a row of their own."] * bool(
        unknown
    )
    told += [f"Groups without validation images: {listed(list(map(repr, empty)), NAMED)}."] * bool(empty)
    return " ".join(told)
