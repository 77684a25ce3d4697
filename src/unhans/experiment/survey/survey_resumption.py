"""What is left to do of a survey, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from unhans.experiment.survey.class_result import Finding, load_finding
from unhans.experiment.survey.survey import Survey, analysis_key, maps_key, weights_of
from unhans.store import DamagedError, differences, stored_key


@dataclass(frozen=True)
class Step:
    """One class to do: its keys, and whether its heatmaps are there already."""

    label: int
    maps: dict[str, Any]
    analysis: dict[str, Any]
    explained: bool


@dataclass
class Plan:
    """The steps that are left, what was finished before, and why steps are necessary, with numbers of classes."""

    steps: list[Step] = field(default_factory=list)
    finished: list[Finding] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def sentences(self) -> Iterator[str]:
        """Say what is kept, and why other classes are done again."""
        classes = len(self.steps) + len(self.finished)
        kept = sum(step.explained for step in self.steps)
        if self.finished:
            yield f"{len(self.finished)} of {classes} classes were finished before and stay as they are."
        if kept:
            yield f"Heatmaps that are there already ({kept} of {classes} classes) are clustered only."
        for reason, count in self.reasons.items():
            yield f"Done again ({count} of {classes} classes): {reason}."


def plan(survey: Survey) -> Plan:
    """Compare what lies in the survey's folder with what is asked for.

    Raises ValueError for files of a newer version, or that this program did not write.
    """
    found, weights = Plan(), weights_of(survey.network)
    for label in survey.subsets:
        maps = maps_key(survey, label, weights)
        step, reasons = _step(survey, label, maps, analysis_key(survey, maps), found.finished)
        found.reasons.update(reasons)
        if step is not None:
            found.steps.append(step)
    return found


def _step(
    survey: Survey, label: int, maps: dict[str, Any], analysis: dict[str, Any], finished: list[Finding]
) -> tuple[Step | None, list[str]]:
    """Return what is left to do for a class and why; None where its finding was added to the finished ones."""
    files = survey.files(label)
    saved = load_finding(files)
    if saved is not None and saved.damaged is None:
        changes = differences(saved.key, analysis)
        if not changes:
            finished.append(saved.finding)
            return None, []
        explained = not saved.finding.refused and not differences(_maps_of(saved.key), maps)
        return Step(label, maps, analysis, explained), changes
    damage = [] if saved is None else [str(saved.damaged)]
    return Step(label, maps, analysis, _explained(survey, label, maps)), damage


def _explained(survey: Survey, label: int, maps: dict[str, Any]) -> bool:
    """Tell whether whole heatmaps of a class lie there, made as they are wanted."""
    files = survey.files(label)
    try:
        keys = [stored_key(path) for path in (files.attribution, files.dataset)]
    except DamagedError:
        return False
    return all(key is not None and not differences(key, maps) for key in keys)


def _maps_of(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in ("spray", "control", "reference")}
