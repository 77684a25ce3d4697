"""The effects of monitored artifacts over epochs, for a table and for a logger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unhans.callbacks.measured import Measured

from unhans.artifacts import Effect
from unhans.report.measures import MEASURES

NUMBERS = [f"{measure.column}{end}" for measure in MEASURES for end in ("", "_low", "_high")]
COLUMNS = ("epoch", "artifact", "class", "change", "n", *NUMBERS)

Curves = Mapping[str, Sequence[Effect]]


def rows_of(epochs: Sequence[int], targets: Mapping[str, str], added: Curves, removed: Curves) -> list[list[Any]]:
    """Return all effects of all epochs, in the order of `COLUMNS`.

    targets: the class of each artifact, by its name; added, removed: the effects of each, one per epoch, by its name.
    """
    rows = []
    for number, epoch in enumerate(epochs):
        for name, target in targets.items():
            for change, effects in (("added", added), ("removed", removed)):
                if len(effects.get(name, ())) > number:
                    effect = effects[name][number]
                    rows.append([epoch, name, target, change, effect.n, *_numbers(effect).values()])
    return rows


def scalars_of(prefix: str, found: Measured) -> dict[str, float]:
    """Return the numbers of one artifact by their keys in a logger."""
    added, removed = found
    scalars = {f"{prefix}/{key}": value for key, value in _numbers(added).items()}
    scalars[f"{prefix}/n"] = float(added.n)
    if removed is not None:
        scalars |= {f"{prefix}/removed_{key}": value for key, value in _numbers(removed).items()}
        scalars[f"{prefix}/removed_n"] = float(removed.n)
    return scalars


def _numbers(effect: Effect) -> dict[str, float]:
    """Every measure of an effect and the ends of its interval, by column."""
    numbers = {}
    for measure in MEASURES:
        low, high = measure.interval(effect)
        numbers |= {measure.column: measure.value(effect), f"{measure.column}_low": low, f"{measure.column}_high": high}
    return numbers
