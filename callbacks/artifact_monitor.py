"""Known artifacts while the model trains: a Clever Hans is learned, or forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import LOG, Audit, tell

from unhans.data import SAMPLES, Key, has_several, pixel_scale, without_class
from unhans.effects import MINIMUM, Bench, Effect, evenly
from unhans.harness import (
    COLUMNS,
    Masks,
    Measured,
    Tracked,
    affected_by,
    bench_of,
    check_one,
    class_names,
    measured,
    planted_in,
    rows_of,
    scalars_of,
    standing,
    tracked,
)
from unhans.lrp.tracing import Output
from unhans.report.figures import monitor_figure
from unhans.report.loggers import logger_keys
from unhans.report.text import PROBABILITY, SHARE
from unhans.store import write_csv, write_figure


class ArtifactMonitor(Audit):
    """Measures every n-th epoch what known or isolated artifacts do to the predictions.

    Each artifact is laid over fixed samples of other classes; the changes towards its class (probability, rank, logit,
    share of flipped predictions) are logged with 95 % intervals, drawn as curves (`folder/effect.png`) and written to
    `folder/effects.csv`. It counts as learned while the lower end of the interval of Δp is at least 0.05; whether a
    patch of any other look would do the same is a question for the controls of `SpRAyAudit(verify=True)`.
    Where it is known which samples carry the artifact, it is removed from them as well: by what they were before it was
    planted, else by inpainting where its detector finds it.

    Args:
        artifacts: one artifact, a list, or a dict by name. Each is an `unhans.artifacts.Artifact` such as `Patch`, a
            `Case`, or a pair of anything that has a layer and its class; None is the one that the data set plants.
        network, dataset, every_n_epochs, batch_size, folder, on_error, seed, name, output, keys: as for every
            `Audit`.
        samples: how many samples of other classes to paste on, at most.

    >>> ArtifactMonitor(network="net", samples=50).source
    'val'
    """

    kind = "effect"
    usual = None

    def __init__(
        self,
        artifacts: Any = None,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        samples: int = 200,
        every_n_epochs: int = 1,
        batch_size: int = 64,
        folder: str | Path | None = None,
        on_error: Literal["log", "raise"] = "log",
        seed: int = 0,
        name: str | None = None,
        output: Output | None = None,
        keys: Mapping[str, Key] | None = None,
    ) -> None:
        shared = (batch_size, folder, on_error, seed, name, output, keys)
        super().__init__(network, dataset, every_n_epochs, None, *shared)
        if samples < 2:
            raise ValueError(f"samples expects 2 or more, got {samples}.")
        self.artifacts, self.samples = artifacts, samples
        self.epochs: list[int] = []
        self.added: dict[str, list[Effect]] = {}
        self.removed: dict[str, list[Effect]] = {}
        self._affected: dict[str, Masks] = {}  # found in the first audit, since images do not change

    def refuse(self, network: nn.Module) -> None:
        """Nothing is explained, so networks without rules for relevance will do."""

    def begin(self, network: nn.Module, device: torch.device) -> None:
        """Resolve the artifacts, draw the samples and try one, so that nothing has to be refused later."""
        try:
            drawn = np.random.default_rng(self.seed).permutation(len(self.labels))[:SAMPLES]
            self.scale = pixel_scale(self.dataset, drawn)
            self.names = class_names(self.dataset, self.labels)
            self.tracked = tracked(self.artifacts, planted_in(self.dataset), self.names)
            known = [each.name for each in self.tracked]
            self._indices = {name: index for name, index in self._indices.items() if name in known}
            self._check_restored()
            self._indices = self._rehearsed(self.choose() | self._indices)
            if set(self.added) != set(known):  # a resumed run with other artifacts begins new curves
                self.epochs, self.added, self.removed = [], {name: [] for name in known}, {}
            self._check_fixed(next(iter(self._indices.values()))[:1])
            for each in self.tracked:
                check_one(each, self._bench(network, device), self._indices[each.name])
        except ValueError as error:
            raise MisconfigurationException(f"ArtifactMonitor: {error}") from error

    def forget(self) -> None:
        """Forget the samples and the curves."""
        super().forget()
        self.epochs, self.added, self.removed, self._affected = [], {}, {}, {}

    def _rehearsed(self, chosen: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """The samples of every artifact: in a rehearsal a few."""
        return {name: index[: self.few] for name, index in chosen.items()} if self.rehearsal else chosen

    def _fits(self, name: str, labels: NDArray[np.int64]) -> bool:
        """Whether samples with these labels (n,) are of other classes than the artifact's."""
        return not any((labels == each.target).any() for each in self.tracked if each.name == name)

    def choose(self) -> dict[str, NDArray[np.int64]]:
        """Draw the samples of other classes that each artifact is laid over; none that is known to carry it."""
        chosen = {}
        for each in self.tracked:
            usable = without_class(self.dataset, self.labels, each.target)
            usable &= True if each.carriers is None else ~each.carriers
            chosen[each.name] = evenly(self.labels, np.flatnonzero(usable), self.samples, self.seed)
            if (n := len(chosen[each.name])) < 2:
                raise ValueError(
                    f"the artifact {each.name!r} needs two or more samples of classes other than "
                    f"{self.names[each.target]!r} in the data set, got {n}."
                )
            if n < self.samples:
                LOG.warning(
                    "artifact %r is laid over %d samples of other classes: %d were asked for, no more are there.",
                    each.name, n, self.samples,
                )  # fmt: skip
        return chosen

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Measure all artifacts, then write, log and say what was found."""
        device = next((p.device for p in network.parameters()), trainer.strategy.root_device)
        bench = self._bench(network, device)
        found = {each.name: self._measured(each, bench) for each in self.tracked}
        self.epochs.append(trainer.current_epoch)
        for name, (added, removed) in found.items():
            self.added[name].append(added)
            if removed is not None:
                self.removed.setdefault(name, []).append(removed)
        folder = self.where(trainer)
        targets = {each.name: self.names[each.target] for each in self.tracked}
        write_csv(folder / "effects.csv", COLUMNS, rows_of(self.epochs, targets, self.added, self.removed))
        write_figure(folder / "effect.png", monitor_figure(self.epochs, self._captioned(), MINIMUM))
        scalars: dict[str, float] = {}
        keys = logger_keys({name: name for name in found})
        for name, pair in found.items():
            scalars |= scalars_of(f"effect/{keys[name]}", pair)
        figures = {"effect/curves": folder / "effect.png"}
        self.publish(trainer, scalars, figures)
        for each in self.tracked:
            tell(trainer, self._line(each.name, each.target))

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and the curves so far."""
        curves = {
            key: {name: [asdict(effect) for effect in each] for name, each in getattr(self, key).items()}
            for key in ("added", "removed")
        }
        return super().state_dict() | {"epochs": list(self.epochs)} | curves

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples and the curves of the interrupted run."""
        super().load_state_dict(state_dict)
        self.epochs = list(state_dict["epochs"])
        for key in ("added", "removed"):
            curves = {name: [Effect(**each) for each in effects] for name, effects in state_dict[key].items()}
            setattr(self, key, curves)

    def _measured(self, each: Tracked, bench: Bench) -> Measured:
        if has_several(self.dataset):
            bench = bench.against_rest(each.target)
        if each.name not in self._affected:
            self._affected[each.name] = affected_by(each, bench, self.samples)
        return measured(each, bench, self._indices[each.name], self._affected[each.name])

    def _bench(self, network: nn.Module, device: torch.device) -> Bench:
        return bench_of(network, self.dataset, self.attribution, scale=self.scale, labels=self.labels, device=device,
                        batch_size=self.batch_size, seed=self.seed)  # fmt: skip

    def _line(self, name: str, target: int) -> str:
        effect = self.added[name][-1]
        removed = self.removed.get(name)
        return (
            f"epoch {self.epochs[-1]}: artifact {name} → class {self.names[target]!r}: "
            f"Δp {PROBABILITY.said(effect)} {PROBABILITY.range_said(effect)}, {SHARE.said(effect)} flip"
            + (f", removed Δp {PROBABILITY.said(removed[-1])} {PROBABILITY.range_said(removed[-1])}" if removed else "")
            + f"; {standing(self.epochs, self.added[name], MINIMUM)}"
        )

    def _captioned(self) -> Mapping[str, Sequence[Effect]]:
        return {f"{each.name} → {self.names[each.target]}": self.added[each.name] for each in self.tracked}
