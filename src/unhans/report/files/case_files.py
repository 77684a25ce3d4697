"""Every figure of a case, and all its numbers for scripts as strict JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unhans.effects import reason_of, state_of
from unhans.report.figures import effect_figure, layer_figure, proof_figure
from unhans.report.text import MEASURES, case_sentences, missing_of, plain, spread_sentences
from unhans.store import file_stem, replacing, write_figure

if TYPE_CHECKING:
    from unhans.effects import Case, FeatureEffect, Trial, Verdict
    from unhans.isolation import Isolated


FIGURES = ("layer", "effect", "examples")
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
    RGBA layers themselves, to be edited and planted with `Patch`. images (n, 3, H, W) and heatmaps (n, H, W): those
    that the artifact was isolated from. Raises OSError where a file cannot be written.
    """
    stem = file_stem(case.label, case.name)
    drawn = {
        "layer": layer_figure(case, images, heatmaps, cmap=cmap),
        "effect": effect_figure(case.proof) if case.proof else None,
        "examples": proof_figure(case.proof, classes, cmap=cmap) if case.proof else None,
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
