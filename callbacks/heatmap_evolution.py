"""The heatmaps of fixed samples, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import nn
from unhans.callbacks.audit import Audit

from unhans.attribution import explain_all
from unhans.class_names import Names
from unhans.data import carriers_of, display_images, draw_per_class, entries_at, paths_of, read_samples
from unhans.harness import raise_misconfiguration
from unhans.report.figures import MOST_EPOCHS, Strip, evolution_sheet, legible
from unhans.report.loggers import logger_keys
from unhans.store import file_stem, write_figure


class Moment(NamedTuple):
    """What was found in a sample after an epoch.

    Attributes:
        epoch: after which.
        map: (h, w) as large as it is shown, in [−1, 1].
        peak: the relevance that is 1 there.
        prediction: the predicted class.
        rank: of the true label, 0 is first.
    """

    epoch: int
    map: NDArray[np.float16]
    peak: float
    prediction: int
    rank: int


class HeatmapEvolution(Audit):
    """Shows how the explanation of fixed samples changes: a growing strip per sample, jointly scaled.

    Above each heatmap stand the predicted class and the rank of the true label. One page per class, under
    `folder`, and the same pages in the logger. Where the data set knows which samples carry a planted artifact, one of
    each affected class's samples carries it.

    A checkpoint holds the maps that the strips need, so that a resumed run goes on with them: of ten epochs at most,
    as large as they are shown (80 pixels a side, where their size can be divided) and in half precision. That is 128 KB
    a sample at most, and 63 KB for images of 224 pixels.

    Args:
        samples_per_class: how many samples to follow in each class.
        indices: follow these samples of the data set instead of drawing some; one of several classes in each of them.
        network, dataset, every_n_epochs, attribution, batch_size, folder, on_error, seed, name, output, keys: as for
            every `Audit`.

    Attributes:
        epochs: that strips show, from the first to the last.

    Raises:
        ValueError: an argument is not as described.
    """

    kind = "evolution"

    def __init__(
        self, *args: Any, samples_per_class: int = 2, indices: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if samples_per_class < 1:
            raise ValueError(f"samples_per_class expects 1 or more, got {samples_per_class}.")
        self.samples_per_class, self.chosen = samples_per_class, indices
        self._history: dict[int, list[Moment]] = {}

    @property
    def epochs(self) -> list[int]:
        """The epochs that strips show, from the first to the last."""
        return sorted({moment.epoch for strip in self._history.values() for moment in strip})

    def choose(self) -> dict[int, NDArray[np.int64]]:
        """Draw the samples to follow, known carriers of an artifact first in line for the last place."""
        if self.chosen is not None:
            with raise_misconfiguration("HeatmapEvolution"):
                index = entries_at(self.dataset, np.asarray(self.chosen, dtype=np.int64))
            return {int(label): index[self.labels[index] == label] for label in np.unique(self.labels[index])}
        drawn = draw_per_class(self.labels, self.samples_per_class, self.seed)
        carriers = carriers_of(self.dataset)
        for label, index in drawn.items():
            affected = np.flatnonzero(carriers & (self.labels == label))
            if len(affected) and not carriers[index].any():
                drawn[label] = np.append(index[:-1], affected[0])
        return drawn

    def forget(self) -> None:
        """Forget the samples and their strips."""
        super().forget()
        self._history = {}

    def audit(self, trainer: pl.Trainer, network: nn.Module) -> None:
        """Explain the samples once more and lengthen their strips."""
        explain = self.attribution.of(network)
        device = self.device_of(network)
        folder = self.output_folder(trainer)
        self.paths = paths_of(self.dataset)
        names = Names(self.classes.get(label, str(label)) for label in range(max(self.classes) + 1))
        figures, keys = {}, logger_keys(self.classes)
        for label, indices in self._indices.items():
            images, index = read_samples(self.dataset, indices)
            found = explain_all(explain, images, label, self.batch_size, device)
            rows = zip(index, found.maps.numpy(), found.predictions(), found.ranks(label), strict=True)
            for i, heatmap, *rest in rows:
                moment = Moment(trainer.current_epoch, *shrink(heatmap), *map(int, rest))
                self._history[int(i)] = thin_out([*self._history.get(int(i), []), moment])
            shown = display_images(self.dataset, images).numpy()
            page = folder / f"{file_stem(label, self.classes[label])}.jpg"
            write_figure(page, evolution_sheet(self._strips(index, shown, names)))
            figures[f"evolution/{keys[label]}"] = page
        self.publish(trainer, {}, figures)

    def _strips(self, index: NDArray[np.int64], images: NDArray[np.floating], names: Names) -> list[Strip]:
        """The strips of samples, of the epochs in which all of them could be read."""
        histories = [self._history[int(i)] for i in index]
        common = set.intersection(*({moment.epoch for moment in history} for history in histories))
        strips = []
        for i, image, history in zip(index, images, histories, strict=True):
            shown = (moment for moment in history if moment.epoch in common)
            epochs, maps, peaks, predictions, ranks = zip(*shown, strict=True)
            heatmaps = np.stack(maps).astype(np.float32) * np.float32(peaks)[:, None, None]
            title = f"{names[self.labels[i]]} · {self.paths[i]}"
            strips.append(Strip(image, epochs, heatmaps, [names[label] for label in predictions], ranks, title))
        return strips

    def state_dict(self) -> dict[str, Any]:
        """Return the strips so far, so that a resumed run lengthens them."""
        history = {
            index: [each._asdict() | {"map": torch.from_numpy(each.map)} for each in strip]
            for index, strip in self._history.items()
        }
        return super().state_dict() | {"history": history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the strips of the interrupted run; those of an earlier version, of another form, begin anew."""
        super().load_state_dict(state_dict)
        self._history = {
            index: [Moment(**each | {"map": each["map"].numpy()}) for each in strip]
            for index, strip in state_dict["history"].items()
            if isinstance(strip, list)
        }


def shrink(heatmap: NDArray[np.floating]) -> tuple[NDArray[np.float16], float]:
    """Return a map (H, W) as large as it is shown, divided by its largest absolute value, and that value."""
    shown = legible(heatmap[None])[0]
    peak = float(np.abs(shown).max())
    return (shown / (peak or 1.0)).astype(np.float16), peak


def spread_out(shown: NDArray[np.floating], peak: float, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map (H, W) that `shrink` made small: what lies in a square is spread over it evenly."""
    parts = size[0] // shown.shape[0], size[1] // shown.shape[1]
    return np.kron(shown.astype(np.float32), np.full(parts, peak / (parts[0] * parts[1]), dtype=np.float32))


def thin_out(strip: list[Moment]) -> list[Moment]:
    """Return a strip of at most ten epochs: of more the one whose neighbours lie closest is left out."""
    while len(strip) > MOST_EPOCHS:
        gaps = [after.epoch - before.epoch for before, after in zip(strip, strip[2:], strict=False)]
        del strip[1 + int(np.argmin(gaps))]
    return strip
