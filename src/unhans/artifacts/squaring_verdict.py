"""When a network is said to expect copied borders for a class, and how it is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unhans.artifacts.squaring import ORIENTATIONS, Orientation, Way
from unhans.artifacts.verdict import FEWEST, MINIMUM

if TYPE_CHECKING:
    from unhans.artifacts.effect import Effect
    from unhans.artifacts.squaring_effect import Change

NATURAL: tuple[Way, ...] = ("mirror", "crop")  # they leave nothing but the image's own structure at the border

DOES: dict[Way, str] = {
    "mirror": "mirroring",
    "crop": "cropping",
    "noise": "random pixels",
    "random_color": "a random colour",
    "color": "the chosen colour",
}


def expecting(changes: Sequence[Change]) -> tuple[Orientation, ...]:
    """Return the orientations in which copied borders make a network see the class.

    There, on at least 10 samples of other classes, mirroring and cropping both lower the class's probability against
    copying by at least 0.05, at the near end of the 95 % interval. Samples of the class do not decide: cropping takes
    a part of the object away and lowers their probability in any network. Nor do random pixels, which harm whatever
    they stand beside, and uniform colours, which are as smooth as copies and may be mistaken for them.

    It is a statement about the network, not about its training images: the streaks of copied pixels may also resemble
    what the class really looks like, as the towers of a church do.
    """
    return tuple(each for each in ORIENTATIONS if _expected(_of(changes, "others", each)))


def squaring_sentence(changes: Sequence[Change], name: str) -> str:
    """Say whether the network expects copied borders for a class, by how much, and what else raises its probability."""
    found = expecting(changes)
    shown = found or ORIENTATIONS
    said = "The network expects" if found else "No sign that the network expects"
    parts = [_others(others, bool(found)) for each in shown if (others := _of(changes, "others", each))]
    own = [_own(mine) for each in found if (mine := _of(changes, "class", each))]
    return " ".join([f"{said} copied borders for class {name!r}: {'; '.join(parts)}.", *own, *_more(changes)])


def _of(changes: Sequence[Change], group: str, orientation: Orientation) -> dict[Way, Change]:
    return {each.way: each for each in changes if (each.group, each.orientation) == (group, orientation)}


def _expected(others: dict[Way, Change]) -> bool:
    found = [others[way].effect for way in NATURAL if way in others]
    return bool(found) and all(each.n >= FEWEST and each.probability_interval[1] <= -MINIMUM for each in found)


def _others(others: dict[Way, Change], expected: bool) -> str:
    """What copying does on images of other classes of one orientation."""
    first = others[NATURAL[0]]
    by = " and ".join(f"{_said(others[way].effect, -1)} against {DOES[way]}" for way in NATURAL)
    few = f" (fewer than {FEWEST} decide nothing)" if first.effect.n < FEWEST else ""
    does = "raises" if expected else "changes"
    return (
        f"on {first.effect.n} {first.orientation} images of other classes{few}, copying {does} its probability by {by}"
    )


def _own(own: dict[Way, Change]) -> str:
    """What the other ways do to the class's own images of one orientation."""
    least, most = (pick(own.values(), key=lambda each: each.effect.probability) for pick in (max, min))
    lowers = all(each.effect.probability_interval[1] < 0 for each in own.values())
    does = "every other way lowers it, by" if lowers else "the other ways change it by"
    sign = -1 if lowers else 1
    ends = " to ".join(f"{_said(each.effect, sign)} ({DOES[each.way]})" for each in (least, most))
    return f"On its own {least.effect.n} {least.orientation} images {does} {ends}."


def _more(changes: Sequence[Change]) -> list[str]:
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
