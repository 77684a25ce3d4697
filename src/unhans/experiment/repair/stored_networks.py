"""The networks that a repair keeps: the one that it begins with, and every repaired one with what was measured."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unhans.data.sources import ImageData
from unhans.experiment.repair.fine_tuning import FineTuning, forget, images_key
from unhans.experiment.survey import weights_of
from unhans.models import load_network, save_network
from unhans.repair import Outcome
from unhans.store import differences, read_json, record_from, replacing, write_json
from unhans.terminal import CONSOLE

FORMAT = 2
START, MARK = "start.json", "outcome.json"  # written last
BEGUN = "begun.json"  # what a repair that was begun depends on, so that another one does not go on with its state
CHECKPOINT, EVOLUTION = "model.ckpt", "evolution.npz"


def begin_repair(folder: Path, key: Mapping[str, Any]) -> None:
    """Make the folder ready; the state of a killed training stays where it was begun with the same key."""
    (folder / MARK).unlink(missing_ok=True)
    if differences(read_json(folder / BEGUN) or {"key": None}, key):
        forget(folder)
        for stale in (EVOLUTION, CHECKPOINT):
            (folder / stale).unlink(missing_ok=True)
    write_json(folder / BEGUN, key)


def save_outcome(
    outcome: Outcome, network: nn.Module, classes: Sequence[str], key: Mapping[str, Any], configuration: Path
) -> Outcome:
    """Write the network, the configuration that it was made with, and last what was measured: now it is finished."""
    folder = outcome.folder
    save_network(network, classes, folder / CHECKPOINT)
    if configuration.is_file():
        with replacing(folder / "config.yaml") as part:
            shutil.copyfile(configuration, part)
    write_json(folder / MARK, {"format": FORMAT, "key": dict(key), "outcome": plain_outcome(outcome)})
    forget(folder)
    (folder / BEGUN).unlink(missing_ok=True)
    return outcome


def load_outcome(folder: Path, key: Mapping[str, Any]) -> Outcome | None:
    """Return an outcome that was finished with the same key; None where it is to be done."""
    content = read_json(folder / MARK)
    if content is None or content.get("format") != FORMAT or differences(content.get("key") or {}, key):
        return None
    try:
        return outcome_from(content["outcome"], folder) if (folder / CHECKPOINT).is_file() else None
    except (KeyError, ValueError):
        return None


def plain_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome in values that JSON holds, without its folder."""
    values = asdict(outcome)
    del values["folder"]
    values["assessment"]["groups"] = [[*group, rate] for group, rate in values["assessment"]["groups"].items()]
    return values


def outcome_from(content: Mapping[str, Any], folder: Path) -> Outcome:
    """Return the outcome that `plain_outcome` said; ValueError where something does not fit."""
    groups = {(name, added): rate for name, added, rate in content["assessment"]["groups"]}
    assessment = {**content["assessment"], "groups": groups}
    return record_from(Outcome, {**content, "assessment": assessment, "folder": folder})


Start = Callable[[int], nn.Module]  # from a seed to a new copy of the network that all its methods begin with


def copies_of(network: nn.Module) -> Start:
    """Return what copies a trained network, the same for every seed."""
    return lambda seed: copy.deepcopy(network).eval()


def new_networks(make: Callable[[], nn.Module], device: torch.device) -> Start:
    """Return what makes a network anew, such as one with pretrained weights and a head drawn by the seed."""

    @lru_cache(maxsize=1)  # repairs go seed after seed, and weights are read once for all methods
    def network(seed: int) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return make().eval()

    return lambda seed: copy.deepcopy(network(seed)).to(device)


@dataclass(frozen=True)
class TrainedStart:
    """A network that this run trains on the data as they are, when it is first wanted; then the same for every seed.

    It is kept in `out/start`; one that was trained there before in the same way is read. A run that was killed goes on.

    Attributes:
        new: makes the network to train.
        data, tuning: what and how it is trained.
        seed: of its weights and of the order of samples.
        out: the run's folder.
    """

    new: Start
    data: ImageData
    tuning: FineTuning
    seed: int
    out: Path

    def __call__(self, seed: int) -> nn.Module:
        """Return a copy."""
        return copy.deepcopy(self._network)

    @cached_property
    def _network(self) -> nn.Module:
        folder, network = self.out / "start", self.new(self.seed)
        key, known = self._key(network), read_json(folder / START)
        if known is None or differences(known.get("key") or {}, key):
            forget(folder)
            write_json(folder / START, {"key": key, "finished": False})
        elif known.get("finished"):
            return load_network(network, self.data.classes, folder / CHECKPOINT).eval()
        CONSOLE.print("Training the network on the data as they are, to have one to repair.")
        device = next(network.parameters()).device
        network = self.tuning.tuned(network, self.data, self.seed, [], folder).to(device)
        save_network(network, self.data.classes, folder / CHECKPOINT)
        write_json(folder / START, {"key": key, "finished": True})
        forget(folder)
        return network

    def _key(self, network: nn.Module) -> dict[str, Any]:
        settings, images = dict(self.tuning.settings), images_key(self.data)
        return {"weights": weights_of(network), "data": images, "training": settings, "seed": self.seed}
