"""Class by class from groups of samples, or a given artifact, to cases whose files are on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.data import Union
from unhans.effects import CHOSEN_ON, Bench, Candidate, Case, Plan, Sample, evenly, examine, examine_class, work
from unhans.effects.interventions import Truth
from unhans.experiment.cases import Tested, case_files, load_case, load_cases, remove_cases, save_case
from unhans.experiment.effect.effect_options import Question
from unhans.experiment.run import Subject
from unhans.experiment.survey import Survey
from unhans.harness import Planted, bench_of, by_picture, known, planted_in
from unhans.spray import Suspicion
from unhans.store.virelay import load_analysis, open_maps

MOST = 800  # samples of a class that artifacts are isolated from; half of them, where there are more, are of groups
LISTED = "listed samples"
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Clustered:
    """Samples of one class with the groups of them that may share an artifact.

    Attributes:
        images: (n, 3, H, W) in [0, 1].
        index: (n,) in training and validation images together.
        heatmaps: (n, H, W).
        candidates: groups, the most promising first, with members (n,).
        suspicion: of the class.
        clustered: (N,) indices of all samples among which the groups were found; None: of the images.
    """

    images: Tensor
    index: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    candidates: tuple[Candidate, ...]
    suspicion: Suspicion
    clustered: NDArray[np.int64] | None = None

    @property
    def sample(self) -> Sample:
        """The class as an examination sees it."""
        entry = self.suspicion
        known = {"suspicion": entry, "clustered": self.clustered}
        return Sample(self.images, self.index, self.heatmaps, entry.label, entry.name, **known)


def clustered(
    survey: Survey,
    entry: Suspicion,
    most: int,
    both: Union,
    seed: int,
    listed: frozenset[tuple[str, str]] = frozenset(),
) -> Clustered:
    """Read a class of a finished survey with its first groups; no sample is read where there are none.

    Args:
        survey: finished.
        entry: the class, scored among all.
        most: groups.
        both: what the indices count in.
        seed: draws at most 800 samples.
        listed: samples, by path and split, that take the place of the groups.
    """
    files = survey.files(entry.label)
    audit, _ = load_analysis(files)
    stored = open_maps(files)
    split = np.ones(len(stored), dtype=np.int64) if survey.split == "val" else stored.split.astype(np.int64)
    index = stored.index + split * len(both.parts[0])
    found = [Candidate(each.view, each.members) for each in audit.candidates[:most]]
    if listed:
        found = [Candidate(LISTED, np.array([(both.paths[i], SPLITS[both.split[i]]) in listed for i in index]))]
    rows = drawn_rows([each.members for each in found], seed)
    images = torch.from_numpy(stored.images[rows]).float() / 255
    candidates = tuple(Candidate(each.view, each.members[rows], index[each.members]) for each in found)
    return Clustered(images, index[rows], stored.maps[rows], candidates, entry, index)


def drawn_rows(groups: Sequence[NDArray[np.bool_]], seed: int) -> NDArray[np.int64]:
    """Draw at most 800 of n rows, sorted: as many of each group (n,), half of all in sum, then any.

    A class that is not larger is taken as it is; without groups nothing is.
    """
    if not groups:
        return np.array([], dtype=np.int64)
    order = np.random.default_rng([seed, len(groups[0])]).permutation(len(groups[0]))
    first = [order[members[order]][: MOST // (2 * len(groups))] for members in groups]
    return np.sort(list(dict.fromkeys(np.concatenate([*first, order]).tolist()))[:MOST])


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
        """Return validation samples of other classes, and where they are too few training samples of them besides.

        Too few are fewer than were asked for and those that an artifact is chosen on. Samples that are known to carry a
        planted artifact are left out.
        """
        clean = (self.both.labels != label) & (self.both.labels >= 0) & ~self.both.carriers
        val, train = (rows[clean[rows]] for rows in (self.splits["val"], self.splits["train"]))
        missing = min(self.question.samples + CHOSEN_ON - len(val), len(train))
        if missing <= 0:
            return val
        return np.union1d(val, evenly(self.both.labels, train, missing, self.subject.seed))

    def fills(self, label: int) -> tuple[str, ...]:
        """Return how the artifact is removed; a planted one truly, besides."""
        return tuple(dict.fromkeys((*self.question.fills, *["truth"] * self._is_planted(label))))

    def work(self, label: int) -> int:
        """Return about how many images the experiment with the given artifact predicts, for a progress bar."""
        index = np.flatnonzero(self.both.labels == label)
        return work(self.bench, label, index, self.others(label), self.splits, self.question.samples, self.fills(label))

    def key(self, label: int, analysis: Mapping[str, Any]) -> dict[str, Any]:
        """Return by what the cases of a class are known again; analysis: the key of what they are isolated from."""
        seen = np.concatenate([self.others(label), np.flatnonzero(self.both.labels == label)])
        question = self.question.key(self.subject.data.image_size)
        own = question | {"seed": self.subject.seed, "images": self.both.fingerprint(seen)}
        if self.question.given is not None:
            own |= {"carriers": int(self._carriers(label).sum())}
        return {**analysis, "effect": own}

    def finished(self, label: int, key: Mapping[str, Any]) -> list[Tested]:
        """Return the cases of a class that was tested before; none where that is to be done."""
        return load_cases(self.subject.out, label, self.subject.classes[label], key)

    def prove(self, found: Clustered, key: Mapping[str, Any]) -> list[Tested]:
        """Isolate and test what the groups of a class share, write its cases, and return them as the disk holds them.

        Their verdicts are those that hold if nothing else was tested. The first case, whose mark says how many there
        are, is written last.
        """
        label, name = found.suspicion.label, found.suspicion.name
        self.say(f"testing class {name}", 0)
        began = time.perf_counter()
        cases = self._examined(found)
        remove_cases(self.subject.out, label, name)
        for rank in reversed(range(len(cases))):
            files = case_files(self.subject.out, label, name, rank)
            truth = None if self.planted is None else known(self.bench, cases[rank], self.planted, found.index)
            seconds = time.perf_counter() - began
            save_case(files, cases[rank], truth, self.subject.data.classes, found.sample, key, len(cases), seconds)
        return self.finished(label, key)

    def prove_given(self, label: int, key: Mapping[str, Any]) -> Tested:
        """Test the given artifact on a class and write its case; a finished one is read."""
        files = case_files(self.subject.out, label, self.subject.classes[label], given=True)
        began, finished = time.perf_counter(), load_case(files, key)
        if finished is not None:
            return finished
        case = self._given(label)
        seconds = time.perf_counter() - began
        return save_case(files, case, None, self.subject.data.classes, None, key, seconds=seconds)

    def _carriers(self, label: int) -> NDArray[np.bool_]:
        """Which samples (N,) carry the given artifact: the planted one's carriers if it is that one, else none."""
        data, given = self.subject.data, self.question.given
        assert given is not None
        splits, size = {"train": data.train_set, "val": data.val_set}, (data.image_size, data.image_size)
        found = by_picture(given, label, self.subject.classes[label], self.question.description, splits, size)
        return np.concatenate([found.carriers[split] for split in splits])

    def _is_planted(self, label: int) -> bool:
        """Whether the artifact that is tested is taken for the planted one."""
        if self.question.given is not None:
            return bool(self._carriers(label).any())
        return self.planted is not None and self.planted.target == label

    def _truth(self, label: int) -> Truth | None:
        return self.planted.truth if self.planted is not None and self._is_planted(label) else None

    def _examined(self, found: Clustered) -> list[Case]:
        label, asked = found.suspicion.label, self.question
        plan = Plan(
            candidates=asked.candidates,
            tests=asked.tests,
            samples=asked.samples,
            fills=self.fills(label),
            kind=asked.kind,
            mask=asked.mask,
            seed=self.subject.seed,
        )
        others, truth = self.others(label), self._truth(label)
        return examine_class(self.bench, found.sample, found.candidates, plan, others, self.splits, truth)

    def _given(self, label: int) -> Case:
        """Test the given artifact; samples of the class carry it where it is the planted one."""
        index, name = np.flatnonzero(self.both.labels == label), self.subject.classes[label]
        return examine(
            self.bench,
            torch.empty(0, 3, 1, 1),
            index,
            np.zeros((0, 1, 1), dtype=np.float32),
            self._carriers(label)[index],
            label,
            name,
            given=self.question.given,
            description=self.question.description,
            others=self.others(label),
            splits=self.splits,
            truth=self._truth(label),
            samples=self.question.samples,
            fills=self.fills(label),
            advance=lambda samples: self.say(f"testing class {name}", samples),
        )
