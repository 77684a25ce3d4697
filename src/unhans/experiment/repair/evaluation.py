"""How well networks do with and without one artifact, on the images of one data set."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from unhans.data import Union
from unhans.effects import Bench, evenly, measure
from unhans.effects.interventions import pasted
from unhans.experiment.run import Subject
from unhans.harness import Affected, bench_of
from unhans.repair import Assessment, OnBench, assess, assess_work
from unhans.report import progress

EVERY_EPOCH = 1000  # validation images at most that a curve's points are measured on


@dataclass(frozen=True)
class Assessing:
    """Assesses networks. images: validation images at most, None for all."""

    subject: Subject
    affected: Affected
    images: int | None

    @cached_property
    def both(self) -> Union:
        """Training and validation images."""
        return Union(self.subject.data.train_set, self.subject.data.val_set)

    @cached_property
    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The indices of both splits."""
        return {name: np.flatnonzero(self.both.split == number) for number, name in enumerate(("train", "val"))}

    def bench(self, network: nn.Module) -> Bench:
        """Return the bench of a network and these images."""
        one = self.subject
        options = {"device": one.device, "batch_size": one.batch_size, "seed": one.seed}
        return bench_of(network, self.both, one.attribution, **options)

    def assess(self, network: nn.Module) -> Assessment:
        """Return what a network does, measured once and thoroughly."""
        bench = self.bench(network)
        with progress(assess_work(bench, self.affected, self.splits, images=self.images)) as say:
            options = {"images": self.images, "advance": lambda n: say("assessing the network", n)}
            return assess(bench, self.affected, self.splits, **options)

    def accuracies(self, network: nn.Module) -> tuple[float, float]:
        """Return a network's accuracy on validation images without the artifact, and with it on all."""
        here = OnBench(self.bench(network), self.affected, self.splits)
        measured = measure(here.cleaned, self._drawn, {"added": pasted(here)}, lambda images: None)
        labels = self.both.labels[measured.indices]
        clean, added = (logits.argmax(1) == labels for logits in (measured.before, measured.after["added"]))
        return float(clean.mean()), float(added.mean())

    @cached_property
    def _drawn(self) -> NDArray[np.int64]:
        """Validation images that are seen without the artifact, the same in every epoch."""
        exact = self.affected.source == "planted"  # others have no clean image where they carry it
        val = self.splits["val"] if exact else self.splits["val"][~self.affected.carriers["val"]]
        return evenly(self.both.labels, val, min(self.images or EVERY_EPOCH, EVERY_EPOCH), self.subject.seed)
