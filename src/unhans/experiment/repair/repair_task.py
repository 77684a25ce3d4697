"""What is asked of a repair, and what all repairs of one comparison have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from unhans.artifacts import transform_of
from unhans.clarc import Estimator, Spatial
from unhans.effects import draw_evenly, measure
from unhans.effects.interventions import pasted
from unhans.experiment.repair.fine_tuning import FineTuning
from unhans.experiment.repair.stored_networks import Start
from unhans.experiment.run import Subject
from unhans.experiment.survey import weights_of
from unhans.isolation import record_of
from unhans.repair import (
    CORRECTING,
    METHODS,
    POST_HOC,
    Assessment,
    AssessmentPlan,
    ConceptSource,
    KnownArtifact,
    Method,
    OnBench,
    assess,
)
from unhans.report import progress
from unhans.store import digest
from unhans.terminal import ConfigurationError, near

AUTO = "auto"
EVERY_EPOCH = 1000  # validation images at most that a curve's points are measured on
KEPT = (0, 1, 5, 10)  # epochs, as in figures 9 and 10 of [000], and before
LAYERS = 16  # samples of each split whose layer stands for the artifact


@dataclass(frozen=True)
class RepairOptions:
    """How networks are repaired and assessed.

    Attributes:
        layer: name of the layer that ClArC corrects, "auto" for the one with which least of the effect is left, of
            those whose concept tells held-out samples apart best.
        estimator, spatial: of the concept.
        concept: which samples it is fitted on, see `unhans.repair.FittedConcept`; None where both are possible is
            "found".
        samples: with and without the artifact to fit it on, at most so many of each.
        strength: of P-ClArC, in (0, 1].
        weight: of the relevance in the loss of right-for-the-right-reasons training.
        images: validation images that a network is assessed on, at most; None is all.
        keep: epochs whose heatmaps are kept besides the last; None is those of `KEPT` that training has.

    Raises:
        ConfigurationError: a number is out of its range.
    """

    layer: str = AUTO
    estimator: Estimator = "pattern"
    spatial: Spatial = "positions"
    concept: ConceptSource | None = None
    samples: int = 200
    strength: float = 1.0
    weight: float = 1.0
    images: int | None = None
    keep: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ConfigurationError(f"samples expects 2 or more, got {self.samples}.")
        if self.images is not None and self.images < 1:
            raise ConfigurationError(f"images expects 1 or more, or null for all, got {self.images}.")
        if not 0 < self.strength <= 1:
            raise ConfigurationError(f"strength expects a number above 0 and at most 1, got {self.strength}.")
        if self.weight <= 0:
            raise ConfigurationError(f"weight expects a number above 0, got {self.weight}.")

    def kept(self, epochs: int) -> tuple[int, ...]:
        """Return the epochs whose heatmaps are kept of a training of so many, the last among them; −1: no end."""
        wanted = self.keep if self.keep is not None else [epoch for epoch in KEPT if not 0 < epochs < epoch]
        return tuple(sorted({*wanted, epochs} - {-1}))

    def key(self, method: Method) -> dict[str, Any]:
        """Return what an outcome of this method depends on."""
        values = asdict(self)
        concept = ("layer", "estimator", "spatial", "concept", "samples")
        wanted = ["images", *(concept if method in CORRECTING else ())]
        wanted += {"p_clarc": ["strength"], "reactive": ["strength"], "right_reasons": ["weight"]}.get(method, [])
        return {name: values[name] for name in wanted}


def check_methods(methods: Sequence[str]) -> tuple[Method, ...]:
    """Return the methods, each once, in their order; raises ConfigurationError for none and for an unknown one."""
    for method in methods:
        if method not in METHODS:
            expected = f"methods expects some of {', '.join(METHODS)}"
            raise ConfigurationError(f"{expected}, got {method!r}{near(method, METHODS)}")
    if not methods:
        raise ConfigurationError(f"methods expects one or more of {', '.join(METHODS)}, got none.")
    return tuple(dict.fromkeys(methods))  # type: ignore[arg-type]


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds, each once; raises ConfigurationError for none and for a negative one."""
    if not seeds:
        raise ConfigurationError("seeds expects one or more numbers, such as [0,1], got none.")
    if min(seeds) < 0:
        raise ConfigurationError(f"seeds expects numbers of 0 or more, got {min(seeds)}.")
    return tuple(dict.fromkeys(seeds))


