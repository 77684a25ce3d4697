"""What audits share that follow numbers of fixed images: when they measure, and where the numbers go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytorch_lightning as pl
from unhans.callbacks.audit import Audit

from unhans.faithfulness.training import MeasuredEpoch
from unhans.harness import processes_of
from unhans.stats import Estimate


class CurveAudit(Audit):
    """Base of the audits that follow numbers of fixed images: before training, and after every n-th epoch.

    What is logged goes under the number of the epoch just over, as all audits do, before training −1; the points count
    epochs of training, 0 before it.

    Attributes:
        points: one for each audit.
    """

    usual: ClassVar[str | None] = "val"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.points: list[Any] = []
        self._epoch = 0

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

    def forget(self) -> None:
        """Forget the samples and the points."""
        super().forget()
        self.points = []


def packed_points(points: Sequence[MeasuredEpoch]) -> list[Any]:
    """Return points as a checkpoint holds them: numbers alone."""
    return [
        (point.epoch, {name: (one.mean, *one.interval, one.n) for name, one in point.values.items()})
        for point in points
    ]


def unpacked_points(state: Sequence[Any]) -> list[MeasuredEpoch]:
    """Return the points that `packed_points` packed."""

    def estimates(values: Mapping[str, Any]) -> dict[str, Estimate]:
        return {name: Estimate(mean, (low, high), "samples", 1, n) for name, (mean, low, high, n) in values.items()}

    return [MeasuredEpoch(epoch, estimates(values)) for epoch, values in state]


def scalars_of(prefix: str, values: Mapping[str, Estimate], keys: Mapping[str, str]) -> dict[str, float]:
    """Return the numbers for loggers: the mean under its key, and the ends of its interval; what is NaN is left out.

    Args:
        prefix: of all keys.
        values: by name.
        keys: by name the rest of the key; names without one are not logged.
    """
    found = {}
    for name, key in keys.items():
        one = values[name]
        if one.mean == one.mean:
            ends = dict(zip(("", "_low", "_high"), (one.mean, *one.interval), strict=True))
            found |= {f"{prefix}/{key}{end}": value for end, value in ends.items()}
    return found
