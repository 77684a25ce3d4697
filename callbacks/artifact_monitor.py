"""Known artifacts while the model trains: a Clever Hans is learned, or forgotten."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import Dataset
from unhans.callbacks.audit import LOG, Audit

from unhans import harness
from unhans.data import has_several, pixel_scale, without_class
from unhans.effects import MINIMUM, Bench, Effect, draw_evenly
from unhans.report.figures import monitor_figure
from unhans.report.loggers import logger_keys
from unhans.report.text import MEASURE_COLUMNS, effect_numbers, monitor_line
from unhans.store import write_csv, write_figure

COLUMNS = ("epoch", "artifact", "class", "change", "n", *MEASURE_COLUMNS)


class ArtifactMonitor(Audit):
    """Measures every n-th epoch what known or isolated artifacts do to the predictions.

    Each artifact is laid over fixed samples of other classes; the changes towards its class (probability, rank, logit,
    share of flipped predictions) are logged with 95 % intervals, drawn as curves (`folder/effect.png`) and written to
    `folder/effects.csv`. It counts as learned while the lower end of the interval of Δp is at least 0.05; whether a
    patch of any other look would do the same is a question for the controls of `SpRAyAudit(verify=True)`.
    Where it is known which samples carry the artifact, it is removed from them as well: by what they were before it was
    planted, else by inpainting where its detector finds it.

    A checkpoint holds the numbers of every audit: 2 KB for each artifact.

    Args:
        artifacts: one artifact, a list, or a dict by name. Each is an `unhans.artifacts.Artifact` such as `Patch`, a
            `Case`, or a pair of anything that has a layer and its class; None is the one that the data set plants.
        samples: how many samples of other classes to paste on, at most.
        network, dataset, every_n_epochs, batch_size, folder, on_error, seed, name, output, keys: as for every
            `Audit`; monitored are the validation data by default.

    Attributes:
        tracked: the artifacts.
        epochs: after which they were measured.
        added: by name, the effect of laying an artifact over samples of other classes, after each epoch.
        removed: by name, the effect of taking it from samples that carry it, where these are known.

    Raises:
        ValueError: an argument is not as described.
        MisconfigurationException: before training, where an artifact could not be measured.

    >>> ArtifactMonitor(network="net", samples=50).source
    'val'
    """

    kind = "effect"
    usual = "val"

    def __init__(
        self,
        artifacts: Any = None,
        network: str = "model",
        dataset: Literal["train", "val"] | Dataset = "val",
        samples: int = 200,
        every_n_epochs: int = 1,
        batch_size: int = 64,
        **options: Any,
    ) -> None:
        super().__init__(network, dataset, every_n_epochs, batch_size=batch_size, **options)
        if samples < 2:
            raise ValueError(f"samples expects 2 or more, got {samples}.")
        self.artifacts, self.samples = artifacts, samples
        self.epochs: list[int] = []
        self.added: dict[str, list[Effect]] = {}
        self.removed: dict[str, list[Effect]] = {}
        self.tracked: list[harness.MonitoredArtifact] = []
        self._carriers: dict[str, harness.Places] = {}  # found in the first audit, since images do not change

    def check_network(self, network: nn.Module) -> None:
        """Nothing is explained, so networks without rules for relevance will do."""

    def begin(self, network: nn.Module) -> None:
        """Resolve the artifacts, draw the samples and try one, so that nothing has to be refused later."""
        with harness.raise_misconfiguration("ArtifactMonitor"):
            self.scale = pixel_scale(self.dataset, self.seed)
            self.names = harness.class_names(self.dataset, self.labels)
            self.tracked = harness.monitored_artifacts(self.artifacts, harness.planted_in(self.dataset), self.names)
            self._restore_curves([each.name for each in self.tracked])
            harness.warn_if_random(self.dataset, next(iter(self._indices.values())), type(self).__name__)
            for each in self.tracked:
                each.check(self.bench(network), self._indices[each.name])

    def _restore_curves(self, names: list[str]) -> None:
        """Go on with the samples and curves of these artifacts; a resumed run with others begins new curves."""
        self._indices = {name: index for name, index in self._indices.items() if name in names}
        self._check_restored()
        self._indices = self._rehearsed(self.choose() | self._indices)
        if set(self.added) != set(names):
            self.epochs, self.added, self.removed = [], {name: [] for name in names}, {}

    def forget(self) -> None:
        """Forget the samples and the curves."""
        super().forget()
        self.epochs, self.added, self.removed, self._carriers = [], {}, {}, {}

    def _rehearsed(self, chosen: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """The samples of every artifact: in a rehearsal a few."""
        return {name: index[: self.few] for name, index in chosen.items()} if self.rehearsal else chosen

    def _fits(self, name: str, index: NDArray[np.int64]) -> bool:
        """Whether samples (n,) are of other classes than the artifact's."""
        return not any((self.labels[index] == each.target).any() for each in self.tracked if each.name == name)

    def choose(self) -> dict[str, NDArray[np.int64]]:
        """Draw the samples of other classes that each artifact is laid over; none that is known to carry it."""
        chosen = {}
        for each in self.tracked:
            usable = without_class(self.dataset, self.labels, each.target)
            usable &= True if each.carriers is None else ~each.carriers
            chosen[each.name] = draw_evenly(self.labels, np.flatnonzero(usable), self.samples, self.seed)
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
        bench = self.bench(network)
        found = {each.name: self._measure(each, bench) for each in self.tracked}
        self.epochs.append(trainer.current_epoch)
        for name, (added, removed) in found.items():
            self.added[name].append(added)
            if removed is not None:
                self.removed.setdefault(name, []).append(removed)
        self._write(trainer)
        self._log(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return the fixed samples, the clocks and the curves so far."""
        of_all = {"added": self.added, "removed": self.removed}
        curves = {key: {name: list(map(asdict, each)) for name, each in of.items()} for key, of in of_all.items()}
        return super().state_dict() | {"epochs": list(self.epochs)} | curves

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the samples and the curves of the interrupted run."""
        super().load_state_dict(state_dict)
        self.epochs = list(state_dict["epochs"])
        self.added, self.removed = (
            {name: [Effect(**each) for each in effects] for name, effects in state_dict[key].items()}
            for key in ("added", "removed")
        )

    def _measure(self, each: harness.MonitoredArtifact, bench: Bench) -> tuple[Effect, Effect | None]:
        bench = bench.against_rest(each.target) if has_several(self.dataset) else bench
        if each.name not in self._carriers:
            self._carriers[each.name] = each.find_carriers(bench, self.samples)
        return each.measure(bench, self._indices[each.name], self._carriers[each.name])

    def _write(self, trainer: pl.Trainer) -> None:
        """Write all effects of all epochs as a table, and draw their curves."""
        folder, changes = self.output_folder(trainer), {"added": self.added, "removed": self.removed}
        rows = [
            (epoch, each.name, self.names[each.target], change, effect.n, *effect_numbers(effect).values())
            for number, epoch in enumerate(self.epochs)
            for each in self.tracked
            for change, curves in changes.items()
            for effect in curves.get(each.name, ())[number : number + 1]
        ]
        write_csv(folder / "effects.csv", COLUMNS, rows)
        curves = {f"{each.name} → {self.names[each.target]}": self.added[each.name] for each in self.tracked}
        write_figure(folder / "effect.png", monitor_figure(self.epochs, curves, MINIMUM))

    def _log(self, trainer: pl.Trainer) -> None:
        """Log the last effects, and tell each in a line."""
        keys, scalars, lines = logger_keys({name: name for name in self.added}), {}, []
        for each in self.tracked:
            added, removed = self.added[each.name][-1], self.removed.get(each.name, [None])[-1]
            for prefix, effect in (("", added), ("removed_", removed)):
                if effect is not None:
                    numbers = effect_numbers(effect) | {"n": float(effect.n)}
                    scalars |= {f"effect/{keys[each.name]}/{prefix}{key}": value for key, value in numbers.items()}
            learned = harness.learned_since(self.epochs, self.added[each.name], MINIMUM)
            lines.append(monitor_line(self.epochs[-1], each.name, self.names[each.target], added, removed, *learned))
        self.publish(trainer, scalars, {"effect/curves": self.output_folder(trainer) / "effect.png"})
        for line in lines:
            harness.print_line(trainer, line)
