"""What a verdict is read off: the change of p by artifact, controls and removals, each with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from unhans.artifacts.trial import Trial, gap
from unhans.artifacts.verdict import MINIMUM

if TYPE_CHECKING:
    from unhans.artifacts.effect import Effect
    from unhans.artifacts.proof import Proof

NAMES = {
    "artifact": "the artifact",
    "area averaged": "pixels under it averaged",
    "elsewhere": "the same area elsewhere",
    "telea": "inpainted, Telea",
    "navier_stokes": "inpainted, Navier-Stokes",
    "blur": "blurred",
    "mean": "mean colour",
    "neighbour": "filled from another class",
    "unblend": "layer unblended",
    "truth": "image as it was before",
    "undo": "changed back",
    "opposite change": "the opposite change",
    "as strong noise": "noise as strong",
}
CONTROLS = (
    "Controls, on the same samples: the artifact's area in one colour; the pixels under it averaged; a patch of the "
    "class in its area; the artifact's effect on the class that gains most besides. Of an artifact of whole images: "
    "the opposite change; the same with colour channels exchanged; noise as strong; that class."
)
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)  # between the ticks of an axis
TICKS = 6  # at most


class Line(NamedTuple):
    """One dot with its interval; marked: it is the artifact itself; effect: all its numbers, if it is a trial."""

    name: str
    n: int
    value: float
    low: float
    high: float
    marked: bool
    effect: Effect | None = None


class Group(NamedTuple):
    """Lines under one heading; least: the value that the lower end of a marked line's interval must reach."""

    title: str
    lines: list[Line]
    least: float | None = None


def effect_groups(proof: Proof) -> list[Group]:
    """Return additions with the least effect that counts, artifact minus each control, and removals."""
    groups = [
        Group("Added to samples of other classes", _added(proof), MINIMUM),
        Group("The artifact's effect minus the control's, on the same samples", _differences(proof.added), 0.0),
        Group("Removed from affected samples", _removed(proof)),
    ]
    return [group for group in groups if group.lines]


def axis_of(groups: Sequence[Group]) -> tuple[float, float, list[float]]:
    """Return the least and largest value of an axis for all lines, and its ticks, of which 0 is one."""
    ends = [end for group in groups for line in group.lines for end in (line.low, line.high, line.value)]
    ends = [0.0, *(end for end in ends if math.isfinite(end)), *(group.least or 0.0 for group in groups)]
    low, high = min(ends), max(ends)
    step = next((step for step in STEPS if (high - low) / step <= TICKS - 2), STEPS[-1])
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def trial_name(trial: Trial) -> str:
    """Say what was done in a trial."""
    name = NAMES.get(trial.name, trial.name)
    if trial.name == "elsewhere" and trial.detail == "undo":
        return "the opposite of changing back"
    if trial.name == "other classes":
        return f"class {trial.detail}, which gains most"
    return f"{name} ({trial.detail})" if trial.detail else name


def _added(proof: Proof) -> list[Line]:
    return [_line(trial, control=number > 0) for number, trial in enumerate(proof.added)]


def _removed(proof: Proof) -> list[Line]:
    return [_line(trial, control=trial.name == "elsewhere") for trial in proof.removed]


def _line(trial: Trial, control: bool = False) -> Line:
    effect = trial.effect
    return Line(trial_name(trial), effect.n, effect.probability, *effect.probability_interval, not control, effect)


def _differences(added: Sequence[Trial]) -> list[Line]:
    """Compare the artifact with each control on the samples that both were measured on, as the verdict does."""
    lines = []
    for control in added[1:]:
        mean, (low, high) = gap(added[0], control)
        n = len(set(added[0].indices.tolist()) & set(control.indices.tolist()))
        lines.append(Line(f"minus {control.name}", n, mean, low, high, marked=True))
    return lines
