"""What a training run knows of its own artifacts, and what it does about each: no decision without evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from unhans.callbacks.decision import Act, acting, failing, measured_again, not_proven, waiting
from unhans.callbacks.followed import Followed, followed_from

from unhans.artifacts.bench import Bench
from unhans.artifacts.case import Case
from unhans.report.decisions import Compared, Decision
from unhans.spray import Suspicion


class Ledger:
    """The artifacts acted on, those that wait to be proven often enough, and all decisions.

    act: what is done about a proven artifact; patience: audits in a row that have to prove it; most: classes that are
    verified after an epoch.
    """

    def __init__(self, act: Act, patience: int, most: int) -> None:
        self.act, self.patience, self.most = act, patience, most
        self.decisions: list[Decision] = []
        self.followed: list[Followed] = []
        self.waiting: dict[int, tuple[Followed, int]] = {}

    def measure(self, each: Followed, bench: Bench, epoch: int, entry: Suspicion | None) -> Decision:
        """Measure an artifact acted on again; entry: the suspicion of its class, None if it was not audited."""
        before = each.verdicts[-1]
        return measured_again(epoch, each, each.measure(bench, epoch), before, self.act, entry)

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
            "decisions": [asdict(each) for each in self.decisions],
            "followed": [each.state() for each in self.followed],
            "waiting": [{"artifact": each.state(), "streak": streak} for each, streak in self.waiting.values()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what an interrupted run knew."""
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
    return Decision(**{**plain, "controls": controls})
