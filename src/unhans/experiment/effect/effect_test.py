"""Class by class from groups of samples, or a given artifact, to cases whose files are on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unhans.artifacts import HandPlaced, Patch
from unhans.data import entries_at, has_several, once, without_class
from unhans.effects import (
    CHOSEN_ON,
    Bench,
    Candidate,
    Case,
    GivenPicture,
    Plan,
    Sample,
    draw_evenly,
    examine_class,
    prove,
)
from unhans.effects.interventions import Truth
from unhans.experiment.cases import TestedCase, case_files, load_case, load_cases, remove_cases, save_case
from unhans.experiment.run import Subject
from unhans.experiment.survey import Survey
from unhans.harness import Planted, by_picture, compare_with_planted, planted_in
from unhans.spray import Suspicion
from unhans.store import digest
from unhans.store.virelay import load_analysis, open_maps

MOST = 800  # samples of a class that artifacts are isolated from; half of them, where there are more, are of groups
LISTED = "listed samples"
ELSEWHERE = 5  # added to the seed of the samples in which an artifact is looked for


def read_groups(
    survey: Survey,
    entry: Suspicion,
    most: int,
    subject: Subject,
    listed: frozenset[tuple[str, str]] = frozenset(),
) -> tuple[Sample, list[Candidate]]:
    """Read a class of a finished survey and its groups, the most promising first; no image is read where it has none.

    Args:
        survey: finished.
        entry: the class, scored among all.
        most: groups.
        subject: in whose training and validation images the indices count; its seed draws at most 800 samples.
        listed: samples, by path and split, that take the place of the groups.
    """
    files = survey.files(entry.label)
    audit, _ = load_analysis(files)
    stored = open_maps(files)
    both, names = subject.both, tuple(subject.splits)
    split = np.ones(len(stored), dtype=np.int64) if survey.split == "val" else stored.split.astype(np.int64)
    own = stored.index
    if survey.split != "union" and has_several(both):  # then they are numbers of images, which have several entries
        own = entries_at(subject.splits[survey.split], own, entry.label)
    index = own + split * len(both.parts[0])
    found = [Candidate(each.view, each.members) for each in audit.candidates[:most]]
    if listed:
        found = [Candidate(LISTED, np.array([(both.paths[i], names[both.split[i]]) in listed for i in index]))]
    rows = drawn_rows([each.members for each in found], subject.seed)
    images = torch.from_numpy(stored.images[rows]).float() / 255
    groups = [Candidate(each.view, each.members[rows], index[each.members]) for each in found]
    known = {"suspicion": entry, "clustered": index}
    return Sample(images, index[rows], stored.maps[rows], entry.label, entry.name, **known), groups


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
class EffectTest:
    """The experiments on one network, on training and validation images together.

    Attributes:
        subject: the network and its data.
        plan: what may be done for each class, by the seed of the subject.
        given: an artifact to test in place of an isolated one.
        listed: path and split of the samples that carry it, in place of the groups.
        looked_at: samples of other classes in which each tested artifact is looked for, at most.
        say: told what is being done, and of how many samples.
    """

    subject: Subject
    plan: Plan
    given: Patch | None = None
    listed: frozenset[tuple[str, str]] = frozenset()
    looked_at: int = 0
    say: Say = lambda text, samples: None

    @cached_property
    def bench(self) -> Bench:
        """The network, on training and validation images together; every index counts there."""
        return self.subject.bench()

    def bench_of(self, label: int) -> Bench:
        """Return the bench of one class: where images may show several, it asks for that class alone."""
        return self.bench.against_rest(label) if has_several(self.subject.both) else self.bench

    @cached_property
    def planted(self) -> Planted | None:
        """The artifact that the data set plants, if it does."""
        return planted_in(self.subject.both)

    @property
    def picture(self) -> GivenPicture | None:
        """What the given artifact is."""
        given = self.given
        if isinstance(given, HandPlaced):
            return GivenPicture(given.file.name, given.size, "by_hand", len(given.places))
        return None if given is None else GivenPicture(given.file.name, given.size, given.placement)

    @property
    def placed(self) -> NDArray[np.int64] | None:
        """The images on which a person placed the picture; None: it goes on any."""
        return np.array(sorted(self.given.places)) if isinstance(self.given, HandPlaced) else None

    @property
    def most_samples(self) -> int:
        """On how many images an artifact is put, at most."""
        return self.plan.samples if self.placed is None else len(self.placed)

    def others(self, label: int) -> NDArray[np.int64]:
        """Return validation samples of other classes, and where they are too few training samples of them besides.

        Too few are fewer than were asked for and those that an artifact is chosen on. Samples that are known to carry a
        planted artifact are left out. Of a picture that was placed by hand: the images that it was placed on.
        """
        if self.placed is not None:
            return self.placed
        both = self.subject.both
        clean = self._without(label) & ~both.carriers
        val, train = (once(both, rows[clean[rows]]) for rows in (self.subject.rows["val"], self.subject.rows["train"]))
        missing = min(self.plan.samples + CHOSEN_ON - len(val), len(train))
        if missing <= 0:
            return val
        return np.union1d(val, draw_evenly(both.labels, train, missing, self.subject.seed))

    def elsewhere(self, label: int) -> NDArray[np.int64] | None:
        """Return samples of other classes in which an isolated artifact is looked for, evenly over these; None: none.

        They are of both splits. Samples that are known to carry a planted artifact are not left out.
        """
        if not self.looked_at or self.given is not None:
            return None
        labels = self.subject.both.labels
        pool = np.flatnonzero(self._without(label) & (labels >= 0))
        return draw_evenly(labels, pool, self.looked_at, self.subject.seed + ELSEWHERE)

    def _without(self, label: int) -> NDArray[np.bool_]:
        """Which samples (N,) are of other classes and do not show this one as well."""
        both = self.subject.both
        return without_class(both, both.labels, label)

    def fills(self, label: int) -> tuple[str, ...]:
        """Return how the artifact is removed; a planted one truly, besides."""
        return tuple(dict.fromkeys((*self.plan.fills, *["truth"] * self._is_planted(label))))

    def key(self, label: int, analysis: Mapping[str, Any]) -> dict[str, Any]:
        """Return by what the cases of a class are known again; analysis: the key of what they are isolated from."""
        elsewhere = self.elsewhere(label)
        looked_at = np.zeros(0, dtype=np.int64) if elsewhere is None else elsewhere
        own_class = np.flatnonzero(self.subject.both.labels == label)
        seen = np.unique(np.concatenate([self.others(label), own_class, looked_at]))
        own = {name: getattr(self.plan, name) for name in ("kind", "samples", "candidates", "tests", "fills")}
        own["elsewhere"] = len(looked_at)
        own["mask"] = None if self.plan.mask is None else digest(self.plan.mask)
        own["artifact"] = self.given and digest(str(self.picture), *self._layers())
        own["members"] = digest(*map(str, sorted(self.listed))) if self.listed else None
        own |= {"seed": self.subject.seed, "images": self.subject.both.fingerprint(seen)}
        if self.given is not None:
            own["carriers"] = int(self._carriers(label).sum())
        return {**analysis, "effect": own}

    def finished(self, label: int, key: Mapping[str, Any]) -> list[TestedCase]:
        """Return the cases of a class that was tested before; none where that is to be done."""
        return load_cases(self.subject.out, label, self.subject.classes[label], key)

    def test_groups(self, sample: Sample, groups: Sequence[Candidate], key: Mapping[str, Any]) -> list[TestedCase]:
        """Isolate and test what the groups of a class share, write its cases, and return them as the disk holds them.

        Their verdicts are those that hold if nothing else was tested. The first case, whose mark says how many there
        are, is written last.
        """
        self.say(f"testing class {sample.name}", 0)
        began = time.perf_counter()
        cases = self.examine(sample, groups)
        remove_cases(self.subject.out, sample.label, sample.name)
        for rank in reversed(range(len(cases))):
            files = case_files(self.subject.out, sample.label, sample.name, rank)
            planted = self.planted
            truth = planted and compare_with_planted(self.bench_of(sample.label), cases[rank], planted, sample.index)
            seconds = time.perf_counter() - began
            save_case(files, cases[rank], truth, self.subject.data.classes, sample, key, len(cases), seconds)
        return self.finished(sample.label, key)

    def examine(self, sample: Sample, groups: Sequence[Candidate]) -> list[Case]:
        """Return what is known of the artifacts of a class; nothing is written."""
        plan = replace(self.plan, fills=self.fills(sample.label), seed=self.subject.seed)
        others, truth = self.others(sample.label), self._truth(sample.label)
        planted = self.planted.carriers if truth is not None and self.planted is not None else None
        options = {"truth": truth, "elsewhere": self.elsewhere(sample.label), "planted": planted}
        return examine_class(self.bench_of(sample.label), sample, groups, plan, others, self.subject.rows, **options)

    def test_given(self, label: int, key: Mapping[str, Any]) -> TestedCase:
        """Test the given artifact on a class and write its case; a finished one is read."""
        files = case_files(self.subject.out, label, self.subject.classes[label], given=True)
        began, finished = time.perf_counter(), load_case(files, key)
        if finished is not None:
            return finished
        self.say(f"testing class {self.subject.classes[label]}", 0)
        case = self._given(label)
        seconds = time.perf_counter() - began
        return save_case(files, case, None, self.subject.data.classes, None, key, seconds=seconds)

    def _layers(self) -> list[Any]:
        """What tells the given artifact from others: a layer, or its pixels and all its places."""
        side, given = self.subject.data.image_size, self.given
        assert given is not None
        if isinstance(given, HandPlaced):
            return [np.asarray(given.draw(side, side)), *(f"{index} {given.places[index]}" for index in self.placed)]
        return [given.layer(0, side)]

    def _carriers(self, label: int) -> NDArray[np.bool_]:
        """Which samples (N,) carry the given artifact: the planted one's carriers if it is that one, else none."""
        subject, given = self.subject, self.given
        assert given is not None
        if isinstance(given, HandPlaced):
            return np.zeros(len(subject.both), dtype=bool)
        found = by_picture(given, label, subject.classes[label], given.file.name, subject.splits, subject.size)
        return np.concatenate([found.carriers[split] for split in subject.splits])

    def _is_planted(self, label: int) -> bool:
        """Whether the artifact that is tested is taken for the planted one."""
        if self.given is not None:
            return bool(self._carriers(label).any())
        return self.planted is not None and self.planted.target == label

    def _truth(self, label: int) -> Truth | None:
        return self.planted.truth if self.planted is not None and self._is_planted(label) else None

    def _given(self, label: int) -> Case:
        """Test the given artifact; samples of the class carry it where it is the planted one."""
        index, name = np.flatnonzero(self.subject.both.labels == label), self.subject.classes[label]
        assert self.given is not None
        carries = self._carriers(label)[index]
        proof = prove(
            self.bench_of(label),
            self.given,
            label,
            affected=index[carries],
            unaffected=index[~carries],
            truth=self._truth(label),
            samples=self.most_samples,
            fills=self.fills(label),
            others=self.others(label),
        )
        return Case(label, name, proof=proof, given=self.picture)
