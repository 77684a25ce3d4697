"""What a network does on validation images while it is fine-tuned, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import nn
from unhans.callbacks.audit import Callback

from unhans.attribution import invisible

Measure = Callable[[nn.Module], tuple[float, float]]


class ValidationCurve(Callback):
    """Measures accuracy without and with the artifact before training and after every epoch, and counts seconds.

    It has to be the first callback, so that no other one's work at the end of an epoch is counted.

    Args:
        measure: from a network to its accuracies without and with the artifact.

    Attributes:
        points: of every measurement the number of epochs so far, 0 before training, and both accuracies.
        seconds: of training alone.
    """

    def __init__(self, measure: Measure) -> None:
        self.measure = measure
        self.points: list[tuple[int, float, float]] = []
        self.seconds = 0.0
        self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure the network as it is before training."""
        if not self.points:
            self._add(0, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock and measure."""
        self.seconds += time.perf_counter() - self._began
        self._add(trainer.current_epoch + 1, pl_module)
        _, clean, added = self.points[-1]
        pl_module.log_dict({"val/clean": clean, "val/added": added}, prog_bar=True)

    def state_dict(self) -> dict[str, Any]:
        """Return what was measured so far."""
        return {"points": self.points, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with what an interrupted run measured."""
        self.points = [tuple(point) for point in state_dict["points"]]
        self.seconds = state_dict["seconds"]

    def _add(self, epoch: int, pl_module: pl.LightningModule) -> None:
        with invisible(pl_module):
            self.points.append((epoch, *self.measure(pl_module.model)))
