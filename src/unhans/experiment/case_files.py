"""The files of a class's artifact, and the mark that its case is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts.case import Case, Share
from unhans.artifacts.effect import Effect
from unhans.artifacts.isolated import Isolated
from unhans.artifacts.proof import Proof
from unhans.artifacts.quality import Portion, Quality
from unhans.artifacts.trial import Trial
from unhans.artifacts.verdict import Verdict
from unhans.experiment.clustered import Clustered
from unhans.experiment.known import Known, with_truth
from unhans.report import write_case
from unhans.report.html import proof_part
from unhans.spray import Suspicion
from unhans.store import differences, file_stem, replacing

FORMAT = 1


@dataclass(frozen=True)
class CaseFiles:
    """Where the results for one cluster of a class lie, whether they exist or not."""

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


@dataclass(frozen=True)
class Tested:
    """A case, how it compares with the planted artifact where that is known, its pictures by name, and its section.

    Pictures are "layer", "effect", "examples" and, as RGBA, "layer-1" and so on: those that there are.
    """

    case: Case
    truth: Known | None
    pictures: Mapping[str, Path]
    section: str


def case_files(out: str | os.PathLike[str], label: int, name: str, rank: int = 0) -> CaseFiles:
    """Return the files of a class's case in a run's folder: `out/artifacts/0003-garbage_truck.json` and so on.

    rank: of the cluster among those of the class, from 0; later ones have a folder of their own.
    """
    folder = Path(out) / "artifacts"
    return CaseFiles(folder / f"cluster_{rank + 1}" if rank else folder, file_stem(label, name))


def save_case(
    files: CaseFiles,
    case: Case,
    truth: Known | None,
    classes: Sequence[str],
    found: Clustered | None,
    key: Mapping[str, Any],
) -> Tested:
    """Write the pictures of a case, its section of the report, and last what was measured: now it counts as finished.

    found: what it was isolated from. Files of an earlier case are removed first.
    """
    sources = (None, None) if found is None else (found.images.numpy(), found.heatmaps)
    for stale in (files.mark, *files.folder.glob(f"{files.stem}-*")):
        stale.unlink(missing_ok=True)
    pictures = write_case(files.folder, case, classes, *sources)
    section = with_truth(proof_part(case, classes, *sources), truth)
    with replacing(files.section) as part:
        part.write_text(section, encoding="utf-8")
    names = {name: path.name for name, path in pictures.items()}
    content = {"format": FORMAT, "key": key, "pictures": names, "case": _plain(_light(case)), "truth": _plain(truth)}
    with replacing(files.mark) as part:
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return Tested(case, truth, pictures, section)


def load_case(files: CaseFiles, key: Mapping[str, Any]) -> Tested | None:
    """Return a case that was finished with the same key, without examples and masks; None where it is to be done."""
    try:
        content = json.loads(files.mark.read_text(encoding="utf-8"))
        section = files.section.read_text(encoding="utf-8")
    except (FileNotFoundError, ValueError):
        return None
    if content.get("format") != FORMAT or differences(content["key"], key):
        return None
    pictures = {name: files.folder / file for name, file in content["pictures"].items()}
    if not all(path.is_file() for path in pictures.values()):
        return None
    truth = None if content["truth"] is None else _known(**content["truth"])
    layers = tuple(_layer(path) for name, path in pictures.items() if name.startswith("layer-"))
    return Tested(_case(content["case"], layers), truth, pictures, section)


def _light(case: Case) -> Case:
    """The case without what lies in pictures: examples, layers, masks; and without the detector."""
    proof = case.proof and replace(case.proof, examples=(), removal_examples=())
    none = {"layers": (), "masks": np.zeros((0, 0, 0), dtype=bool), "detector": None}
    return replace(case, proof=proof, isolated=case.isolated and replace(case.isolated, **none))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value


def _case(plain: dict[str, Any], layers: tuple[Tensor, ...]) -> Case:
    made = {
        "suspicion": Suspicion,
        "isolated": partial(_isolated, layers),
        "quality": _quality,
        "proof": _proof,
    }
    parts = {name: None if plain[name] is None else make(**plain[name]) for name, make in made.items()}
    return Case(**plain | parts | {"spread": tuple(Share(**share) for share in plain["spread"])})


def _isolated(pictures: tuple[Tensor, ...], **plain: Any) -> Isolated:
    arrays = {"members": (bool, (-1,)), "masks": (bool, (0, 0, 0)), "places": (np.int64, (-1, 4))}
    found = {name: np.array(plain[name], dtype=kind).reshape(shape) for name, (kind, shape) in arrays.items()}
    return Isolated(**plain | found | {"layers": pictures})


def _layer(path: Path) -> Tensor:
    with Image.open(path) as picture:
        return pil_to_tensor(picture.convert("RGBA")) / 255


def _quality(correlation: float | None, **portions: Any) -> Quality:
    found = {name: None if one is None else _portion(**one) for name, one in portions.items()}
    return Quality(correlation=correlation, **found)


def _portion(n: int, mean: float, interval: Sequence[float]) -> Portion:
    return Portion(n, mean, tuple(interval))


def _proof(**plain: Any) -> Proof:
    trials = {name: tuple(_trial(**trial) for trial in plain[name]) for name in ("added", "removed")}
    return Proof(**plain | trials | {"verdict": Verdict(**plain["verdict"]), "examples": (), "removal_examples": ()})


def _known(**plain: Any) -> Known:
    return Known(**plain | {"effect": None if plain["effect"] is None else _effect(plain["effect"])})


def _effect(plain: Mapping[str, Any]) -> Effect:
    return Effect(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})


def _trial(**plain: Any) -> Trial:
    arrays = {"differences": np.array(plain["differences"], float), "indices": np.array(plain["indices"], np.int64)}
    return Trial(**plain | arrays | {"effect": _effect(plain["effect"])})
