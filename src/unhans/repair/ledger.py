"""What a training run knows of its own artifacts, and what it does about each: no decision without evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from unhans.effects import Case, Proof, decide
from unhans.repair.decision import Act, Compared, Decision, acting, failing, measured_again, not_proven, waiting
from unhans.repair.proven_artifact import Followed, followed_from
from unhans.spray import Suspicion

FORMAT = 2  # of the state in a checkpoint


class Ledger:
    """The artifacts acted on, those that wait to be proven often enough, and all decisions.

    One false-discovery rate holds over the whole run. An audit that tests anything is a look. The new candidates and
    the artifacts acted on, measured again, are one family in it, decided together at the look's share of the rate
    (`unhans.effects.false_discovery.decide`). So "proven", "still proven" and "proven again" count alike, however often
    one artifact is measured: of all times that they are said, a share of 5 % is false at most, on average. Looks get
    stricter with their number, so an artifact that is hardly used may be open where it was proven before.

    act: what is done about a proven artifact; patience: audits in a row that have to prove it; most: classes that are
    verified after an epoch; looks: audits so far that tested anything.
    """

    def __init__(self, act: Act, patience: int, most: int) -> None:
        self.act, self.patience, self.most = act, patience, most
        self.decisions: list[Decision] = []
        self.followed: list[Followed] = []
        self.waiting: dict[int, tuple[Followed, int]] = {}
        self.looks = 0

    def decide(self, cases: Sequence[Case], again: Sequence[tuple[Followed, Proof]]) -> tuple[list[Case], list[Proof]]:
        """Decide all tests of one audit together, each being one of a family.

        cases: of the classes audited now; again: artifacts acted on and what was measured of them. Returns both with
        the verdicts that hold among all.
        """
        every = [*cases, *(Case(each.label, each.name, proof=proof) for each, proof in again)]
        if all(case.proof is None for case in every):
            return list(cases), []
        self.looks += 1
        decided = decide(every, self.looks)
        return decided[: len(cases)], [case.proof for case in decided[len(cases) :] if case.proof is not None]

    def measured(self, each: Followed, proof: Proof, epoch: int, entry: Suspicion | None) -> Decision:
        """Remember what an artifact acted on does now; entry: its class's suspicion, None if it was not audited."""
        before = each.verdicts[-1]
        each.remember(proof, epoch)
        return measured_again(epoch, each, proof, before, self.act, entry)

    def unproven(self, epoch: int, entry: Suspicion, case: Case | None) -> Decision:
        """Decide about a suspicious class whose suspicion is not proven: nothing is done."""
        self.waiting.pop(entry.label, None)
        return not_proven(epoch, entry, case, self.most)

    def proven(
        self, epoch: int, entry: Suspicion, case: Case, found: Followed, prepare: Callable[[Followed], None]
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
            return waiting(epoch, entry, case, streak, self.patience)
        self.waiting.pop(entry.label)
        found.acted = self.act != "none"
        try:
            prepare(found)
        except ValueError as error:
            return failing(found, epoch, error, entry)
        self.followed.append(found)
        return acting(epoch, entry, case, self.act)

    def failed(self, found: Followed, epoch: int, error: Exception) -> Decision:
        """Note that acting on an artifact failed after all: it is not followed any more."""
        self.followed = [each for each in self.followed if each is not found]
        self.decisions.append(failing(found, epoch, error))
        return self.decisions[-1]

    def innocent(self, label: int) -> None:
        """Note that a class was audited and is not suspicious: it is not proven in a row any more."""
        self.waiting.pop(label, None)

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

        Raises ValueError for a state of an earlier version, whose verdicts had other names and another error rate.
        """
        if state.get("format") != FORMAT:
            raise ValueError(
                "the checkpoint holds verdicts of an earlier version of unhans, which had other names and another "
                "error rate; train anew, or go on without the callback UnHans."
            )
        self.looks = state["looks"]
        self.decisions = [_decision(each) for each in state["decisions"]]
        self.followed = [followed_from(each) for each in state["followed"]]
        found = [(followed_from(each["artifact"]), each["streak"]) for each in state["waiting"]]
        self.waiting = {each.label: (each, streak) for each, streak in found}

    def _streak(self, found: Followed) -> int:
        """Count this audit; another artifact of the class begins anew."""
        before, streak = self.waiting.get(found.label, (found, 0))
        streak = streak + 1 if before.is_same(found) else 1
        self.waiting[found.label] = found, streak
        return streak


def _decision(plain: Mapping[str, Any]) -> Decision:
    controls = tuple(Compared(**each) for each in plain["controls"])
    return Decision(**{**plain, "controls": controls, "decided_by": tuple(plain["decided_by"])})
