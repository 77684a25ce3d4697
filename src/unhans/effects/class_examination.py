"""From the groups of a class to verdicts: isolate what each shares, try all of it, and test what does most.

Three steps, each on samples of its own. Everything that the groups' images share is isolated (`isolate`). What was
isolated is put on a few samples of other classes, to see which of it does most: a choice, not a result. What does most
is then tested with all controls on other samples (`prove`), so that the choice does not count in its favour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unhans.artifacts import is_whole
from unhans.effects.artifact_test import FIRST, examine_isolated
from unhans.effects.bench import Bench, draw_evenly, measure
from unhans.effects.case import Case, Untested
from unhans.effects.effect import differences
from unhans.effects.interventions import FeatureEffect, Truth, add, feature_effect, pasted
from unhans.isolation import Failure, FreeEvidence, Isolated, NothingIsolatedError, SearchKind, distinct, isolate
from unhans.isolation.fixed import GAP
from unhans.isolation.whole import Statistics
from unhans.spray.groups import jaccard

if TYPE_CHECKING:
    from unhans.spray import Suspicion


CHOSEN_ON = 48  # samples of other classes on which what was isolated is tried
NOTICED = 0.01  # mean change of the class's probability on them up to which controls cannot change the choice much
COMPARED = 3  # of what does most on them: held against its controls, on the same samples
SAME = 0.8  # overlap from which two isolated artifacts are one
DIFFERENT = 0.5  # overlap of their samples up to which two are tested both
PREFERRED = {"fixed": 1.0, "free": 0.9, "global": 0.8}  # what a gain counts, by the kind: the plainer one is taken
WHOLE = "whole class"  # all samples: what all share makes no group among them, and is held against other classes
KINDS: Mapping[str, tuple[SearchKind, ...]] = {  # what a group can share, by the beginning of its view's name
    "input relevance": ("fixed", "free"),
    "difference of relevance": ("fixed", "free"),
    "relevance shares": ("fixed",),
    "coarse shares": ("fixed",),
    "latent sum": ("fixed", "free", "global"),
    "latent maximum": ("fixed", "free"),
    "raw images": ("fixed", "global"),
    "image pattern": ("fixed", "global"),
    "image colours": ("fixed",),
    "image statistics: local": ("fixed", "global"),
    "image statistics": ("global",),
    WHOLE: ("fixed",),
}
MOSTLY = 0.75  # share of the class from which a group has too few others beside it to be compared with; what is found
# in the whole class by fewer is a mixture of what its groups share, and taken only where these share nothing
ALIGNED = 6.0  # deviations between those who share a mark and images of other classes: marks reach 7 and more; what
# an aligned object has at a place, as the hole of a zero, separates its class from others by 5 at most
BORROWED = 200  # images of other classes that then take their place


@dataclass(frozen=True)
class Candidate:
    """A group of samples of a class that may share an artifact.

    Attributes:
        view: what it was found by.
        members: (n,) bool.
        index: of all its samples in the bench's data set, those that are not examined too; None: its members are all.
    """

    view: str
    members: NDArray[np.bool_]
    index: NDArray[np.int64] | None = None

    def kinds(self, plan: Plan) -> tuple[SearchKind, ...]:
        """Return the kinds of artifacts that are looked for; what a view cannot see is not, as it would cost much."""
        if plan.kind != "auto" or plan.mask is not None:
            return (plan.kind,)
        return next((kinds for view, kinds in KINDS.items() if self.view.startswith(view)), ("auto",))


@dataclass(frozen=True)
class Sample:
    """The samples of a class as an examination sees them.

    Attributes:
        images: (n, 3, H, W) in [0, 1], as a person sees them.
        index: (n,) of the images in the bench's data set.
        heatmaps: (n, H, W) relevance with respect to the class, in any positive scale.
        label, name: of the class.
        suspicion: how far it stands out; None where it was named by the user.
        numbers: statistics of the images, if some are known.
        clustered: indices of all samples of the class among which the groups were found; None: those of the images.
    """

    images: Tensor
    index: NDArray[np.int64]
    heatmaps: NDArray[np.floating]
    label: int
    name: str
    suspicion: Suspicion | None = None
    numbers: Statistics | None = None
    clustered: NDArray[np.int64] | None = None

    def grouped(self, candidate: Candidate) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the indices of all samples that were clustered, and of those in a group; the whole class is none."""
        if candidate.view == WHOLE:
            return self.index[:0], self.index[:0]
        clustered = self.index if self.clustered is None else self.clustered
        return clustered, self.index[candidate.members] if candidate.index is None else candidate.index


