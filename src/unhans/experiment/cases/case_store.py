"""Cases on disk: the files of a case, the mark that it is finished, and reading it again."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts import can_be_put_on
from unhans.effects import Case, Known, Sample
from unhans.isolation import distinct, from_record, record_of
from unhans.report.files import redraw_effect, write_case
from unhans.report.html import CaseSection, case_pictures, read_pictures, write_pictures
from unhans.report.text import failures_sentence
from unhans.store import differences, file_stem, read_json, record_from, replacing, write_json
from unhans.terminal import ConfigurationError

TENSORS = "detector", "transform"
CASES = "[0-9][0-9][0-9][0-9]*.json"  # as file_stem names them: NNNN-class.json, or NNNN.json without Latin letters


@dataclass(frozen=True)
class CaseFiles:
    """Where the results for one artifact of a class lie, whether they exist or not.

    Attributes:
        pictures: what the report's page shows of the case, beside what its mark says.
        mark: the case as it was measured; it is written last.
    """

    folder: Path
    stem: str

    pictures = property(lambda self: self.folder / f"{self.stem}-pictures.zlib")
    mark = property(lambda self: self.folder / f"{self.stem}.json")

    def tensors(self, name: str) -> Path:
        """What finds the artifact in other images ("detector"), or what it does to whole images ("transform")."""
        return self.folder / f"{self.stem}-{name}.pt"

    def remove(self) -> None:
        """Remove all of them that there are, the mark first."""
        for path in (self.mark, *self.folder.glob(f"{self.stem}[-.]*")):  # earlier versions left a .html as well
            path.unlink(missing_ok=True)


def case_files(out: str | os.PathLike[str], label: int, name: str, rank: int = 0, given: bool = False) -> CaseFiles:
    """Return the files of a class's case in a run's folder: `out/artifacts/0003-garbage_truck.json` and so on.

    Args:
        out: the run's folder.
        label, name: of the class.
        rank: of the artifact among those of the class, from 0; later ones have a folder of their own.
        given: whether the user gave it; it may be the edited picture of an isolated one, which stays as it is.
    """
    folder = Path(out) / "artifacts"
    if given:
        return CaseFiles(folder / "given", file_stem(label, name))
    return CaseFiles(folder / f"cluster_{rank + 1}" if rank else folder, file_stem(label, name))


@dataclass(frozen=True)
class _Mark:
    """What the JSON file of a case holds.

    Attributes:
        key: what the case depends on.
        cases: of its class.
        seconds: that the tests of its class took.
        pictures: file names, by what they show.
        tensors: those of TENSORS that lie beside it.
        case: without what lies in other files.
        truth: how it compares with the planted artifact, where that is known.
    """

    key: dict[str, Any]
    cases: int
    seconds: float
    pictures: dict[str, str]
    tensors: tuple[str, ...]
    case: Case
    truth: Known | None
    format: Literal[7] = 7

    @property
    def weights(self) -> str:
        """Digest of the network; a survey's key has it among others."""
        model = self.key["model"]
        return model if isinstance(model, str) else model["weights"]


@dataclass(frozen=True)
class TestedCase:
    """A case as it lies on the disk.

    Attributes:
        case: without the masks and the examples, if it was read.
        truth: how it compares with the planted artifact, where that is known.
        pictures: "layer", "effect", "examples" and, as RGBA, "layer-1" and so on: those that there are.
        files: where it lies.
        seconds: that the tests of its class took.
        weights: digest of the network that it was measured on.
    """

    case: Case
    truth: Known | None
    pictures: Mapping[str, Path]
    files: CaseFiles
    seconds: float = 0.0
    weights: str = ""

    @property
    def section(self) -> CaseSection:
        """What the report tells of it; its pictures are read whenever this is asked for."""
        return CaseSection(self.case, read_pictures(self.files.pictures), self.truth)


