"""What pairs of pictures show that a person made, and what they cannot prove."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unhans.effects import FEWEST, PairEffect
from unhans.report.text.number_format import PROBABILITY, percent, range_written, shorten

LONGEST = 40  # characters of a class
PAIRS_LIMITS = (
    "What such pairs cannot prove: the pictures were chosen and changed by hand, so the intervals tell what more pairs "
    "made in the same way would give, not what images as they come would; and all that differs between two pictures "
    "counts, edges, brightness and compression as well."
)
NO_CONTROL = (
    "No pair has a control, so any other change of the pictures may do as much: give a picture that is changed as much "
    "in another way, in the column control."
)
CONTROL_LIMIT = "A control speaks of itself alone: another one may do more or less."
PAIRS_READING = (
    "Mean changes towards the class, each with its 95 % interval: Δrank of its rank (positive: towards the top), Δp of "
    "its probability; became, lost: pictures newly predicted as it, and no longer. n counts different pictures before; "
    "pairs of one picture count as one, by their mean."
)


def pairs_setting(pairs: int, controlled: int, name: str | None, unread: int) -> str:
    """Say what was measured.

    Args:
        pairs: that were measured.
        controlled: those of them with a control.
        name: of the class of all pairs; None where there are several.
        unread: pairs that were left out.
    """
    towards = "the class of each" if name is None else repr(shorten(name, LONGEST))
    text = f"{pairs} pair{'s' * (pairs != 1)} of pictures, {controlled or 'none'} with a control, towards {towards}."
    return text + f" Left out, as a picture cannot be read: {unread}." * bool(unread)


def pairs_heading(start: int, end: int, shown: int, pairs: int) -> str:
    """Name a figure with the pairs start … end of those that are shown, large changes first, then typical ones."""
    if shown == pairs:
        return f"Pairs {start + 1} to {end} of {pairs}, by the size of the change"
    part = "" if (start, end) == (0, shown) else f", {start + 1} to {end}"
    return f"{shown} of {pairs} pairs: the largest changes, then typical ones{part}"


def pairs_headline(effects: Sequence[PairEffect]) -> str:
    """Say in a line whether the change does anything, and whether it does more than the control."""
    own, *rest = effects
    if own.effect.n < FEWEST:
        return f"Fewer than {FEWEST} different pictures: too few to say anything"
    if not _beyond_zero(own):
        return "No change of the probability is shown"
    said = f"The change {'raises' if own.effect.probability > 0 else 'lowers'} the probability of the class"
    if not rest:
        return f"{said}; without a control nobody knows why"
    more = rest[-1]
    same_way = (more.effect.probability > 0) == (own.effect.probability > 0)
    if more.effect.n < FEWEST or not _beyond_zero(more) or not same_way:
        return f"{said}, but not shown to be more than the control does"
    return f"{said} beyond what the control does"


def pairs_sentences(effects: Sequence[PairEffect], predicted: bool) -> Iterator[str]:
    """Say what every step does, and what has to be known beside it.

    predicted: the class of each pair is that which was predicted before.
    """
    for one in effects:
        yield pair_sentence(one)
    own = effects[0]
    if own.pairs > own.effect.n:
        yield (
            f"{own.pairs} pairs change {own.effect.n} different pictures; pairs of one picture count as one, by their "
            "mean."
        )
    if predicted:
        yield (
            "No class was given, so it is the class that is predicted before: chance alone makes it likelier before "
            "than after, and a fall says little without a control."
        )
    yield NO_CONTROL if len(effects) == 1 else CONTROL_LIMIT


def pair_sentence(one: PairEffect) -> str:
    """Say what one step does, such as "after − before: Δp +0.612 [+0.580, +0.645]; …"."""
    shares = (one.effect.share, one.effect.share_interval), (one.lost, one.lost_interval)
    became, lost = (f"{percent(share)} {range_written(interval)}" for share, interval in shares)
    return (
        f"{one.step}: Δp {PROBABILITY.in_full(one.effect)} from {one.effect.n} pictures; newly predicted as the class "
        f"{became}, no longer {lost}."
    )


def changed_sentences(unchanged: int, whole: int, ignored: Sequence[str]) -> Iterator[str]:
    """Say which pairs differ nowhere or everywhere, and which columns of the table were not used."""
    if unchanged:
        yield f"Pairs whose pictures are the same to the network: {unchanged}. They count as no change."
    if whole:
        yield (
            f"Pairs that differ in most of the image, as after another compression or a change of brightness: {whole}."
        )
    if ignored:
        yield f"Columns of the table that are not used: {', '.join(ignored)}."


def _beyond_zero(one: PairEffect) -> bool:
    low, high = one.effect.probability_interval
    return low > 0 or high < 0
