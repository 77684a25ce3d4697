"""What a training run decides about its own artifacts after every audit: no decision without evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter

from unhans.effects import Case, Proof, decide, reason_of, state_of
from unhans.repair.proven_artifact import ProvenArtifact
from unhans.spray import Suspicion

FORMAT = 3  # of the state in a checkpoint

Act = Literal["augment", "a_clarc", "none"]
Done = Literal["acted", "would act", "did not act", "measured again"]


@dataclass(frozen=True)
class Compared:
    """A control of an artifact.

    Attributes:
        name: of the control.
        n: samples of both, or images that lent their pixels where they are fewer.
        delta_p: its own mean change of the probability.
        more: by how much more the artifact changes it.
        low, high: the 95 % interval of `more`.
    """

    name: str
    n: int
    delta_p: float
    more: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """One decision after one audit, with its evidence; `unhans.report.text` says it in words.

    Attributes:
        epoch: after which.
        label, name: the class.
        done: what was decided.
        verdict: what became of the case: "proven", "not used", "open", "not tested".
        reason: why it is open, "" elsewhere.
        act: what is done about proven artifacts, or was about this one.
        score: of the suspicion, None where the class was not audited.
        n, delta_p, delta_p_low, delta_p_high: the artifact's effect on samples of other classes with its 95 % interval,
            None where it was not measured.
        controls: what the artifact was held against.
        decided_by: "artifact", or the controls that decided.
        q_value: the p-value adjusted for all tests of the look.
        rate: what the q-value may reach.
        streak, patience: audits in a row that have proven it, and that have to, while it waits.
        since, before: the epoch after which it was first proven, and its verdict of the last time, where it was
            measured again.
        trouble: why acting on it failed, as the exception says.
    """

    epoch: int
    label: int
    name: str
    done: Done
    verdict: str
    reason: str = ""
    act: Act = "none"
    score: float | None = None
    n: int | None = None
    delta_p: float | None = None
    delta_p_low: float | None = None
    delta_p_high: float | None = None
    controls: tuple[Compared, ...] = ()
    decided_by: tuple[str, ...] = ()
    q_value: float | None = None
    rate: float | None = None
    streak: int | None = None
    patience: int | None = None
    since: int | None = None
    before: str | None = None
    trouble: str = ""


class Ledger:
    """The artifacts acted on, those that wait to be proven often enough, and all decisions.

    One false-discovery rate holds over the whole run. An audit that tests anything is a look. The new candidates and
    the artifacts acted on, measured again, are one family in it, decided together at the look's share of the rate
    (`unhans.effects.false_discovery.decide`). So "proven", "still proven" and "proven again" count alike, however often
    one artifact is measured: of all times that they are said, a share of 5 % is false at most, on average. Looks get
    stricter with their number, so an artifact that is hardly used may be open where it was proven before.

    Args:
        act: what is done about a proven artifact.
        patience: audits in a row that have to prove it.

    Attributes:
        decisions: all, in order.
        followed: the artifacts acted on, in a dry run those that would be.
        waiting: by label the artifact, and how many audits in a row have proven it.
        looks: audits so far that tested anything.
    """

    def __init__(self, act: Act, patience: int) -> None:
        self.act, self.patience = act, patience
        self.decisions: list[Decision] = []
        self.followed: list[ProvenArtifact] = []
        self.waiting: dict[int, tuple[ProvenArtifact, int]] = {}
        self.looks = 0

    def decide(
        self, cases: Sequence[Case], again: Sequence[tuple[ProvenArtifact, Proof]]
    ) -> tuple[list[Case], list[Proof]]:
        """Decide all tests of one audit together as one family; return both with the verdicts that hold among all.

        Args:
            cases: of the classes audited now.
            again: artifacts acted on and what was measured of them.
        """
        every = [*cases, *(Case(each.label, each.name, proof=proof) for each, proof in again)]
        if all(case.proof is None for case in every):
            return list(cases), []
        self.looks += 1
        decided = decide(every, self.looks)
        return decided[: len(cases)], [case.proof for case in decided[len(cases) :] if case.proof is not None]

    def measured(self, each: ProvenArtifact, proof: Proof, epoch: int, entry: Suspicion | None) -> Decision:
        """Remember what an artifact acted on does now; entry: its class's suspicion, None if it was not audited."""
        before = each.verdicts[-1]
        each.remember(proof, epoch)
        case, act = Case(each.label, each.name, proof=proof), self.act if each.acted else "none"
        return _decision(epoch, entry, case, "measured again", act=act, since=each.since, before=before)

    def unproven(self, epoch: int, entry: Suspicion, case: Case | None) -> Decision | None:
        """Decide about a class of which nothing is proven: nothing is done; None where it is not suspicious either.

        case: None where it was not verified.
        """
        self.waiting.pop(entry.label, None)
        if not entry.suspicious:
            return None
        return _decision(epoch, entry, case or Case(entry.label, entry.name), "did not act")

    def proven(
        self, epoch: int, entry: Suspicion, case: Case, found: ProvenArtifact, prepare: Callable[[ProvenArtifact], None]
    ) -> Decision | None:
        """Decide about a proven artifact; None where it is acted on already and was measured again.

        prepare: readies what will be done; its ValueError means that nothing can be. An artifact that was acted on
        before, is no longer proven as it was isolated then, and is proven as it is isolated now is acted on once more.
        """
        if any(each.is_same(found) and each.verdicts[-1] == "proven" for each in self.followed):
            self.waiting.pop(entry.label, None)
            return None
        streak = self._streak(found)
        if streak < self.patience:
            return _decision(epoch, entry, case, "did not act", streak=streak, patience=self.patience)
        self.waiting.pop(entry.label)
        found.acted = self.act != "none"
        try:
            prepare(found)
        except ValueError as error:
            return _decision(epoch, entry, case, "did not act", act=self.act, trouble=str(error))
        self.followed.append(found)
        return _decision(epoch, entry, case, "acted" if found.acted else "would act", act=self.act)

    def failed(self, found: ProvenArtifact, epoch: int, error: Exception) -> Decision:
        """Note that acting on an artifact failed after all: it is not followed any more."""
        self.followed = [each for each in self.followed if each is not found]
        effect, known = found.effects[-1], {"act": self.act, "trouble": str(error)}
        known |= dict(zip(("delta_p_low", "delta_p_high"), effect.probability_interval, strict=True))
        known |= {"n": effect.n, "delta_p": effect.probability}
        self.decisions.append(Decision(epoch, found.label, found.name, "did not act", found.verdicts[-1], **known))
        return self.decisions[-1]

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain values and tensors."""
        return {
            "format": FORMAT,
            "looks": self.looks,
            "decisions": [asdict(each) for each in self.decisions],
            "followed": [each.state() for each in self.followed],
            "waiting": [{"artifact": each.state(), "streak": streak} for each, streak in self.waiting.values()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what an interrupted run knew.

        Raises:
            ValueError: the state is of an earlier version, whose decisions and verdicts were of another form.
        """
        if state.get("format") != FORMAT:
            raise ValueError(
                "the checkpoint holds verdicts of an earlier version of unhans, which were of another form; train "
                "anew, or go on without the callback UnHans."
            )
        self.looks = state["looks"]
        self.decisions = TypeAdapter(list[Decision]).validate_python(state["decisions"])
        self.followed = [ProvenArtifact.from_state(each) for each in state["followed"]]
        found = [(ProvenArtifact.from_state(each["artifact"]), each["streak"]) for each in state["waiting"]]
        self.waiting = {each.label: (each, streak) for each, streak in found}

    def _streak(self, found: ProvenArtifact) -> int:
        """Count this audit; another artifact of the class begins anew."""
        before, streak = self.waiting.get(found.label, (found, 0))
        streak = streak + 1 if before.is_same(found) else 1
        self.waiting[found.label] = found, streak
        return streak


def _decision(epoch: int, entry: Suspicion | None, case: Case, done: Done, **known: Any) -> Decision:
    """A decision about a class, with the evidence of its case."""
    known |= {"reason": reason_of(case) or "", "score": None if entry is None else entry.score}
    if case.proof is not None:
        effect, verdict = case.proof.added[0].effect, case.proof.verdict
        known |= {name: getattr(verdict, name) for name in ("decided_by", "q_value", "rate")}
        rivals = ((one, one.control.effect.probability) for one in case.proof.rivals)
        controls = tuple(Compared(one.control.name, one.n, own, one.more, *one.interval) for one, own in rivals)
        known |= {"n": effect.n, "delta_p": effect.probability, "controls": controls}
        known["delta_p_low"], known["delta_p_high"] = effect.probability_interval
    return Decision(epoch, case.label, case.name, done, state_of(case), **known)
