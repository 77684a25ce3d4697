"""The share of relevance inside an artifact's mask while the model trains [000 figs 9, 10]."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import Audit

from unhans.artifacts import Layered
from unhans.attribution import Attribution, explained
from unhans.data import Key, displayed
from unhans.effects import portion
from unhans.harness import Wanted, processes_of
from unhans.lrp.tracing import Output
from unhans.stats import Interval, bootstrap
from unhans.store import write_csv

EPOCHS = (0, 1, 5, 10)  # figures 9 and 10 of [000], and before
COLUMNS = ("epochs", "share", "low", "high", "n")


class MaskShare(NamedTuple):
    """Mean share of positive relevance inside the mask after so many epochs, over n samples, with a 95 % interval."""

    epoch: int
    mean: float
    interval: Interval
    n: int


class MaskRelevance(Audit):
    """Follows how much of the positive relevance for an artifact's class lies inside the artifact.

    On fixed samples that carry it, before training and after each epoch. The share is logged as `relevance/share` with
    its interval, under the number of the epoch just over as all audits do (before training −1), and written to
    `folder/relevance.csv`; the heatmaps are kept for chosen epochs and the last. Invisible to training, as every audit.

    Args:
        target: the artifact's class, by number or name; None for the class of the planted artifact.
        masks: from data-set indices (n,) to where the artifact lies on each sample (n, H, W) bool; needs indices.
        artifact: laid over the samples in place of masks; None, without masks, is the one that the data set plants,
            laid over the samples where none carries it.
        indices: the samples; by default drawn from those that carry the planted artifact, else from the target's class.
        samples: at most so many.
        kept: numbers of epochs whose heatmaps are kept, 0 is before training.
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`.

    Attributes: points, a `MaskShare` per audit; maps, heatmaps (n, H, W) by epoch; images (n, 3, H, W) in [0, 1]; mask
    (n, H, W) bool; index (n,).
    """

    kind = "relevance"
    usual = None

    def __init__(
        self,
        target: int | str | None = None,
        masks: Callable[[NDArray[np.int64]], Any] | None = None,
        artifact: Layered | None = None,
        indices: Sequence[int] | NDArray[np.integer] | None = None,
        samples: int = 32,
        kept: Collection[int] = EPOCHS,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        every_n_epochs: int = 1,
        attribution: Attribution | None = None,
        batch_size: int = 32,
        folder: str | Path | None = None,
        on_error: Literal["log", "raise"] = "log",
        seed: int = 0,
        name: str | None = None,
        output: Output | None = None,
        keys: Mapping[str, Key] | None = None,
    ) -> None:
        shared = (batch_size, folder, on_error, seed, name, output, keys)
        super().__init__(network, dataset, every_n_epochs, attribution, *shared)
        if samples < 1:
            raise ValueError(f"MaskRelevance: samples expects 1 or more, got {samples}.")
        if masks is not None and (artifact is not None or indices is None):
            raise ValueError("MaskRelevance: masks expects the indices of samples that carry the artifact beside it.")
        if target is None and (masks is not None or artifact is not None):
            raise ValueError("MaskRelevance expects the target: the class of the artifact.")
        chosen = None if indices is None else np.asarray(indices, dtype=np.int64)
        self.wanted, self.kept = Wanted(target, masks, artifact, chosen, samples, seed), set(kept)
        self.points: list[MaskShare] = []
        self.maps: dict[int, NDArray[np.float32]] = {}
        self._epoch = 0

    @property
    def state_key(self) -> str:
        """The name in a checkpoint, so that several artifacts can be followed."""
        source = self.source if isinstance(self.source, str) else "given"
        return f"MaskRelevance:{self.wanted.target}:{source}"

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fix the samples, and audit once before training; a resumed run has done so."""
        super().on_train_start(trainer, pl_module)
        if processes_of(trainer).of_first(not self.points):
            self._epoch = trainer.current_epoch
            self._run(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Audit after the epoch."""
        self._epoch = trainer.current_epoch + 1
        super().on_train_epoch_end(trainer, pl_module)

    def begin(self, network: nn.Module, device: torch.device) -> None:
        """Read the samples and their masks, and refuse before training what could not be audited later."""
        restored = next(iter(self._indices.values()), None)
        wanted = self.wanted if restored is None else replace(self.wanted, indices=restored)
        if self.rehearsal:
            few = None if wanted.indices is None else wanted.indices[: self.few]
            wanted = replace(wanted, indices=few, samples=min(wanted.samples, self.few))
        try:
            found = wanted.of(self.dataset, self.labels)
        except ValueError as error:
            raise MisconfigurationException(f"MaskRelevance: {error}") from error
        self.label, self.index, self.inputs, self.mask = found.label, found.index, found.inputs, found.mask
        self.images = displayed(self.dataset, self.inputs)
        self._indices = {self.label: self.index}
        self._try_one(network, device)

    def forget(self) -> None:
        """Forget the samples, the points and the heatmaps."""
        super().forget()
        self.points, self.maps = [], {}

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain the samples once more, measure and log."""
        device = next((p.device for p in network.parameters()), trainer.strategy.root_device)
        maps = explained(self.attribution.of(network), self.inputs, self.label, self.batch_size, device).heatmaps
        shares = np.array([portion(*pair) for pair in zip(maps, self.mask, strict=True)])
        low, high = np.clip(bootstrap(shares, self.seed, possible=1.0), 0, 1)
        point = MaskShare(self._epoch, float(shares.mean()), (float(low), float(high)), len(shares))
        self.points.append(point)
        self.maps = {epoch: kept for epoch, kept in self.maps.items() if epoch in self.kept} | {point.epoch: maps}
        rows = [(each.epoch, each.mean, *each.interval, each.n) for each in self.points]
        write_csv(self.where(trainer) / "relevance.csv", COLUMNS, rows)
        scalars = {"relevance/share": point.mean, "relevance/share_low": point.interval[0]}
        scalars |= {"relevance/share_high": point.interval[1], "relevance/n": point.n}
        self.publish(trainer, scalars, epoch=point.epoch - 1)

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks, the points and the kept heatmaps."""
        maps = {epoch: torch.from_numpy(each) for epoch, each in self.maps.items()}
        return super().state_dict() | {"points": [tuple(point) for point in self.points], "maps": maps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples, the points and the heatmaps of the interrupted run."""
        super().load_state_dict(state_dict)
        self.points = [MaskShare(*point) for point in state_dict["points"]]
        self.maps = {epoch: maps.numpy() for epoch, maps in state_dict["maps"].items()}
