"""A survey of a data set, by what its results are known again, the result of a class, and what is left to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from unhans.attribution import Attribution, Explain, with_latent
from unhans.data import fingerprint_of, first_image, paths_of
from unhans.effects import draw_evenly
from unhans.spray import SpRAy, Suspicion
from unhans.store import DamagedError, differences, digest, jsonable, read_json, record_from, stored_key, write_json
from unhans.store.virelay import ClassFiles, class_files

Target = Literal["label", "predicted"]
REFERENCE = 300  # images of all classes
TITLES = {"train": "training", "val": "validation", "union": "training and validation"}
FORMAT = 3
NAME = "finding.json"


@dataclass(frozen=True)
class Survey:
    """A trained network, the samples of every class to audit, how they are explained and how heatmaps are clustered.

    Attributes:
        network: in evaluation mode, on its device.
        dataset: of (image, label, …) items, without augmentation.
        classes: names by label.
        subsets: data-set indices (n,) of the samples of every class to audit.
        labels: (N,) of the data set.
        attribution: how they are explained.
        spray: how heatmaps are clustered.
        out: the folder for everything.
        split: what the samples are, such as "train".
        target: the class that a sample is explained for.
        control: whether the raw images are analysed in the same way.
        batch_size, num_workers: images explained at once, processes that read them.
        device: where the network is.
        seed: draws the images of all classes that those of one are compared with.
        begin: called before the first file is written.
        temporary: the folder is not gone on with, so what its images look like is not kept.
        groups: striking groups with samples of their own on the page of a class; None: the most striking one.
    """

    network: nn.Module
    dataset: Dataset
    classes: Mapping[int, str]
    subsets: Mapping[int, NDArray[np.int64]]
    labels: NDArray[np.int64]
    attribution: Attribution
    spray: SpRAy
    out: Path
    split: str = "train"
    target: Target = "label"
    control: bool = True
    batch_size: int = 32
    num_workers: int = 0
    device: torch.device | str = "cpu"
    seed: int = 0
    begin: Callable[[], None] = lambda: None
    temporary: bool = False
    groups: int | None = None

    @property
    def meaning(self) -> str:
        """What a heatmap means: method, target and layer (law 7)."""
        return self.attribution.description + ("" if self.target == "label" else " for the predicted class")

    @property
    def subtitle(self) -> str:
        """The line under every title."""
        return f"{TITLES.get(self.split, self.split)} images · {self.meaning}"

    @cached_property
    def paths(self) -> list[str]:
        """The path of every sample of the data set."""
        return paths_of(self.dataset)

    @cached_property
    def explainer(self) -> tuple[Explain, tuple[str, ...]]:
        """What explains images, and the layers whose relevance it gives besides; found with the data set's first image.

        Raises:
            ValueError: no image can be read.
        """
        return with_latent(self.attribution, self.network, self.example.to(self.device))

    @cached_property
    def example(self) -> Tensor:
        """The first image of the data set that can be read (1, C, H, W), whatever classes are audited."""
        found = first_image(self.dataset)
        if found is None:
            raise ValueError("none of the images of the data set can be read.")
        return found

    @cached_property
    def reference(self) -> NDArray[np.int64]:
        """Indices of images of all classes, those that are not audited too, to which the images of one are held."""
        return draw_evenly(self.labels, np.flatnonzero(self.labels >= 0), REFERENCE, self.seed)

    @cached_property
    def reference_content(self) -> str:
        """What the reference is known by again."""
        return self.content(self.reference)

    def content(self, indices: NDArray[np.int64]) -> str:
        """Return what images of the data set are known by again; nothing in a folder that is not gone on with."""
        return "" if self.temporary else fingerprint_of(self.dataset, indices, self.num_workers)

    @property
    def names(self) -> list[str]:
        """The name of every class, by label."""
        return [self.classes.get(label, str(label)) for label in range(max(self.classes) + 1)]

    def files(self, label: int) -> ClassFiles:
        """Return where the results of one class lie."""
        return class_files(self.out, label, self.classes[label])


def maps_key(survey: Survey, label: int, weights: str) -> dict[str, Any]:
    """Return what the heatmaps of a class depend on; where it differs they are computed again.

    Args:
        label: of the class.
        weights: of `weights_of`, the same for all classes.
    """
    return {
        "model": {"architecture": digest(repr(survey.network)), "weights": weights},
        "data": {
            "split": survey.split,
            "samples": len(survey.subsets[label]),
            "content": survey.content(survey.subsets[label]),
        },
        "attribution": _settings(survey.attribution)
        | {"description": survey.attribution.description, "latent": list(survey.explainer[1])},
        "target": survey.target,
    }


def analysis_key(survey: Survey, maps: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the analysis of a class depends on: its heatmaps, the reference, and how they are clustered."""
    parameters = jsonable(survey.spray.settings())
    return {**maps, "spray": parameters, "control": survey.control, "reference": survey.reference_content}


