"""All that is known about the artifact of one class: from the suspicion to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unhans.effects.comparisons import comparisons
from unhans.effects.verdict import rivals_of, ruled

if TYPE_CHECKING:
    from unhans.effects.effect import Effect, Trial
    from unhans.effects.proof import Proof
    from unhans.effects.relevance_share import Quality
    from unhans.effects.verdict import Name, Reason
    from unhans.isolation import Isolated
    from unhans.spray import Suspicion


STATES = ("proven", "open", "not used", "not tested")  # of a class with several cases the first of these counts


@dataclass(frozen=True)
class Share:
    """How far one split is affected: of the n samples of the class, how many carry the artifact.

    split: "train" or "val"; by_cluster: those in the cluster, None where the split was not clustered; by_matching:
    those in which the isolated artifact was found; correct, correct_without: classified correctly, of all n, and of
    the n − by_matching without it.
    """

    split: str
    n: int
    by_cluster: int | None
    by_matching: int
    correct: int
    correct_without: int


@dataclass(frozen=True)
class FeatureEffect:
    """What a concept direction does in feature space; no pixels of an artifact are known.

    layer: whose features; added: the direction added to the features of samples of other classes, then its controls;
    removed: taken away from those of affected samples, then its controls; may be empty.
    """

    layer: str
    added: tuple[Trial, ...]
    removed: tuple[Trial, ...] = ()

    @property
    def shown(self) -> bool:
        """Whether adding it passes the rule of a proven artifact. It is not among the tests of the error rate."""
        return ruled(self.added[0].effect, comparisons(self.added)[0], rivals_of(self.added)).name == "proven"


@dataclass(frozen=True)
class Known:
    """How an isolated artifact compares with the planted one.

    iou: of the pixels with more than half the largest alpha, mean over the compared samples that carry both, None for
    an isolated artifact that covers the whole image; carriers, found, right: of the samples that it was isolated from,
    how many carry the planted artifact, in how many the isolated one was found, and both;
    effect: of the planted artifact on the samples that the isolated one was pasted on; within: whether the isolated
    one's mean change of probability lies in the interval of the planted one's; None where it was not pasted.
    """

    iou: float | None
    carriers: int
    found: int
    right: int
    effect: Effect | None = None
    within: bool | None = None


@dataclass(frozen=True)
class Case:
    """The artifact of one class.

    suspicion: why the class was looked at, None where it was named by the user; isolated: the artifact, None where it
    could not be isolated; quality: how well its layer draws the cluster's relevance on other images; proof: its effect
    and the verdict, None where nothing could be pasted; spread: how many samples of each split carry it; trouble: why
    something above is missing, in one sentence; features: what was tested in feature space. Features alone never prove
    an artifact, as no person can see what they stand for, and never say that it is not used. view: by what the group
    was found from which the artifact was isolated. left: what of the class was not tested, in one sentence.
    """

    label: int
    name: str
    suspicion: Suspicion | None = None
    isolated: Isolated | None = None
    quality: Quality | None = None
    proof: Proof | None = None
    spread: tuple[Share, ...] = ()
    trouble: str = ""
    features: FeatureEffect | None = None
    view: str = ""
    left: str = ""

    @property
    def proven(self) -> bool:
        """Whether the network was shown to use the artifact."""
        return self.proof is not None and self.proof.verdict.name == "proven"


def state_of(case: Case) -> Name | Literal["not tested"]:
    """Return what became of a case: the name of its verdict, or "not tested" where nobody tried.

    A case of which nothing could be isolated, or only features were tested, is open.
    """
    if case.proof is not None:
        return case.proof.verdict.name
    return "not tested" if reason_of(case) is None else "open"


def reason_of(case: Case) -> Reason | None:
    """Return why a case is open; None where it is not."""
    if case.proof is not None:
        return case.proof.verdict.reason
    if case.features is not None and case.features.shown:
        return "features only"
    return "not isolated" if case.trouble or case.features is not None else None


def leading(cases: Sequence[Case]) -> Case:
    """Return the case that speaks for its class: the first one of the state that comes first in `STATES`."""
    return min(cases, key=lambda case: STATES.index(state_of(case)))