def save_case(
    files: CaseFiles,
    case: Case,
    truth: Known | None,
    classes: Sequence[str],
    found: Sample | None,
    key: Mapping[str, Any],
    cases: int = 1,
    seconds: float = 0.0,
) -> TestedCase:
    """Write the pictures of a case, and last what was measured: now it counts as finished.

    Files of an earlier case are removed first.

    Args:
        files: where it lies from now on.
        case: with its verdict.
        truth: how it compares with the planted artifact, if that is known.
        classes: the name of every class.
        found: what it was isolated from.
        key: what it depends on.
        cases: of its class.
        seconds: that the tests of its class took.
    """
    sources = (None, None) if found is None else (found.images.numpy(), found.heatmaps)
    files.remove()
    pictures = write_case(files.folder, case, classes, *sources)
    write_pictures(files.pictures, case_pictures(case, classes, *sources))
    tensors = {name: getattr(case.isolated, name, None) for name in TENSORS}
    tensors = {name: value for name, value in tensors.items() if value is not None}
    for name, value in tensors.items():
        with replacing(files.tensors(name)) as part:
            torch.save(record_of(value), part)
    names = {name: path.name for name, path in pictures.items()}
    mark = _Mark(dict(key), cases, seconds, names, tuple(tensors), _bare(case), truth)
    write_json(files.mark, mark)
    return TestedCase(case, truth, pictures, files, seconds, mark.weights)


def save_verdict(tested: TestedCase, case: Case) -> TestedCase:
    """Write what is said of a case where another verdict holds now, among all tests, or another suspicion.

    The figure of the effect and the mark change, the mark last; nothing is written where all stays.
    """
    if _judged(case) == _judged(tested.case):
        return tested
    if "effect" in tested.pictures:
        redraw_effect(tested.pictures["effect"], case)
    mark = tested.files.mark
    write_json(mark, {**(read_json(mark) or {}), "case": _bare(case)})
    return replace(tested, case=case)


def remove_cases(out: str | os.PathLike[str], label: int, name: str) -> None:
    """Remove all that earlier runs wrote of the isolated artifacts of a class, the marks first."""
    for files in _every(out, label, name):
        files.remove()


def load_cases(out: str | os.PathLike[str], label: int, name: str, key: Mapping[str, Any]) -> list[TestedCase]:
    """Return all cases of a class that was finished with the same key; none where it is to be done."""
    first = _mark(case_files(out, label, name).mark)
    ranks = range(0 if first is None else first.cases)
    found = [load_case(case_files(out, label, name, rank), key) for rank in ranks]
    return [] if None in found else [one for one in found if one is not None]


def load_case(files: CaseFiles, key: Mapping[str, Any]) -> TestedCase | None:
    """Return a case that was finished with the same key, without examples and masks; None where it is to be done."""
    mark = _mark(files.mark)
    return None if mark is None or differences(mark.key, key) else _tested(files, mark)


def earlier_cases(
    out: str | os.PathLike[str], label: int, name: str, key: Mapping[str, Any]
) -> tuple[list[TestedCase], int]:
    """Return the cases of a class that earlier runs left in a folder, and how many do not fit.

    Args:
        out: the run's folder.
        label, name: of the class.
        key: of the class's analysis; a case fits if its heatmaps were clustered in the same way, whatever was asked of
            it then.
    """
    every = _every(out, label, name)
    kept = []
    for files in every:
        mark = _mark(files.mark)
        asked = {} if mark is None else {part: value for part, value in mark.key.items() if part != "effect"}
        found = None if mark is None or differences(asked, key) else _tested(files, mark)
        kept += [] if found is None else [found]
    return kept, len(every) - len(kept)


def find_case(path: Path, name: str | None = None) -> TestedCase:
    """Return a case with an isolated artifact.

    Args:
        path: the JSON file of a case, or a folder: of analysis=effect, or with such files.
        name: the class, needed where a folder holds artifacts of several classes and not exactly one is proven.

    Raises:
        ConfigurationError: there is no such case, or no artifact was isolated.
        FileNotFoundError: there is no such file.
    """
    found = [one for one in _stored(path, name) if name in (None, one.case.name)]
    if not found:
        of_class = "" if name is None else f" of class {name!r}"
        raise ConfigurationError(f"the folder of analysis=effect expects a case{of_class} in it, got none in {path}.")
    isolated = [one for one in found if can_be_put_on(one.case.isolated)]
    if not isolated:
        failures = distinct(failure for one in found for failure in one.case.failures)
        reasons = failures_sentence(failures) or "A given artifact was tested."
        raise ConfigurationError(f"no artifact was isolated in {path}. {reasons}")
    proven = [one for one in isolated if one.case.proven]
    if len(isolated) > 1 and len(proven) != 1:
        names = ", ".join(repr(one.case.name) for one in isolated)
        raise ConfigurationError(f"{path} holds artifacts of several classes, {names}, and none is named.")
    return proven[0] if len(isolated) > 1 else isolated[0]


