"""The effects of the artifacts that were acted on, epoch by epoch, for loggers and as curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from unhans.callbacks.decision import FAR, Act
from unhans.callbacks.followed import Followed

from unhans.artifacts.verdict import MINIMUM
from unhans.report import monitor_figure
from unhans.store import file_stem, write_figure


def charted(followed: Sequence[Followed]) -> dict[str, float]:
    """Return what a logger can plot: each artifact's last effect, how many were acted on and how many are still proven.

    The keys hold the class's name, and a number from the second artifact of a class on.
    """
    numbers = {
        "unhans/acted": float(sum(each.acted for each in followed)),
        "unhans/proven": float(sum(each.verdicts[-1] == "proven" for each in followed)),
    }
    for name, each in zip(_names(followed), followed, strict=True):
        effect = each.effects[-1]
        low, high = effect.probability_interval
        values = {"delta_p": effect.probability, "delta_p_low": low, "delta_p_high": high}
        values["proven"] = float(each.verdicts[-1] == "proven")
        numbers |= {f"unhans/{name}/{key}": value for key, value in values.items()}
    return numbers


def write_course(folder: Path, followed: Sequence[Followed], act: Act) -> dict[str, Path]:
    """Draw the effect of every artifact since it was proven; return the pictures by their key in a logger."""
    written = {}
    for name, each in zip(_names(followed), followed, strict=True):
        key = f"class {each.name!r}, proven after epoch {each.since}: {FAR[act if each.acted else 'none']} since"
        path = folder / f"course-{file_stem(each.label, name)}.png"
        write_figure(path, monitor_figure(each.epochs, {key: each.effects}, MINIMUM))
        written[f"unhans/{name}"] = path
    return written


def _names(followed: Sequence[Followed]) -> list[str]:
    """The class of each artifact as in the keys of a logger, numbered from the second of a class on."""
    seen: Counter[str] = Counter()
    names = []
    for each in followed:
        name = each.name.replace("/", "_")
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names
