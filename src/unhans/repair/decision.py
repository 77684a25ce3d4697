"""From what an audit found in a class to a decision: the rules by which a training run acts on its own artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from unhans.effects import MINIMUM, Case, Effect, Proof, reason_of, rivals_of, state_of
from unhans.repair.proven_artifact import Followed
from unhans.spray import Suspicion

Act = Literal["augment", "a_clarc", "none"]
Done = Literal["acted", "would act", "did not act", "measured again"]
REASON = 100  # characters of a reason

DEEDS: Mapping[str, str] = {
    "augment": "its artifact is laid over the training images of all classes from now on",
    "a_clarc": "its artifact is added to the features of all training images from now on (A-ClArC)",
    "none": "this is a dry run, so nothing is done; act=augment would lay its artifact over the training images of "
    "all classes, act=a_clarc would add it to their features",
}
FAR = {
    "augment": "laid over all training images",
    "a_clarc": "in the features of all training images",
    "none": "nothing was done about it",
}
STANDINGS = {
    "proven": "still proven",
    "not used": f"no longer proven, an effect of {MINIMUM} or more is excluded",
    "open": "not proven any more, but its effect is not excluded either",
}
TURNED = f"no longer proven: by {MINIMUM} or more it makes the class less probable"
UNPROVEN = {
    "not used": "its artifact is not used",
    "too few samples": "there are too few samples to tell whether its artifact is used",
    "neither shown nor excluded": "an effect of its artifact is neither shown nor excluded",
    "flips alone": "images with its artifact are newly predicted as the class, but its probability hardly moves",
    "not told from a control": "its artifact's effect cannot be told from that of a control",
    "multiplicity": "its artifact's effect is not sure enough among all that was tested",
    "features only": "an effect was tested in feature space only, so no artifact is known",
}


@dataclass(frozen=True)
class Compared:
    """A control of an artifact: its own change of the probability, and by how much more the artifact does.

    n: samples of both, or images that lent their pixels where they are fewer; low, high: of `more`, 95 %.
    """

    name: str
    n: int
    delta_p: float
    more: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """One decision after one audit, with its evidence.

    epoch: after which; label, name: the class; done: what was decided; because: why, in words; verdict: what became of
    the case ("proven", "not used", "open", "not tested"); artifact: what it is, in words; score: of the suspicion, None
    where the class was not audited; n, delta_p, delta_p_low, delta_p_high: the artifact's effect on samples of other
    classes with its 95 % interval, None where it was not measured. reason: why it is open, "" elsewhere; decided_by:
    "artifact" or the controls that decided; q_value, rate: the p-value adjusted for all tests of the look, and what it
    may reach.
    """

    epoch: int
    label: int
    name: str
    done: Done
    because: str
    verdict: str
    artifact: str = ""
    score: float | None = None
    n: int | None = None
    delta_p: float | None = None
    delta_p_low: float | None = None
    delta_p_high: float | None = None
    controls: tuple[Compared, ...] = ()
    reason: str = ""
    decided_by: tuple[str, ...] = ()
    q_value: float | None = None
    rate: float | None = None


def not_proven(epoch: int, entry: Suspicion, case: Case | None, most: int) -> Decision:
    """Return the decision about a suspicious class whose suspicion is not proven: nothing is done, and why.

    case: None where it was not verified; most: classes that are, after an epoch.
    """
    if case is None:
        why = f"it was not verified in this audit (the {most} most suspicious are), there was no time, or it failed"
        return _decision(epoch, entry, "did not act", f"suspicious, but nothing is done: {why}", "not tested")
    state = state_of(case)
    known = reason_of(case) or state
    why = UNPROVEN.get(known) or f"{known}: {_short(case.trouble)}"
    return _decision(epoch, entry, "did not act", f"suspicious, but nothing is done: {why}", state, case)


def waiting(epoch: int, entry: Suspicion, case: Case, streak: int, patience: int) -> Decision:
    """Return the decision about a proven artifact that has to be proven in more audits in a row."""
    why = f"proven in {streak} of {patience} audits in a row; nothing is done yet"
    return _decision(epoch, entry, "did not act", why, state_of(case), case)


def acting(epoch: int, entry: Suspicion, case: Case, act: Act) -> Decision:
    """Return the decision to act on a proven artifact, or in a dry run what would be done."""
    done: Done = "would act" if act == "none" else "acted"
    return _decision(epoch, entry, done, f"proven: {DEEDS[act]}", state_of(case), case)


def failing(each: Followed, epoch: int, error: Exception, entry: Suspicion | None = None) -> Decision:
    """Return the decision about a proven artifact on which acting failed."""
    effect = each.effects[-1]
    low, high = effect.probability_interval
    return Decision(
        epoch, each.label, each.name, "did not act", f"proven, but acting on it failed: {_short(str(error))}",
        each.verdicts[-1], each.description, None if entry is None else entry.score, effect.n, effect.probability, low,
        high,
    )  # fmt: skip


def measured_again(
    epoch: int, each: Followed, proof: Proof, before: str, act: Act, entry: Suspicion | None
) -> Decision:
    """Return what an artifact that was acted on does now.

    before: the verdict's name of the last time; entry: the class's suspicion, None if it was not audited.
    """
    name = proof.verdict.name
    standing = "proven again" if name == "proven" != before else _standing(name, proof.added[0].effect)
    because = f"the artifact proven after epoch {each.since} ({FAR[act if each.acted else 'none']}) is {standing}"
    return Decision(
        epoch, each.label, each.name, "measured again", because, name, each.description,
        None if entry is None else entry.score, reason=proof.verdict.reason or "", **_evidence(proof),
    )  # fmt: skip


def story(each: Followed, act: Act) -> str:
    """Say in a sentence what became of an artifact from its proof to the last measurement."""
    first, last = each.effects[0].probability, each.effects[-1].probability
    begun = f"Class {each.name!r}: proven after epoch {each.since} (Δp {first:+.3f})"
    deed = f"since then {FAR[act]}" if each.acted else "a dry run, so nothing was done about it"
    if len(each.epochs) == 1:
        return f"{begun}; {deed}, and no audit followed that could tell what this does."
    course = " → ".join(f"{effect.probability:+.3f}" for effect in each.effects[-6:])
    standing = _standing(each.verdicts[-1], each.effects[-1])
    return f"{begun}; {deed}; Δp {course}; the last audit: {standing} (Δp {last:+.3f})."


def _standing(name: str, effect: Effect) -> str:
    """Say a verdict; where no effect towards the class is left, there may be as large a one away from it."""
    return TURNED if name == "not used" and effect.probability_interval[1] <= -MINIMUM else STANDINGS[name]


def _decision(
    epoch: int, entry: Suspicion, done: Done, because: str, verdict: str, case: Case | None = None
) -> Decision:
    proof = None if case is None else case.proof
    evidence = {} if proof is None else _evidence(proof)
    artifact = "" if proof is None else proof.artifact
    reason = "" if case is None else reason_of(case) or ""
    return Decision(
        epoch, entry.label, entry.name, done, because, verdict, artifact, entry.score, reason=reason, **evidence
    )


def _evidence(proof: Proof) -> dict:
    effect = proof.added[0].effect
    low, high = effect.probability_interval
    controls = tuple(
        Compared(each.control.name, each.n, each.control.effect.probability, each.more, *each.interval)
        for each in rivals_of(proof.added)
    )
    return {
        "n": effect.n,
        "delta_p": effect.probability,
        "delta_p_low": low,
        "delta_p_high": high,
        "controls": controls,
        "decided_by": proof.verdict.decided_by,
        "q_value": proof.verdict.q_value,
        "rate": proof.verdict.rate,
    }


def _short(text: str) -> str:
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= REASON else f"{text[:REASON]}…"