def isolated_cases(path: Path) -> list[TestedCase]:
    """Return all cases with an isolated artifact, those that come second in their class included.

    Args:
        path: the JSON file of a case, or a folder: of analysis=effect, or with such files.

    Raises:
        ConfigurationError: there is none.
        FileNotFoundError: there is no such file.
    """
    found = _stored(path, None)
    for folder in sorted(path.glob("artifacts/cluster_*")) if path.is_dir() else ():
        found += _stored(folder, None)
    isolated = [one for one in found if can_be_put_on(one.case.isolated)]
    if not isolated:
        raise ConfigurationError(f"a folder of analysis=effect with an isolated artifact is expected, got {path}.")
    return isolated


def _stored(path: Path, name: str | None) -> list[TestedCase]:
    """All cases of a folder, or those whose files are named as the class's, or the one of a file."""
    if not path.exists():
        raise FileNotFoundError(f"a case expects the JSON file that analysis=effect writes, got no file at {path}")
    marks = [path] if path.is_file() else sorted(path.glob(f"artifacts/{CASES}")) or sorted(path.glob(CASES))
    if name is not None and path.is_dir():
        marks = [each for each in marks if _is_named(each.stem, name)]
    found = []
    for each in marks:
        mark, files = _mark(each), CaseFiles(each.parent, each.stem)
        case = None if mark is None else _tested(files, mark)
        if case is None:
            raise ConfigurationError(
                f"{each} is no whole case of this version; analysis=effect with the same out= writes it anew."
            )
        found.append(case)
    return found


def _is_named(stem: str, name: str) -> bool:
    """Tell whether the files of a class of that name are called so, whatever its label is."""
    number = stem.partition("-")[0]
    return number.isdecimal() and stem == file_stem(int(number), name)


def _mark(path: Path) -> _Mark | None:
    """What the JSON file of a case holds; None where there is none, half a file, or one of another format."""
    content = read_json(path)
    try:
        return None if content is None else record_from(_Mark, content)
    except ValueError:
        return None


def _tested(files: CaseFiles, mark: _Mark) -> TestedCase | None:
    """A case with its files; None where one of them is missing."""
    case = _whole(files, mark) if files.pictures.is_file() else None
    return (
        None
        if case is None
        else TestedCase(case, mark.truth, _pictures(files, mark), files, mark.seconds, mark.weights)
    )


def _bare(case: Case) -> Case:
    """A case without what lies in other files: pictures, masks, detector, transform."""
    proof = case.proof and replace(case.proof, examples=(), removal_examples=())
    nowhere = {"layers": (), "masks": np.zeros((0, 0, 0), dtype=bool), "detector": None, "transform": None}
    return replace(case, proof=proof, isolated=case.isolated and replace(case.isolated, **nowhere))


def _whole(files: CaseFiles, mark: _Mark) -> Case | None:
    """The case of a mark with what lies in other files; None where one of them is missing."""
    pictures = _pictures(files, mark)
    if not all(path.is_file() for path in [*pictures.values(), *map(files.tensors, mark.tensors)]):
        return None
    if mark.case.isolated is None:
        return mark.case
    layers = tuple(_layer(path) for name, path in pictures.items() if name.startswith("layer-"))
    tensors = {name: from_record(torch.load(files.tensors(name), weights_only=True)) for name in mark.tensors}
    return replace(mark.case, isolated=replace(mark.case.isolated, layers=layers, **tensors))


def _pictures(files: CaseFiles, mark: _Mark) -> dict[str, Path]:
    return {name: files.folder / file for name, file in mark.pictures.items()}


def _layer(path: Path) -> Tensor:
    with Image.open(path) as picture:
        return pil_to_tensor(picture.convert("RGBA")) / 255


def _judged(case: Case) -> tuple[Any, ...]:
    """What files say of a case beside what was measured."""
    return None if case.proof is None else case.proof.verdict, case.suspicion


def _every(out: str | os.PathLike[str], label: int, name: str) -> list[CaseFiles]:
    """The files of a class's cases that there are, what does most first."""
    ranks = [0, *sorted(int(path.name[8:]) - 1 for path in Path(out).glob("artifacts/cluster_*"))]
    found = (case_files(out, label, name, rank) for rank in ranks)
    return [files for files in found if files.mark.is_file()]
