"""What ways to make images square do to a class's output, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.artifacts import ORIENTATIONS, Way
from unhans.effects import FEWEST, MINIMUM, Effect
from unhans.effects.interventions import NATURAL, SquaringChange, SquaringEffect, changes_of

DOES: dict[Way, str] = {
    "mirror": "mirroring",
    "crop": "cropping",
    "noise": "random pixels",
    "random_color": "a random colour",
    "color": "the chosen colour",
}


def squaring_sentence(effect: SquaringEffect) -> str:
    """Say whether the network expects copied borders for a class, by how much, and what else raises its probability."""
    changes, found = effect.changes, effect.expected
    shown = found or ORIENTATIONS
    said = "The network expects" if found else "No sign that the network expects"
    parts = [_others(others, bool(found)) for each in shown if (others := changes_of(changes, "others", each))]
    own = [_own(mine) for each in found if (mine := changes_of(changes, "class", each))]
    return " ".join([f"{said} copied borders for class {effect.name!r}: {'; '.join(parts)}.", *own, *_more(changes)])


def _others(others: dict[Way, SquaringChange], expected: bool) -> str:
    """What copying does on images of other classes of one orientation."""
    first = others[NATURAL[0]]
    by = " and ".join(f"{_said(others[way].effect, -1)} against {DOES[way]}" for way in NATURAL)
    few = f" (fewer than {FEWEST} decide nothing)" if first.effect.n < FEWEST else ""
    does = "raises" if expected else "changes"
    return (
        f"on {first.effect.n} {first.orientation} images of other classes{few}, copying {does} its probability by {by}"
    )


def _own(own: dict[Way, SquaringChange]) -> str:
    """What the other ways do to the class's own images of one orientation."""
    least, most = (pick(own.values(), key=lambda each: each.effect.probability) for pick in (max, min))
    lowers = all(each.effect.probability_interval[1] < 0 for each in own.values())
    does = "every other way lowers it, by" if lowers else "the other ways change it by"
    sign = -1 if lowers else 1
    ends = " to ".join(f"{_said(each.effect, sign)} ({DOES[each.way]})" for each in (least, most))
    return f"On its own {least.effect.n} {least.orientation} images {does} {ends}."


def _more(changes: Sequence[SquaringChange]) -> list[str]:
    """What raises the class's probability even above that with copied borders, on images of other classes."""
    found = [
        f"{DOES[each.way]} ({each.orientation}) by {_said(each.effect)}"
        for each in changes
        if each.group == "others" and each.effect.n >= FEWEST and each.effect.probability_interval[0] >= MINIMUM
    ]
    return [f"Above copying it is raised on other classes: {', '.join(found)}."] if found else []


def _said(effect: Effect, sign: int = 1) -> str:
    """A change of the probability, or with sign −1 its opposite."""
    low, high = sorted(sign * end for end in effect.probability_interval)
    mean, low, high = (round(value, 2) + 0.0 for value in (sign * effect.probability, low, high))  # no −0.00
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")
