"""The files of a class's artifact, and the mark that its case is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from unhans.artifacts.case import Case
from unhans.artifacts.detector_record import detector_record
from unhans.artifacts.transform import transform_record
from unhans.experiment.case_content import known_from, plain_case, plain_known
from unhans.experiment.case_mark import FORMAT, CaseFiles, case_files, case_of, content_of, pictures_of
from unhans.experiment.clustered import Clustered
from unhans.experiment.known import Known, with_truth
from unhans.report import write_case
from unhans.report.case_figures import redraw_effect
from unhans.report.html import proof_part, with_verdict
from unhans.store import differences, replacing


@dataclass(frozen=True)
class Tested:
    """A case, how it compares with the planted artifact where that is known, its pictures by name, and its section.

    Pictures are "layer", "effect", "examples" and, as RGBA, "layer-1" and so on: those that there are. files: where it
    lies; seconds: that the tests of its class took.
    """

    case: Case
    truth: Known | None
    pictures: Mapping[str, Path]
    section: str
    files: CaseFiles
    seconds: float = 0.0


def save_case(
    files: CaseFiles,
    case: Case,
    truth: Known | None,
    classes: Sequence[str],
    found: Clustered | None,
    key: Mapping[str, Any],
    cases: int = 1,
    seconds: float = 0.0,
) -> Tested:
    """Write the pictures of a case, its section of the report, and last what was measured: now it counts as finished.

    found: what it was isolated from; cases: of its class; seconds: that the tests of its class took. Files of an
    earlier case are removed first.
    """
    sources = (None, None) if found is None else (found.images.numpy(), found.heatmaps)
    for stale in (files.mark, *files.folder.glob(f"{files.stem}-*")):
        stale.unlink(missing_ok=True)
    pictures = write_case(files.folder, case, classes, *sources)
    section = with_truth(proof_part(case, classes, *sources), truth)
    with replacing(files.section) as part:
        part.write_text(section, encoding="utf-8")
    names = {name: path.name for name, path in pictures.items()}
    plain = {"case": plain_case(case), "truth": plain_known(truth), **_save_records(files, case)}
    _write_mark(files, {"key": key, "cases": cases, "seconds": seconds, "pictures": names, **plain})
    return Tested(case, truth, pictures, section, files, seconds)


def save_verdict(tested: Tested, case: Case) -> Tested:
    """Write what is said of a case where another verdict holds now, among all tests, or another suspicion.

    The section, the figure of the effect and the mark change, the mark last; nothing is written where all stays.
    """
    if _said(case) == _said(tested.case):
        return tested
    section, files = with_verdict(tested.section, case), tested.files
    with replacing(files.section) as part:
        part.write_text(section, encoding="utf-8")
    if "effect" in tested.pictures:
        redraw_effect(tested.pictures["effect"], case)
    _write_mark(files, {**(content_of(files.mark) or {}), "case": plain_case(case)})
    return replace(tested, case=case, section=section)


def remove_cases(out: str | os.PathLike[str], label: int, name: str) -> None:
    """Remove all that earlier runs wrote of the isolated artifacts of a class, the marks first."""
    for files in _every(out, label, name):
        for stale in (files.mark, files.section, *files.folder.glob(f"{files.stem}-*")):
            stale.unlink(missing_ok=True)


def load_cases(out: str | os.PathLike[str], label: int, name: str, key: Mapping[str, Any]) -> list[Tested]:
    """Return all cases of a class that was finished with the same key; none where it is to be done."""
    first = content_of(case_files(out, label, name).mark)
    ranks = range(0 if first is None else first["cases"])
    found = [load_case(case_files(out, label, name, rank), key) for rank in ranks]
    return [] if None in found else [one for one in found if one is not None]


def load_case(files: CaseFiles, key: Mapping[str, Any]) -> Tested | None:
    """Return a case that was finished with the same key, without examples and masks; None where it is to be done."""
    content, section = content_of(files.mark), _section(files)
    if content is None or section is None or differences(content["key"], key):
        return None
    case, pictures = case_of(files, content), pictures_of(files, content)
    truth = known_from(content["truth"])
    return None if case is None else Tested(case, truth, pictures, section, files, content["seconds"])


def earlier_section(
    out: str | os.PathLike[str], label: int, name: str, key: Mapping[str, Any]
) -> tuple[str | None, int]:
    """Return the sections about a class's artifacts that earlier runs left in a folder, and how many do not fit.

    key: of the class's analysis; a case fits if its heatmaps were clustered in the same way, whatever was asked of it
    then. The section is None where no case fits.
    """
    kept, left = [], 0
    for files in _every(out, label, name):
        content, section = content_of(files.mark), _section(files)
        asked = {} if content is None else {part: value for part, value in content["key"].items() if part != "effect"}
        if section is not None and not differences(asked, key):
            kept.append(section)
        else:
            left += 1
    return "".join(kept) if kept else None, left


def _said(case: Case) -> tuple[Any, ...]:
    """What files say of a case beside what was measured."""
    return None if case.proof is None else case.proof.verdict, case.suspicion


def _write_mark(files: CaseFiles, content: Mapping[str, Any]) -> None:
    with replacing(files.mark) as part:
        part.write_text(json.dumps({**content, "format": FORMAT}, indent=1), encoding="utf-8")


def _save_records(files: CaseFiles, case: Case) -> dict[str, bool]:
    """Write what finds the artifact and what it does to whole images; return which of both there is."""
    detector, transform = getattr(case.isolated, "detector", None), getattr(case.isolated, "transform", None)
    if detector is not None:
        with replacing(files.detector) as part:
            torch.save(detector_record(detector), part)
    if transform is not None:
        with replacing(files.transform) as part:
            torch.save(transform_record(transform), part)
    return {"detector": detector is not None, "transform": transform is not None}


def _every(out: str | os.PathLike[str], label: int, name: str) -> list[CaseFiles]:
    """The files of a class's cases that there are, what does most first."""
    ranks = [0, *sorted(int(path.name[8:]) - 1 for path in Path(out).glob("artifacts/cluster_*"))]
    found = (case_files(out, label, name, rank) for rank in ranks)
    return [files for files in found if files.mark.is_file()]


def _section(files: CaseFiles) -> str | None:
    try:
        return files.section.read_text(encoding="utf-8")
    except (FileNotFoundError, ValueError):
        return None
