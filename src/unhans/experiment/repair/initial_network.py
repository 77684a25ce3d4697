"""The network that a repair begins with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from unhans.data import ImageData
from unhans.experiment.repair.fine_tuning import FineTuning, forget
from unhans.experiment.run import CONSOLE
from unhans.experiment.survey import weights_of
from unhans.models import load_network, save_network
from unhans.store import differences, replacing

MARK = "start.json"  # written last


class Start(Protocol):
    """Gives the network that all methods of one seed begin with."""

    def network(self, seed: int) -> nn.Module:
        """Return a new copy, in evaluation mode."""
        ...


@dataclass(frozen=True)
class Given:
    """A trained network, the same for every seed."""

    model: nn.Module

    def network(self, seed: int) -> nn.Module:
        """Return a copy."""
        return copy.deepcopy(self.model).eval()


@dataclass(frozen=True)
class Fresh:
    """A network as its configuration makes it, such as one with pretrained weights and a new head drawn by the seed."""

    make: Callable[[], nn.Module]
    device: torch.device

    def network(self, seed: int) -> nn.Module:
        """Return a new one."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.make().to(self.device).eval()


@dataclass(frozen=True)
class Trained:
    """A network that this run trains on the data as they are, when it is first wanted; then the same for every seed.

    It is kept in `out/start`; one that was trained there before in the same way is read. A run that was killed goes on.
    """

    fresh: Fresh
    data: ImageData
    tuning: FineTuning
    seed: int
    out: Path

    def network(self, seed: int) -> nn.Module:
        """Return a copy."""
        return copy.deepcopy(self._network)

    @cached_property
    def _network(self) -> nn.Module:
        folder, network = self.out / "start", self.fresh.network(self.seed)
        key = _key(network, self.data, self.tuning, self.seed)
        known = _read(folder / MARK)
        if known is not None and not differences(known["key"], key):
            if known["finished"]:
                return load_network(network, self.data.classes, folder / "model.ckpt").eval()
        else:
            forget(folder)
            _mark(folder, key, finished=False)
        return self._train(network, folder, key)

    def _train(self, network: nn.Module, folder: Path, key: dict[str, Any]) -> nn.Module:
        CONSOLE.print("Training the network on the data as they are, to have one to repair.")
        network = self.tuning.tuned(network, self.data, self.seed, [], folder).to(self.fresh.device)
        save_network(network, self.data.classes, folder / "model.ckpt")
        _mark(folder, key, finished=True)
        forget(folder)
        return network


def _key(network: nn.Module, data: ImageData, tuning: FineTuning, seed: int) -> dict[str, Any]:
    images = data.train_set
    content = {"train": images.fingerprint(range(len(images))), "batch_size": data.batch_size, "flip": data.flip}
    return {"weights": weights_of(network), "data": content, "training": dict(tuning.settings), "seed": seed}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _mark(folder: Path, key: dict[str, Any], finished: bool) -> None:
    with replacing(folder / MARK) as part:
        part.write_text(json.dumps({"key": key, "finished": finished}, indent=1), encoding="utf-8")
