"""All numbers of cases for scripts, as strict JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unhans.report.account import case_sentences, missing_of, reason_of, spread_sentences, state_of
from unhans.report.measures import MEASURES, plain
from unhans.store.atomic import replacing

if TYPE_CHECKING:
    from unhans.artifacts.case import Case, FeatureEffect
    from unhans.artifacts.isolated import Isolated
    from unhans.artifacts.trial import Trial
    from unhans.artifacts.verdict import Verdict


def case_record(case: Case) -> dict[str, Any]:
    """Return a case as plain values: numbers of every trial, spread, verdict, sentences; None for what is unknown."""
    proof = case.proof
    return {
        "label": int(case.label),
        "class": case.name,
        "verdict": state_of(case),
        "reason": reason_of(case),
        "missing": missing_of(case) or None,
        "proven": bool(case.proven),
        **_test(proof.verdict if proof else None),
        "artifact": proof.artifact if proof else None,
        "trouble": case.trouble or None,
        "sentences": [*case_sentences(case), *spread_sentences(case)],
        "suspicion": _fields(case.suspicion),
        "isolated": None if case.isolated is None else _isolated(case.isolated),
        "quality": _fields(case.quality),
        "added": [_trial(trial) for trial in proof.added] if proof else [],
        "removed": [_trial(trial) for trial in proof.removed] if proof else [],
        "left": case.left,
        "features": None if case.features is None else _features(case.features),
        "spread": [_fields(share) for share in case.spread],
    }


def write_cases(path: str | os.PathLike[str], cases: Sequence[Case]) -> None:
    """Write all cases as a JSON list, whole or not at all; what is not finite is null."""
    text = json.dumps([case_record(case) for case in cases], indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def _test(verdict: Verdict | None) -> dict[str, Any]:
    """Which comparison decided, and how sure it is among all tests of its look."""
    return {
        "decided_by": list(verdict.decided_by) if verdict else [],
        "p_value": plain(verdict.p_value) if verdict else None,
        "q_value": plain(verdict.q_value) if verdict else None,
        "tests": verdict.tests if verdict else None,
        "rate": verdict.rate if verdict else None,
    }


def _features(features: FeatureEffect) -> dict[str, Any]:
    return {
        "layer": features.layer,
        "shown": features.shown,
        "added": [_trial(trial) for trial in features.added],
        "removed": [_trial(trial) for trial in features.removed],
    }


def _isolated(isolated: Isolated) -> dict[str, Any]:
    places = isolated.places[isolated.members]
    return {
        "kind": isolated.kind,
        "layers": [list(layer.shape[1:]) for layer in isolated.layers],
        "transform": None if isolated.transform is None else isolated.transform.name,
        "members": int(isolated.members.sum()),
        "separation": plain(isolated.separation),
        "places": [[int(side) for side in place] for place in places],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    numbers: dict[str, Any] = {"trial": trial.name, "n": int(trial.effect.n)}
    for measure in MEASURES:
        low, high = measure.interval(trial.effect)
        names = (measure.column, f"{measure.column}_low", f"{measure.column}_high")
        numbers |= {
            name: plain(value) for name, value in zip(names, (measure.value(trial.effect), low, high), strict=True)
        }
    return numbers


def _fields(record: Any) -> dict[str, Any] | None:
    """Return the fields of a record that are one value each."""
    if record is None:
        return None
    values = {name: plain(value) for name, value in vars(record).items()}
    return {name: value for name, value in values.items() if value is None or isinstance(value, str | int | float)}
