"""All that is known about the artifact of one class: from the suspicion to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from unhans.artifacts import Placement
from unhans.effects.effect import Effect
from unhans.effects.interventions import FeatureEffect
from unhans.effects.proof import Proof
from unhans.effects.relevance_share import Quality
from unhans.effects.verdict import Name, Reason
from unhans.isolation import Failure, Isolated
from unhans.spray import Suspicion

STATES = ("proven", "open", "not used", "not tested")  # of a class with several cases the first of these counts


@dataclass(frozen=True)
class Share:
    """How far one split is affected: of the n samples of the class, how many carry the artifact.

    Attributes:
        split: "train" or "val".
        by_cluster: those in the cluster, None where the split was not clustered.
        by_matching: those in which the isolated artifact was found.
        correct, correct_without: classified correctly, of all n, and of the n − by_matching without it.
        planted: of the n, how many truly carry it, None where nobody knows.
        right: of these, in how many it was found.
    """

    split: str
    n: int
    by_cluster: int | None
    by_matching: int
    correct: int
    correct_without: int
    planted: int | None = None
    right: int | None = None


@dataclass(frozen=True)
class Prevalence:
    """In how many samples of another class the artifact was found.

    Attributes:
        label, name: of that class.
        n: samples that were looked at.
        found: those in which the detector finds the artifact, false alarms among them.
        predicted: of these, how many the network calls by the artifact's class.
        planted: of the n, how many truly carry it, None where nobody knows.
        right: of these, in how many it was found.
    """

    label: int
    name: str
    n: int
    found: int
    predicted: int
    planted: int | None = None
    right: int | None = None


@dataclass(frozen=True)
class Known:
    """How an isolated artifact compares with the planted one.

    Attributes:
        iou: of the pixels with more than half the largest alpha, mean over the compared samples that carry both, None
            for an isolated artifact that covers the whole image.
        carriers, found, right: of the samples that it was isolated from, how many carry the planted artifact, in how
            many the isolated one was found, and both.
        effect: of the planted artifact on the samples that the isolated one was pasted on, None where it was not.
        within: whether the isolated one's mean change of probability lies in the interval of the planted one's.
    """

    iou: float | None
    carriers: int
    found: int
    right: int
    effect: Effect | None = None
    within: bool | None = None


@dataclass(frozen=True)
class GivenPicture:
    """A picture that the user gave as the artifact.

    Attributes:
        file: its name.
        size: the largest share of the image's width or height it takes; None: its own pixels.
        placement: where it goes.
        places: on how many images, where these were chosen by hand.
    """

    file: str
    size: float | None
    placement: Placement | Literal["by_hand"]
    places: int = field(default=0, repr=False)  # what a case is known by holds the rest


@dataclass(frozen=True)
class Untested:
    """What of a class was not tested: groups from which nothing was isolated, and artifacts that did less.

    Attributes:
        groups: that were looked at.
        silent: those of them from which nothing was isolated.
        artifacts: that were isolated, and did less than those that were tested.
    """

    groups: int = 0
    silent: int = 0
    artifacts: int = 0


@dataclass(frozen=True)
class Case:
    """The artifact of one class.

    Features alone never prove an artifact, as no person can see what they stand for, and never say that it is not used.

    Attributes:
        label, name: of the class.
        suspicion: why the class was looked at; None where it was named by the user.
        isolated: the artifact; None where it could not be isolated, or was given.
        quality: how well its layer draws the cluster's relevance on other images.
        proof: its effect and the verdict; None where nothing could be pasted.
        spread: how many samples of each split carry it.
        failures: why nothing was isolated.
        features: what was tested in feature space.
        view: by what the group was found from which the artifact was isolated.
        untested: what else of the class there was.
        given: the picture that was tested in place of an isolated artifact.
        elsewhere: how many samples of each other class carry it; () where nobody looked.
    """

    label: int
    name: str
    suspicion: Suspicion | None = None
    isolated: Isolated | None = None
    quality: Quality | None = None
    proof: Proof | None = None
    spread: tuple[Share, ...] = ()
    failures: tuple[Failure, ...] = ()
    features: FeatureEffect | None = None
    view: str = ""
    untested: Untested = Untested()
    given: GivenPicture | None = None
    elsewhere: tuple[Prevalence, ...] = ()

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
    return "not isolated" if case.failures or case.features is not None else None


def leading(cases: Sequence[Case]) -> Case:
    """Return the case that speaks for its class: the first one of the state that comes first in `STATES`."""
    return min(cases, key=lambda case: STATES.index(state_of(case)))
