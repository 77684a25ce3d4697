"""Class by class from a cluster, or a given artifact, to a case whose files are on the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unhans.artifacts.bench import Bench
from unhans.artifacts.case import Case
from unhans.artifacts.examine import examine, work
from unhans.data import Planted, Union, bench_of, planted_in
from unhans.experiment.case_files import Tested, case_files, load_case, save_case
from unhans.experiment.clustered import Clustered
from unhans.experiment.known import known
from unhans.experiment.question import Question
from unhans.experiment.subject import Subject

Say = Callable[[str, int], None]


@dataclass(frozen=True)
class Proving:
    """The experiments on one network: what is asked, on training and validation images together.

    say: told what is being done, and of how many samples.
    """

    subject: Subject
    question: Question
    say: Say = lambda text, samples: None

    @cached_property
    def both(self) -> Union:
        """Training and validation images; every index counts here."""
        return Union(self.subject.data.train_set, self.subject.data.val_set)

    @cached_property
    def bench(self) -> Bench:
        """The network and these images."""
        one = self.subject
        options = {"device": one.device, "batch_size": one.batch_size, "seed": one.seed}
        return bench_of(one.network, self.both, one.attribution, **options)

    @cached_property
    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The indices of both splits."""
        return {name: np.flatnonzero(self.both.split == number) for number, name in enumerate(("train", "val"))}

    @cached_property
    def planted(self) -> Planted | None:
        """The artifact that the data set plants, if it does."""
        return planted_in(self.both)

    def others(self, label: int) -> NDArray[np.int64]:
        """Return the validation samples of other classes, those known to carry an artifact left out."""
        val = self.splits["val"]
        return val[(self.both.labels[val] != label) & ~self.both.carriers[val]]

    def fills(self, label: int) -> tuple[str, ...]:
        """Return how the artifact is removed; a planted one truly, besides."""
        return tuple(dict.fromkeys((*self.question.fills, *["truth"] * self._carries(label))))

    def work(self, label: int) -> int:
        """Return about how many images an experiment with one cluster of a class predicts, for a progress bar."""
        index = np.flatnonzero(self.both.labels == label)
        return work(self.bench, label, index, self.others(label), self.splits, self.question.samples, self.fills(label))

    def _carries(self, label: int) -> bool:
        return self.planted is not None and self.planted.target == label

    def prove(self, label: int, rank: int, found: Clustered | None, key: Mapping[str, Any]) -> Tested:
        """Examine the artifact of a class's cluster, or the given one, and write its files; finished cases are read."""
        given = self.question.given is not None
        files = case_files(self.subject.out, label, self.subject.classes[label], rank, given)
        key = {**key, "effect": self._key(label)}
        finished = load_case(files, key)
        if finished is not None:
            return finished
        case = self._case(label, found)
        truth = None
        if self.planted is not None and found is not None:
            truth = known(self.bench, case, self.planted, found.index)
        return save_case(files, case, truth, self.subject.data.classes, found, key)

    def _key(self, label: int) -> dict[str, Any]:
        """What a case depends on besides the heatmaps of its class."""
        seen = np.concatenate([self.others(label), np.flatnonzero(self.both.labels == label)])
        question = self.question.key(self.subject.data.image_size)
        return question | {"seed": self.subject.seed, "images": self.both.fingerprint(seen)}

    def _case(self, label: int, found: Clustered | None) -> Case:
        if self.question.given is not None:
            return self._given(label)
        if found is None:
            return Case(label, self.subject.classes[label], trouble="its heatmaps hold no cluster to isolate from.")
        return self._isolated(label, found)

    def _given(self, label: int) -> Case:
        """Test the given artifact; samples of the class carry it where the data say so."""
        index = np.flatnonzero(self.both.labels == label)
        none = np.zeros((0, 1, 1), dtype=np.float32)
        options = {"given": self.question.given, "description": self.question.description}
        return self._examine(label, torch.empty(0, 3, 1, 1), index, none, self.both.carriers[index], **options)

    def _isolated(self, label: int, found: Clustered) -> Case:
        options = {"suspicion": found.suspicion, "kind": self.question.kind, "mask": self.question.mask}
        return self._examine(label, found.images, found.index, found.heatmaps, found.members, **options)

    def _examine(self, label: int, *found: Any, **options: Any) -> Case:
        name = self.subject.classes[label]
        return examine(
            self.bench,
            *found,
            label,
            name,
            others=self.others(label),
            splits=self.splits,
            truth=self.planted.truth if self._carries(label) else None,
            samples=self.question.samples,
            fills=self.fills(label),
            advance=lambda samples: self.say(f"testing class {name}", samples),
            **options,
        )