def weights_of(network: nn.Module) -> str:
    """Return a digest of all parameters and buffers."""
    return digest(network.state_dict())


def _settings(attribution: Attribution) -> dict[str, Any]:
    values = {f.name: getattr(attribution, f.name) for f in fields(attribution)} if is_dataclass(attribution) else {}
    return {"method": type(attribution).__name__} | jsonable(values)


@dataclass(frozen=True)
class ClassResult:
    """What a survey found in one class, or why it could not be ranked.

    Attributes:
        label, name: of the class.
        suspicion: of the class by itself; the ranking scores all classes against each other. None: it was refused.
        suspects: rows about the samples of its striking cluster, whether it stands out or not.
        clusters: rows about its clusters.
        refused: the one sentence of the exception for which it could not be ranked.
    """

    label: int
    name: str
    suspicion: Suspicion | None = None
    suspects: list[tuple[Any, ...]] = field(default_factory=list)
    clusters: list[tuple[Any, ...]] = field(default_factory=list)
    refused: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class StoredResult:
    """The mark of a finished class: its result, what that depends on, and the sizes in bytes of its other files."""

    finding: ClassResult
    key: dict[str, Any]
    sizes: dict[str, int]
    format: int = FORMAT

    def damage(self, folder: Path) -> str | None:
        """Name a file that is gone or has another size than when the class was finished."""
        for name, size in self.sizes.items():
            path = folder / name
            if not path.is_file():
                return f"{path} is gone"
            if path.stat().st_size != size:
                return f"{path} is damaged ({path.stat().st_size:,} of {size:,} bytes)"
        return None


def save_result(files: ClassFiles, result: ClassResult, key: Mapping[str, Any]) -> None:
    """Write the result of a class, after all its other files: from now on the class counts as finished."""
    files.folder.mkdir(parents=True, exist_ok=True)  # a class that is refused has no other files
    others = [path for path in sorted(files.folder.iterdir()) if not path.name.startswith(".") and path.name != NAME]
    sizes = {path.name: path.stat().st_size for path in others}
    write_json(files.folder / NAME, StoredResult(result, dict(key), sizes))


def load_result(files: ClassFiles) -> StoredResult | None:
    """Return a finished class's result, None where it is to be done again; ValueError if a newer version wrote it."""
    path = files.folder / NAME
    content = read_json(path) or {}
    if content.get("format", 0) > FORMAT:
        raise ValueError(
            f"{path} was written by a newer version of unhans (format {content['format']}; this is {FORMAT}); "
            "give another folder as out=…"
        )
    try:
        return record_from(StoredResult, content) if content.get("format") == FORMAT else None
    except ValueError:
        return None  # of this format, with other fields


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
    finished: list[ClassResult] = field(default_factory=list)
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

    Raises:
        ValueError: files are of a newer version, or not written by this program.
    """
    found, weights = Plan(), weights_of(survey.network)
    for label in survey.subsets:
        files, maps = survey.files(label), maps_key(survey, label, weights)
        wanted, saved = analysis_key(survey, maps), load_result(files)
        damage = None if saved is None else saved.damage(files.folder)
        if saved is None or damage is not None:
            found.reasons.update([] if damage is None else [damage])
            found.steps.append(Step(label, maps, wanted, heatmaps_stored(files, maps)))
        elif changes := differences(saved.key, wanted):
            found.reasons.update(changes)
            explained = not saved.finding.refused and not differences(_maps_of(saved.key), maps)
            found.steps.append(Step(label, maps, wanted, explained))
        else:
            found.finished.append(saved.finding)
    return found


def heatmaps_stored(files: ClassFiles, maps: Mapping[str, Any]) -> bool:
    """Tell whether whole heatmaps of a class lie there, made as they are wanted."""
    try:
        keys = [stored_key(path) for path in (files.attribution, files.dataset)]
    except DamagedError:
        return False
    return all(key is not None and not differences(key, maps) for key in keys)


def _maps_of(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name not in ("spray", "control", "reference")}
