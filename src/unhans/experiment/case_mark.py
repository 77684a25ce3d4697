"""Where the files of a case lie, and what its mark, a JSON file, says when it is read again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from unhans.artifacts.case import Case
from unhans.artifacts.detector_record import detector_from
from unhans.artifacts.isolated import Detector
from unhans.artifacts.transform import Transform, transform_from
from unhans.experiment.case_content import case_from
from unhans.store import file_stem

FORMAT = 5


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
