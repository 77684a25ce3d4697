"""The files of a repaired network, the mark that it is finished, and what it depends on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError
from torch import nn

from unhans.artifacts import transform_of
from unhans.artifacts.transforms import transform_record
from unhans.data import ImageDataset
from unhans.experiment.repair.fine_tuning import FineTuning, forget
from unhans.experiment.repair.initial_network import Start
from unhans.experiment.repair.repair_options import Settings
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.harness import Affected
from unhans.models import save_network
from unhans.repair import POST_HOC, Assessment, Method, Outcome, Point
from unhans.store import differences, digest, replacing

FORMAT = 1


@dataclass(frozen=True)
class RepairFiles:
    """Where one method and seed has its files, whether they exist or not."""

    folder: Path

    @property
    def mark(self) -> Path:
        """The outcome as it was measured; it is written last."""
        return self.folder / "outcome.json"

    @property
    def begun(self) -> Path:
        """What a repair that was begun depends on, so that another one does not go on with its state."""
        return self.folder / "begun.json"

    @property
    def checkpoint(self) -> Path:
        """The repaired network."""
        return self.folder / "model.ckpt"

    @property
    def evolution(self) -> Path:
        """Heatmaps of fixed samples after chosen epochs."""
        return self.folder / "evolution.npz"


def repair_files(out: str | os.PathLike[str], method: Method, seed: int) -> RepairFiles:
    """Return the files of one method and seed: `out/repairs/p_clarc/seed_000/` and so on."""
    return RepairFiles(Path(out) / "repairs" / method / f"seed_{seed:03d}")


def begin_repair(files: RepairFiles, key: Mapping[str, Any]) -> None:
    """Make the folder ready; the state of a killed training stays where it was begun with the same key."""
    files.mark.unlink(missing_ok=True)
    if differences(_read(files.begun) or {"key": None}, key):
        forget(files.folder)
        for stale in (files.evolution, files.checkpoint):
            stale.unlink(missing_ok=True)
    _write(files.begun, dict(key))


def save_outcome(
    files: RepairFiles,
    outcome: Outcome,
    network: nn.Module,
    classes: Sequence[str],
    key: Mapping[str, Any],
    configuration: Path,
) -> Outcome:
    """Write the network, the configuration that it was made with, and last what was measured: now it is finished."""
    save_network(network, classes, files.checkpoint)
    if configuration.is_file():
        with replacing(files.folder / "config.yaml") as part:
            shutil.copyfile(configuration, part)
    _write(files.mark, {"format": FORMAT, "key": dict(key), "outcome": plain_outcome(outcome)})
    forget(files.folder)
    files.begun.unlink(missing_ok=True)
    return outcome


def load_outcome(files: RepairFiles, key: Mapping[str, Any]) -> Outcome | None:
    """Return an outcome that was finished with the same key; None where it is to be done."""
    content = _read(files.mark)
    if content is None or content.get("format") != FORMAT or differences(content["key"], key):
        return None
    if not files.checkpoint.is_file():
        return None
    try:
        return outcome_from(content["outcome"], files.folder)
    except (KeyError, ValidationError):
        return None


def plain_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome in values that JSON holds, without its folder."""
    values = asdict(outcome)
    del values["folder"]
    groups = [[name, added, asdict(rate)] for (name, added), rate in outcome.assessment.groups.items()]
    return values | {"assessment": values["assessment"] | {"groups": groups}}


def outcome_from(content: Mapping[str, Any], folder: Path) -> Outcome:
    """Return the outcome that `plain_outcome` said; pydantic's ValidationError where something does not fit."""
    groups = {(name, added): rate for name, added, rate in content["assessment"]["groups"]}
    assessment = _adapter(Assessment)(dict(content["assessment"]) | {"groups": groups})
    curve = tuple(_adapter(Point)(point) for point in content["curve"])
    plain = {name: content[name] for name in ("method", "seed", "seconds", "note")}
    return Outcome(**plain, assessment=assessment, curve=curve, folder=folder)


def _adapter(kind: type) -> Callable[[Any], Any]:
    return TypeAdapter(kind).validate_python


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")


LAYERS = 16  # samples of each split whose layer stands for the artifact


@dataclass(frozen=True)
class Keys:
    """Says by what the outcome of a method and a seed is known again."""

    subject: Subject
    tuning: FineTuning | None
    start: Start
    affected: Affected
    settings: Settings

    def of(self, method: Method, seed: int) -> dict[str, Any]:
        """Return the network, the data, the artifact and the settings in plain values."""
        key = {
            "method": method,
            "seed": seed,
            "drawn": self.subject.seed,  # assessed samples and resamples
            "weights": self._weights(seed),
            "data": self._data,
            "artifact": self._artifact,
            "settings": self.settings.key(method) | {"attribution": self.subject.attribution.description},
        }
        if method in POST_HOC or self.tuning is None:  # without one nothing is trained
            return key
        return key | {"training": {**self.tuning.settings, "batch_size": self.subject.data.batch_size}}

    @cached_property
    def _weights(self) -> Callable[[int], str]:
        """From a seed to the weights that all methods begin with; making a network and reading it takes seconds."""
        return cache(lambda seed: weights_of(self.start.network(seed)))

    @cached_property
    def _data(self) -> dict[str, str]:
        data = self.subject.data
        parts: dict[str, ImageDataset] = {"train": data.train_set, "val": data.val_set}
        return {name: part.fingerprint(range(len(part))) for name, part in parts.items()}

    @cached_property
    def _artifact(self) -> dict[str, Any]:
        one, side = self.affected, self.subject.data.image_size
        carriers = {name: np.asarray(rows) for name, rows in one.carriers.items()}
        known = {"label": one.label, "name": one.name, "carriers": digest(carriers)}
        transform = transform_of(one.artifact)
        if transform is not None:
            return known | {"transform": digest(transform_record(transform))}
        layers = [
            one.artifact.layer(index, (side, side))
            for carriers in one.carriers.values()
            for index in range(min(LAYERS, len(carriers)))
        ]
        return known | {"layers": digest(layers)}
