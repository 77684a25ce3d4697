"""A ruling in plain words: what it means, which test it rests on, and what a decision would take."""

from __future__ import annotations

from collections.abc import Sequence

from unhans.artifacts.comparison import ARTIFACT, MINIMUM, Comparison
from unhans.artifacts.effect import Effect
from unhans.artifacts.grounds import control_said
from unhans.artifacts.numerals import samples_said, share_said
from unhans.artifacts.ruling import FEWEST, Rival, Ruling, decisive
from unhans.artifacts.trial import Trial

_LEAST = 1e-12  # p-values below are not told apart
NO_NUMBER = "No number of samples like these would tell: the effect lies too near to that bound."
NO_MORE = "More samples like these would not help, as it does no more than that control."


def proven_said(name: str) -> str:
    """Say what "proven" means."""
    return f"Proven: the network uses the artifact as a sign of {name!r}."


def multiplicity_said(tests: int) -> str:
    """Say that an effect is not sure enough among many."""
    among = "for this look" if tests == 1 else f"among the {tests} tests of this look"
    return f"Open: alone its effect would be proven, but it is not sure enough {among}."


def summary_said(ruling: Ruling, effect: Effect, rivals: Sequence[Rival], name: str) -> str:
    """Say what a ruling means."""
    if ruling.name == "proven":
        return proven_said(name)
    if ruling.name == "not used":
        return f"Not used: for the network, the artifact alone is no sign of {name!r}."
    decided = [rival for rival in rivals if rival.control.name in ruling.decided_by]
    said = {
        "too few samples": _few(min((rival.n for rival in decided), default=effect.n)),
        "flips alone": _flips(effect, name),
        "neither shown nor excluded": f"an effect of {MINIMUM} or more is neither shown nor excluded by "
        f"{samples_said(effect.n)}.",
        "not told from a control": _as_control(decided, name),
    }
    return f"Open: {said[str(ruling.reason)]}"


def missing_said(ruling: Ruling, added: Sequence[Trial]) -> str:
    """Say what a decision would take; "" where there is one."""
    if ruling.name != "open":
        return ""
    if ruling.reason == "flips alone":
        return "A network that tells the classes apart, such as one trained for longer, would tell."
    if ruling.reason == "too few samples":
        units = _units(added, ruling.decided_by)
        return f"{FEWEST} {units} or more for each comparison."
    needed = decisive(added, ruling.decided_by)
    if ruling.decided_by == (ARTIFACT,):
        return _needed_for_effect(needed[0])
    return _needed(_most([each.samples() for each in needed]), _units(added, ruling.decided_by), NO_MORE)


def more_said(comparison: Comparison, rate: float, added: Sequence[Trial]) -> str:
    """Say how many samples would reject a comparison at a rate."""
    return _needed(comparison.samples(rate), _units(added, (comparison.name,)), NO_NUMBER)


def tested_said(p_value: float, q_value: float, tests: int, rate: float) -> str:
    """Say how sure it is that the artifact has an effect beyond every control, and how sure it must be."""
    if tests == 1:
        return f"p {_written(p_value)}, at most {rate:.2g} is allowed."
    return (
        f"p {_written(p_value)}; adjusted for the {tests} tests of this look (Benjamini-Hochberg) "
        f"q {_written(q_value)}, at most {rate:.2g} is allowed."
    )


def _few(n: int) -> str:
    return f"too few samples. A verdict takes {FEWEST} for each comparison, but one has only {n}."


def _flips(effect: Effect, name: str) -> str:
    return (
        f"{share_said(effect.share, effect.share_interval)} of the samples are newly predicted as {name!r}, though its "
        "probability hardly moves (as where all classes are nearly equal)."
    )


def _as_control(failed: Sequence[Rival], name: str) -> str:
    rivals = " and ".join(control_said(each.control) for each in failed)
    return (
        f"not told from its control{'s' * (len(failed) > 1)}. The artifact raises the probability of {name!r}, but by "
        f"no more than {rivals}, as far as can be told."
    )


def _needed_for_effect(effect: Comparison) -> str:
    """How many samples would show an effect, or exclude it: whichever the mean speaks for."""
    if effect.values.mean() > effect.least:
        return _needed(effect.samples(), "samples", NO_NUMBER)
    return _needed(effect.samples_to_exclude(), "samples", NO_NUMBER)


def _needed(n: int | None, units: str, otherwise: str) -> str:
    return otherwise if n is None else f"About {_rounded(n)} {units} would decide, if more are like these."


def _most(numbers: Sequence[int | None]) -> int | None:
    """The largest number; None where one is."""
    return None if None in numbers else max(number for number in numbers if number is not None)


def _units(added: Sequence[Trial], names: Sequence[str]) -> str:
    """What is counted: samples, or the images that lend pixels to the controls."""
    lent = any(trial.donors is not None for trial in added[1:] if trial.name in names)
    return "images that lend their pixels" if lent else "samples"


def _rounded(n: int) -> int:
    """Two digits, upwards."""
    unit = 10 ** max(0, len(str(n)) - 2)
    return -(-n // unit) * unit


def _written(p_value: float) -> str:
    return f"= {p_value:.2g}" if p_value >= _LEAST else f"< {_LEAST:.0g}"
