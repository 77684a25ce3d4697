"""Every figure of a case, and all its numbers for scripts as strict JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.effects import Case, FeatureEffect, Proof, SplitRemoval, Trial, reason_of, state_of
from unhans.isolation import Failure, Isolated
from unhans.report import text
from unhans.report.figures import effect_figure, layer_figure, proof_figure
from unhans.store import export_json, file_stem, replacing, write_figure

FIGURES = ("layer", "effect", "examples")
TEST = ("p_value", "q_value", "tests", "rate")  # how sure a verdict is among all tests of its look
DPI = 150  # heatmaps and letters stay sharp when they are enlarged


def write_case(
    folder: Path,
    case: Case,
    classes: Sequence[str],
    images: Any = None,
    heatmaps: NDArray[np.floating] | None = None,
    *,
    cmap: str = "hot-cold",
) -> dict[str, Path]:
    """Write the pictures of a case into a folder; return what was written, by name.

    "layer", "effect" and "examples" are figures, those that there is something to draw for; "layer-1" and so on are the
    RGBA layers themselves, to be edited and planted with `Patch`.

    Args:
        case: what was found.
        classes: the name of every class, by label.
        images: (n, 3, H, W) in [0, 1], those that the artifact was isolated from; None: no sample is shown.
        heatmaps: (n, H, W), theirs.
        cmap: a colour map of `colorize`.

    Raises:
        OSError: a file cannot be written.
    """
    stem = file_stem(case.label, case.name)
    drawn = {
        "layer": layer_figure(case, images, heatmaps, cmap=cmap),
        "effect": effect_figure(case.proof) if case.proof else None,
        "examples": proof_figure(case.proof, classes, text.artifact_said(case), cmap=cmap) if case.proof else None,
    }
    files = {}
    for name, figure in drawn.items():
        if figure is not None:
            files[name] = folder / f"{stem}-{name}.{'png' if name == 'effect' else 'jpg'}"
            write_figure(files[name], figure, DPI)
    return files | _layers(folder, stem, case)


def redraw_effect(path: Path, case: Case) -> None:
    """Draw the effect of a case again, whose verdict has changed; raises OSError where it cannot be written."""
    if case.proof is not None:
        write_figure(path, effect_figure(case.proof), DPI)


def _layers(folder: Path, stem: str, case: Case) -> dict[str, Path]:
    pictures = {} if case.isolated is None else case.isolated.pictures()
    files = {f"layer-{number}": folder / f"{stem}-{name}-rgba.png" for number, name in enumerate(pictures, 1)}
    for path, picture in zip(files.values(), pictures.values(), strict=True):
        with replacing(path) as part:
            picture.save(part, format="png")
    return files


def case_record(case: Case) -> dict[str, Any]:
    """Return a case as plain values: verdict and what decided it, numbers of all trials, spread; None if unknown."""
    proof = case.proof
    return {
        "label": int(case.label),
        "class": case.name,
        "verdict": state_of(case),
        "reason": reason_of(case),
        "proven": bool(case.proven),
        "decided_by": list(proof.verdict.decided_by) if proof else [],
        **{name: text.plain(getattr(proof.verdict, name)) if proof else None for name in TEST},
        "failures": [_failure(each) for each in case.failures],
        "suspicion": _fields(case.suspicion),
        "given": _fields(case.given),
        "isolated": None if case.isolated is None else _isolated(case.isolated),
        "quality": _fields(case.quality),
        **_trials(proof),
        "removals": [_removal(each) for each in proof.removals] if proof else [],
        "untested": _fields(case.untested),
        "features": None if case.features is None else _features(case.features),
        "spread": [_fields(share) for share in case.spread],
        "elsewhere": [_fields(each) for each in case.elsewhere],
    }


def write_cases(path: str | os.PathLike[str], cases: Sequence[Case]) -> None:
    """Write all cases as a JSON list, whole or not at all; what is not finite is null."""
    export_json(path, [case_record(case) for case in cases])


def _failure(failure: Failure) -> dict[str, Any]:
    return {"reason": failure.reason, **{name: text.plain(value) for name, value in failure.values.items()}}


def _features(features: FeatureEffect) -> dict[str, Any]:
    return {"layer": features.layer, "shown": features.shown, **_trials(features)}


def _isolated(isolated: Isolated) -> dict[str, Any]:
    places = isolated.places[isolated.members]
    return {
        "kind": isolated.kind,
        "layers": [list(layer.shape[1:]) for layer in isolated.layers],
        "transform": None if isolated.transform is None else isolated.transform.name,
        "members": int(isolated.members.sum()),
        "separation": text.plain(isolated.separation),
        "places": [[int(side) for side in place] for place in places],
    }


def _trials(tested: Proof | FeatureEffect | None) -> dict[str, Any]:
    return {way: [_trial(trial) for trial in getattr(tested, way, ())] for way in ("added", "removed")}


def _removal(removal: SplitRemoval) -> dict[str, Any]:
    return {"split": removal.split, "carriers": removal.by, "trials": [_trial(each) for each in removal.trials]}


def _trial(trial: Trial) -> dict[str, Any]:
    numbers = {column: text.plain(value) for column, value in text.effect_numbers(trial.effect).items()}
    return {"trial": trial.name, "n": int(trial.effect.n), **numbers}


def _fields(record: Any) -> dict[str, Any] | None:
    """Return the fields of a record that are one value each."""
    if record is None:
        return None
    values = {name: text.plain(value) for name, value in vars(record).items()}
    return {name: value for name, value in values.items() if value is None or isinstance(value, str | int | float)}