@dataclass(frozen=True)
class Plan:
    """What an examination may do.

    Attributes:
        candidates: groups of a class whose images are compared, at most.
        tests: artifacts of a class that are tested, at most.
        samples: of other classes that each is tested on, at most.
        fills: how it is removed from samples that carry it.
        kind: what is looked for.
        mask: (H, W), where the artifact lies, if that is known.
        seed: of everything that is drawn.
    """

    candidates: int = 4
    tests: int = 2
    samples: int = 200
    fills: Sequence[str] = ("telea",)
    kind: SearchKind = "auto"
    mask: NDArray[np.bool_] | None = None
    seed: int = 0


@dataclass(frozen=True)
class _Found:
    """What was isolated from a group, and what it does on the samples that it is tried on."""

    candidate: Candidate
    isolated: Isolated
    lent: bool  # whether images of other classes stood beside the group
    gain: float = field(default=float("nan"))


def examine_class(
    bench: Bench,
    sample: Sample,
    candidates: Sequence[Candidate],
    plan: Plan,
    others: NDArray[np.int64],
    splits: Mapping[str, NDArray[np.int64]] | None = None,
    truth: Truth | None = None,
    elsewhere: NDArray[np.int64] | None = None,
    planted: NDArray[np.bool_] | None = None,
) -> list[Case]:
    """Return what is known of the artifacts of a class, the one that does most first; at least one case.

    Args:
        bench: the network and a data set; every index counts in this data set.
        sample: the class.
        candidates: its groups, the most promising first.
        plan: how much may be done.
        others: samples of other classes, without the artifact where that is known.
        splits: by name the indices of every split in which a tested artifact is looked for; None: nowhere.
        truth: an affected sample's image as it was before the artifact was planted, if that is known.
        elsewhere: indices of samples of other classes in which every tested artifact is looked for; None: in none.
        planted: (N,) which samples carry the artifact that the data plant in this class, if they do.

    Raises:
        ValueError: no effect can be measured, as without samples of other classes.
    """
    if not len(others):
        raise ValueError(f"the effect of an artifact of {sample.name!r} needs samples of other classes, got none")
    empty = Case(sample.label, sample.name, sample.suspicion)
    chosen_on, tested_on = _parts(bench, others, plan)
    borrowed = min(BORROWED, len(tested_on) // 3)
    lent = draw_evenly(bench.labels, tested_on, borrowed, plan.seed + 2) if borrowed else tested_on[:0]
    groups = candidates[: plan.candidates]
    found, failures, silent = _shared(bench, sample, groups, plan, lent)
    if any(one.lent for one in found):
        tested_on = np.setdiff1d(tested_on, lent)
    tested = _best(bench, sample, found, plan, chosen_on)
    options = {"splits": splits, "truth": truth, "samples": plan.samples, "fills": plan.fills}
    options |= {"elsewhere": elsewhere, "planted": planted}
    untested = Untested(len(groups), len(silent), sum(_differs(one, tested) for one in found))
    cases = [
        examine_isolated(
            bench,
            replace(empty, isolated=one.isolated, view=one.candidate.view, untested=untested),
            sample.index,
            sample.heatmaps,
            others=tested_on,
            cluster=one.isolated.members if one.lent else one.candidate.members,
            grouped=sample.grouped(one.candidate),
            **options,
        )
        for one in tested
    ]
    if not any(case.proven for case in cases):
        view, features = _in_features(bench, sample, silent, chosen_on, tested_on, plan)
        if not cases or (features is not None and features.shown):
            cases.append(replace(empty, failures=distinct(failures), view=view, features=features))
    return sorted(cases, key=_importance)


def _shared(
    bench: Bench, sample: Sample, groups: Sequence[Candidate], plan: Plan, lent: NDArray[np.int64]
) -> tuple[list[_Found], list[Failure], list[Candidate]]:
    """What the groups share, and what nearly the whole class shares; failures and silent groups as from `_isolated`."""
    everything = Candidate(WHOLE, np.ones(len(sample.index), dtype=bool))
    sample = replace(sample, numbers=sample.numbers or Statistics(sample.images))
    found, failures, silent = _isolated(bench, sample, groups, plan, lent)
    more, why, _ = _isolated(bench, sample, [everything], plan, lent)
    none_fixed = all(one.isolated.kind != "fixed" for one in found)
    new = [one for one in more if not any(_same(one.isolated, other.isolated) for other in found)]
    found += [one for one in new if none_fixed or one.isolated.members.mean() >= MOSTLY]
    return found, failures + why, silent


def _in_features(
    bench: Bench,
    sample: Sample,
    candidates: Sequence[Candidate],
    chosen_on: NDArray[np.int64],
    tested_on: NDArray[np.int64],
    plan: Plan,
) -> tuple[str, FeatureEffect | None]:
    """The view of the first group that can be tested in feature space, and what it does there."""
    most = draw_evenly(bench.labels, tested_on, min(plan.samples, FIRST), plan.seed)
    for candidate in candidates:
        options = {"others": chosen_on, "tested_on": most}
        effect = feature_effect(bench, sample.label, sample.index, candidate.members, **options)
        if effect is not None:
            return candidate.view, effect
    return candidates[0].view if candidates else WHOLE, None


def _importance(case: Case) -> tuple[bool, float]:
    effect = case.proof.added[0].effect.probability if case.proof else -1.0
    return not case.proven, -effect


def _parts(bench: Bench, others: NDArray[np.int64], plan: Plan) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The samples to choose on, at most a third, and the others, to test on."""
    others = np.asarray(others, dtype=np.int64)
    chosen = draw_evenly(bench.labels, others, min(CHOSEN_ON, max(1, len(others) // 3)), plan.seed + 1)
    rest = np.setdiff1d(others, chosen)
    return chosen, rest if len(rest) else others


def _isolated(
    bench: Bench, sample: Sample, candidates: Sequence[Candidate], plan: Plan, lent: NDArray[np.int64]
) -> tuple[list[_Found], list[Failure], list[Candidate]]:
    """Everything different that the groups share, the failures where nothing is shared, and the groups that share none.

    lent: samples of other classes that stand beside a group with too few others in its class.
    """
    found: list[_Found] = []
    failures: list[Failure] = []
    silent: list[Candidate] = []
    for candidate in candidates:
        images, heatmaps, members = _beside(bench, sample, candidate.members, lent)
        numbers = sample.numbers if images is sample.images else None
        several: list[Isolated] = []
        for kind in candidate.kinds(plan):
            if kind == "free" and any(jaccard(one.members, members) >= SAME for one in several):
                continue  # what these images share has a place: at changing places it would be found again
            try:
                options = {"kind": kind, "mask": plan.mask, "seed": plan.seed, "numbers": numbers}
                options["gap"] = GAP if images is sample.images else ALIGNED
                several += isolate(images, heatmaps, members, **options)
            except NothingIsolatedError as error:
                failures += error.failures
        if not several:
            silent.append(candidate)
        for one in (_cropped(each, len(sample.index)) for each in several):
            if one.members.any() and not any(_same(one, other.isolated) for other in found):
                found.append(_Found(candidate, one, images is not sample.images))
    return found, failures, silent


def _beside(
    bench: Bench, sample: Sample, members: NDArray[np.bool_], lent: NDArray[np.int64]
) -> tuple[Tensor, NDArray[np.floating], NDArray[np.bool_]]:
    """The images of the class; where nearly all are members, images of other classes stand beside them as the rest."""
    if members.mean() < MOSTLY or not len(lent):
        return sample.images, sample.heatmaps, members
    starts = range(0, len(lent), bench.batch_size)
    more = torch.cat([bench.read(lent[start : start + bench.batch_size])[0] for start in starts])
    images = torch.cat([sample.images, more.to(sample.images)])
    nothing = np.zeros((len(more), *sample.heatmaps.shape[1:]), dtype=sample.heatmaps.dtype)
    heatmaps = np.concatenate([sample.heatmaps, nothing])
    return images, heatmaps, np.concatenate([members, np.zeros(len(more), dtype=bool)])


def _cropped(isolated: Isolated, n: int) -> Isolated:
    """The artifact with what is known of the class's own n images only."""
    if len(isolated.members) == n:
        return isolated
    own = {name: getattr(isolated, name)[:n] for name in ("members", "masks", "places")}
    evidence = isolated.evidence
    if isinstance(evidence, FreeEvidence):
        evidence = replace(evidence, lent=len(isolated.members) - n)
    return replace(isolated, **own, evidence=evidence)


def _same(one: Isolated, other: Isolated) -> bool:
    """Whether two isolated artifacts are the same one: of one kind, on the same samples, at the same places."""
    if one.kind != other.kind or type(one.transform) is not type(other.transform):
        return False
    if jaccard(one.members, other.members) < SAME:
        return False
    both = one.members & other.members
    return is_whole(one) or jaccard(one.masks[both], other.masks[both]) >= SAME


def _best(
    bench: Bench, sample: Sample, found: Sequence[_Found], plan: Plan, indices: NDArray[np.int64]
) -> list[_Found]:
    """What does most on the samples to choose on: by its gain, then by what it gains beyond its controls.

    Of two that lie mostly on the same samples only the better one is tested: both may be the same artifact. What has a
    place in the image is preferred to a change of whole images that does little more: a person sees what it is.
    """
    if len(found) < 2:
        return list(found)
    tried = measure(bench, indices, {str(k): pasted(one.isolated) for k, one in enumerate(found)})
    gains = [float(differences(tried.before, tried.after[str(k)], sample.label).mean()) for k in range(len(found))]
    known = sorted((replace(one, gain=gain) for one, gain in zip(found, gains, strict=True)), key=lambda one: -one.gain)
    noticed = [one for one in known[:COMPARED] if one.gain > NOTICED]
    held = [_beyond_controls(bench, sample, one, indices) for one in noticed]
    ranked = [*sorted(held, key=_preference), *known[len(noticed) :]]
    kept: list[_Found] = []
    for one in ranked:
        if len(kept) < plan.tests and _differs(one, kept):
            kept.append(one)
    return kept


def _differs(one: _Found, others: Sequence[_Found]) -> bool:
    """Whether it lies on other samples than all of these; on mostly the same ones it may be the same artifact."""
    return all(jaccard(one.isolated.members, other.isolated.members) < DIFFERENT for other in others)


def _preference(one: _Found) -> float:
    """The gain with its sign turned, for sorting; of two that do nothing the plainer one comes first as well."""
    weight = PREFERRED[one.isolated.kind]
    return -one.gain * weight if one.gain > 0 else -one.gain / weight


def _beyond_controls(bench: Bench, sample: Sample, one: _Found, indices: NDArray[np.int64]) -> _Found:
    """By how much it raises the class's probability, or exceeds the control that comes nearest, if that is less."""
    unaffected = sample.index[~one.isolated.members]
    trials = add(bench, one.isolated, sample.label, indices, unaffected, tuple(sample.images.shape[-2:]))
    own = float(trials[0].effect.probability)
    return replace(one, gain=min([own, *(own - float(other.effect.probability) for other in trials[1:])]))
