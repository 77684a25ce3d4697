"""The heatmaps of fixed samples, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import nn
from unhans.callbacks.audit import Audit

from unhans.attribution import explained
from unhans.data import reading
from unhans.report import Strip, evolution_sheet, log_epoch
from unhans.store import file_stem, write_figure


class HeatmapEvolution(Audit):
    """Shows how the explanation of fixed samples changes: a growing strip per sample, jointly scaled.

    Above each heatmap stand the predicted class and the rank of the true label. One page per class, under
    `folder`, and the same pages in the logger. Where the data set knows which samples carry a planted artifact, one of
    each affected class's samples carries it.

    Args:
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed: as for every `Audit`.
        samples_per_class: how many samples to follow in each class.
        indices: follow these samples instead of drawing some.
    """

    def __init__(
        self, *args: Any, samples_per_class: int = 2, indices: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if samples_per_class < 1:
            raise ValueError(f"samples_per_class expects 1 or more, got {samples_per_class}.")
        self.samples_per_class, self.chosen = samples_per_class, indices
        self.epochs: list[int] = []
        self._history: dict[int, list[tuple[NDArray[np.float32], int, int]]] = {}

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the samples to follow, known carriers of an artifact first in line for the last place."""
        if self.chosen is not None:
            index = np.asarray(self.chosen, dtype=np.int64)
            return {int(label): index[self.labels[index] == label] for label in np.unique(self.labels[index])}
        drawn = reading.choose(self.labels, self.samples_per_class, self.seed)
        carriers = reading.carriers_of(self.dataset)
        for label, index in drawn.items():
            affected = np.flatnonzero(carriers & (self.labels == label))
            if len(affected) and not carriers[index].any():
                drawn[label] = np.append(index[:-1], affected[0])
        return drawn

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain the samples once more and lengthen their strips."""
        explain = self.attribution.of(network)
        device = next((p.device for p in network.parameters()), trainer.strategy.root_device)
        self.epochs.append(trainer.current_epoch)
        folder = self._folder(trainer, "evolution")
        self.paths = reading.paths_of(self.dataset)
        names = [self.classes.get(label, str(label)) for label in range(max(self.classes) + 1)]
        figures = {}
        for label, indices in self._indices.items():
            images, index = reading.read(self.dataset, indices)
            maps, prediction, rank = explained(explain, images, label, self.batch_size, device)
            for i, *now in zip(index, maps, prediction, rank, strict=True):
                self._history.setdefault(int(i), []).append(tuple(now))
            shown = reading.displayed(self.dataset, images).numpy()
            page = folder / f"{file_stem(label, self.classes[label])}.jpg"
            write_figure(page, evolution_sheet([self._strip(i, x, names) for i, x in zip(index, shown, strict=True)]))
            figures[f"evolution/{self.classes[label]}"] = page
        log_epoch(trainer.loggers, trainer.current_epoch, trainer.global_step, {}, figures, {})

    def _strip(self, index: int, image: NDArray[np.floating], names: list[str]) -> Strip:
        maps, predictions, ranks = zip(*self._history[int(index)], strict=True)
        return Strip(
            image=image,
            epochs=self.epochs[-len(maps) :],
            heatmaps=np.stack(maps),
            predictions=[names[p] for p in predictions],
            ranks=[int(r) for r in ranks],
            title=f"{names[self.labels[index]]} · {self.paths[int(index)]}",
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the strips so far, so that a resumed run lengthens them."""
        history = {
            index: {
                "maps": torch.from_numpy(np.stack([maps for maps, _, _ in strip])),
                "predictions": [int(prediction) for _, prediction, _ in strip],
                "ranks": [int(rank) for _, _, rank in strip],
            }
            for index, strip in self._history.items()
        }
        return super().state_dict() | {"epochs": list(self.epochs), "history": history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the strips of the interrupted run."""
        super().load_state_dict(state_dict)
        self.epochs = list(state_dict["epochs"])
        self._history = {
            index: list(zip(strip["maps"].numpy(), strip["predictions"], strip["ranks"], strict=True))
            for index, strip in state_dict["history"].items()
        }
