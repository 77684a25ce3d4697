"""Cases on disk: a case as plain values, its files, the mark that it is finished, and reading it again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts.transforms import Transform, transform_from, transform_record
from unhans.effects import Case, Effect, FeatureEffect, Known, Portion, Proof, Quality, Sample, Share, Trial, Verdict
from unhans.harness import with_truth
from unhans.isolation import Detector, Isolated, detector_from, detector_record
from unhans.report.files import redraw_effect, write_case
from unhans.report.html import proof_part, with_verdict
from unhans.spray import Suspicion
from unhans.store import differences, file_stem, replacing


def plain_case(case: Case) -> dict[str, Any]:
    """Return a case as JSON takes it, without what lies in other files: pictures, masks, detector, transform."""
    proof = case.proof and replace(case.proof, examples=(), removal_examples=())
    none = {"layers": (), "masks": np.zeros((0, 0, 0), dtype=bool), "detector": None, "transform": None}
    return _plain(replace(case, proof=proof, isolated=case.isolated and replace(case.isolated, **none)))


def plain_known(truth: Known | None) -> dict[str, Any] | None:
    """Return what is known of a planted artifact as JSON takes it."""
    return _plain(truth)


def case_from(
    plain: Mapping[str, Any],
    layers: tuple[Tensor, ...],
    detector: Detector | None = None,
    transform: Transform | None = None,
) -> Case:
    """Return the case that `plain_case` wrote; layers: its artifact's, (4, h, w) RGBA in [0, 1]."""
    made = {
        "suspicion": Suspicion,
        "isolated": partial(_isolated, layers, detector, transform),
        "quality": _quality,
        "proof": _proof,
        "features": _features,
    }
    parts = {name: None if plain[name] is None else make(**plain[name]) for name, make in made.items()}
    return Case(**{**plain, **parts, "spread": tuple(Share(**share) for share in plain["spread"])})


def known_from(plain: Mapping[str, Any] | None) -> Known | None:
    """Return what `plain_known` wrote."""
    if plain is None:
        return None
    return Known(**{**plain, "effect": None if plain["effect"] is None else _effect(plain["effect"])})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def _isolated(pictures: tuple[Tensor, ...], finds: Detector | None, does: Transform | None, **plain: Any) -> Isolated:
    arrays = {"members": (bool, (-1,)), "masks": (bool, (0, 0, 0)), "places": (np.int64, (-1, 4))}
    found = {name: np.array(plain[name], dtype=kind).reshape(shape) for name, (kind, shape) in arrays.items()}
    return Isolated(**plain | found | {"layers": pictures, "detector": finds, "transform": does})


def _quality(correlation: float | None, **portions: Any) -> Quality:
    found = {name: None if one is None else _portion(**one) for name, one in portions.items()}
    return Quality(correlation=correlation, **found)


def _portion(n: int, mean: float, interval: Sequence[float]) -> Portion:
    return Portion(n, mean, tuple(interval))


def _proof(**plain: Any) -> Proof:
    verdict = Verdict(**{**plain["verdict"], "decided_by": tuple(plain["verdict"]["decided_by"])})
    return Proof(**plain | _trials(plain) | {"verdict": verdict, "examples": (), "removal_examples": ()})


def _features(**plain: Any) -> FeatureEffect:
    return FeatureEffect(**plain | _trials(plain))


def _effect(plain: Mapping[str, Any]) -> Effect:
    return Effect(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})


def _trials(plain: Mapping[str, Any]) -> dict[str, tuple[Trial, ...]]:
    return {name: tuple(_trial(**trial) for trial in plain[name]) for name in ("added", "removed")}


def _trial(**plain: Any) -> Trial:
    arrays = {"differences": np.array(plain["differences"], float), "indices": np.array(plain["indices"], np.int64)}
    donors = None if plain["donors"] is None else np.array(plain["donors"], np.int64)
    return Trial(**plain | arrays | {"effect": _effect(plain["effect"]), "donors": donors})


FORMAT = 6


@dataclass(frozen=True)
class CaseFiles:
    """Where the results for one artifact of a class lie, whether they exist or not."""

    folder: Path
    stem: str

    @property
    def section(self) -> Path:
        """The case's section of the report."""
        return self.folder / f"{self.stem}.html"

    @property
    def mark(self) -> Path:
        """The case as it was measured; it is written last."""
        return self.folder / f"{self.stem}.json"

    @property
    def detector(self) -> Path:
        """What finds the case's artifact in other images, for a repair."""
        return self.folder / f"{self.stem}-detector.pt"

    @property
    def transform(self) -> Path:
        """What the case's artifact does to whole images."""
        return self.folder / f"{self.stem}-transform.pt"


def case_files(out: str | os.PathLike[str], label: int, name: str, rank: int = 0, given: bool = False) -> CaseFiles:
    """Return the files of a class's case in a run's folder: `out/artifacts/0003-garbage_truck.json` and so on.

    rank: of the artifact among those of the class, from 0; later ones have a folder of their own, and so has one that
    was given, which may be the edited picture of an isolated one: that stays as it is.
    """
    folder = Path(out) / "artifacts"
    if given:
        return CaseFiles(folder / "given", file_stem(label, name))
    return CaseFiles(folder / f"cluster_{rank + 1}" if rank else folder, file_stem(label, name))


def read_case(mark: str | os.PathLike[str]) -> tuple[Case, dict[str, Any]] | None:
    """Return the case of a JSON file, and its key; None where it is not whole, or of another format."""
    path = Path(mark)
    content = content_of(path)
    case = None if content is None else case_of(CaseFiles(path.parent, path.stem), content)
    return None if content is None or case is None else (case, content["key"])


def case_of(files: CaseFiles, content: Mapping[str, Any]) -> Case | None:
    """Return the case of a mark; None where one of its files is missing, or its fields are others."""
    with suppress(KeyError, TypeError, AttributeError):
        return _case_of(files, content)
    return None


def _case_of(files: CaseFiles, content: Mapping[str, Any]) -> Case | None:
    pictures = pictures_of(files, content)
    beside = {"detector": files.detector, "transform": files.transform}
    needed = [*pictures.values(), *(path for name, path in beside.items() if content[name])]
    if not all(path.is_file() for path in needed):
        return None
    layers = tuple(_layer(path) for name, path in pictures.items() if name.startswith("layer-"))
    detector = _detector(files.detector) if content["detector"] else None
    transform = _transform(files.transform) if content["transform"] else None
    return case_from(content["case"], layers, detector, transform)


def pictures_of(files: CaseFiles, content: Mapping[str, Any]) -> dict[str, Path]:
    """Return the pictures that a mark lists, by name."""
    return {name: files.folder / file for name, file in content["pictures"].items()}


def content_of(mark: Path) -> dict[str, Any] | None:
    """Return what the mark of a case holds; None where there is none, or not one of this format."""
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("format") == FORMAT else None


def _layer(path: Path) -> Tensor:
    with Image.open(path) as picture:
        return pil_to_tensor(picture.convert("RGBA")) / 255


def _detector(path: Path) -> Detector:
    return detector_from(torch.load(path, weights_only=True))


def _transform(path: Path) -> Transform:
    return transform_from(torch.load(path, weights_only=True))


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
    found: Sample | None,
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