def only_class(classes: Sequence[str] | None) -> str | None:
    """Return the one class that is named, if any; ConfigurationError for several: an artifact belongs to one."""
    if len(classes or ()) > 1:
        named = ", ".join(map(str, classes))
        raise ConfigurationError(f"an artifact belongs to one class, named as classes=[…]; got {named}.")
    return str(classes[0]) if classes else None


@dataclass(frozen=True)
class RepairTask:
    """A network that uses an artifact, and what is asked of its repairs.

    Attributes:
        subject: the network and its data.
        known: the artifact.
        options: how networks are repaired and assessed.
        start: from a seed to the network that all methods begin with.
        tuning: how networks are trained; None where none is.
    """

    subject: Subject
    known: KnownArtifact
    options: RepairOptions
    start: Start
    tuning: FineTuning | None = None

    def on_bench(self, network: nn.Module) -> OnBench:
        """Return the artifact on the bench of a network and both splits."""
        return OnBench(self.subject.bench(network=network), self.known, self.subject.rows)

    def assess(self, network: nn.Module) -> Assessment:
        """Return what a network does, measured once and thoroughly."""
        plan = AssessmentPlan(self.on_bench(network), images=self.options.images)
        with progress(plan.work) as say:
            return assess(plan, lambda images: say("assessing the network", images))

    def accuracies(self, network: nn.Module) -> tuple[float, float]:
        """Return a network's accuracy on validation images without the artifact, and with it on all."""
        here = self.on_bench(network)
        measured = measure(here.cleaned, self._drawn, {"added": pasted(here)}, lambda images: None)
        labels = self.subject.both.labels[measured.indices]
        clean, added = (logits.argmax(1) == labels for logits in (measured.before, measured.after["added"]))
        return float(clean.mean()), float(added.mean())

    def key(self, method: Method, seed: int) -> dict[str, Any]:
        """Return in plain values what the outcome of a method and seed depends on."""
        key = {
            "method": method,
            "seed": seed,
            "drawn": self.subject.seed,  # assessed samples and resamples
            "weights": self._weights(seed),
            "data": self._data,
            "artifact": self._artifact,
            "settings": self.options.key(method) | {"attribution": self.subject.attribution.description},
        }
        if method in POST_HOC or self.tuning is None:  # without one nothing is trained
            return key
        return key | {"training": {**self.tuning.settings, "batch_size": self.subject.data.batch_size}}

    def folder(self, method: Method, seed: int) -> Path:
        """Return the folder of one method and seed: `out/repairs/p_clarc/seed_000` and so on."""
        return self.subject.out / "repairs" / method / f"seed_{seed:03d}"

    @cached_property
    def _drawn(self) -> NDArray[np.int64]:
        """Validation images that are seen without the artifact, the same in every epoch."""
        exact = self.known.source == "planted"  # others have no clean image where they carry it
        val = self.subject.rows["val"] if exact else self.subject.rows["val"][~self.known.carriers["val"]]
        most = min(self.options.images or EVERY_EPOCH, EVERY_EPOCH)
        return draw_evenly(self.subject.both.labels, val, most, self.subject.seed)

    @cached_property
    def _weights(self) -> Callable[[int], str]:
        """From a seed to the weights that all methods begin with; making a network and reading it takes seconds."""
        return cache(lambda seed: weights_of(self.start(seed)))

    @cached_property
    def _data(self) -> dict[str, str]:
        return {name: part.fingerprint(range(len(part))) for name, part in self.subject.splits.items()}

    @cached_property
    def _artifact(self) -> dict[str, Any]:
        one = self.known
        carriers = {name: np.asarray(rows) for name, rows in one.carriers.items()}
        known = {"label": one.label, "source": one.source, "name": one.name, "carriers": digest(carriers)}
        transform = transform_of(one.artifact)
        if transform is not None:
            return known | {"transform": digest(record_of(transform))}
        samples = (index for rows in carriers.values() for index in range(min(LAYERS, len(rows))))
        return known | {"layers": digest([one.artifact.layer(index, self.subject.size) for index in samples])}
