"""What the audits of a run know: how long they take and may take, and every class, small enough for checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from unhans.harness.process_group import Processes
from unhans.report.tables import Row
from unhans.spray import Suspicion, rank_classes
from unhans.store import file_stem

STORED = ("tried", "epoch", "last_test", "stored", "standing", "rows")


class AuditClock:
    """The clock of one audit callback.

    Args:
        max_share: the audits' largest share of training time; None is no limit.

    Attributes:
        training: seconds of training so far, without any audits.
        audits: seconds of the callback's audits so far.
        limit: seconds of one audit, at most.
    """

    of_all: ClassVar[WeakKeyDictionary[pl.Trainer, float]] = WeakKeyDictionary()  # seconds of all audits of a trainer

    def __init__(self, max_share: float | None = None) -> None:
        self.max_share = max_share
        self.training = self.audits = 0.0
        self.limit = float("inf")
        self._epoch_began = self._of_all_before = self._audit_began = 0.0

    def start_epoch(self, trainer: pl.Trainer) -> None:
        """Note that an epoch of training begins."""
        self._epoch_began, self._of_all_before = time.perf_counter(), self.of_all.get(trainer, 0.0)

    def end_epoch(self, trainer: pl.Trainer) -> None:
        """Note that an epoch of training is over; audits that others made meanwhile do not count as training."""
        audits = self.of_all.get(trainer, 0.0) - self._of_all_before
        self.training += time.perf_counter() - self._epoch_began - audits

    @contextmanager
    def measure_audit(self, trainer: pl.Trainer) -> Iterator[None]:
        """Count what runs inside as an audit."""
        self._audit_began = time.perf_counter()
        try:
            yield
        finally:
            seconds = self.elapsed
            self.audits += seconds
            self.of_all[trainer] = self.of_all.get(trainer, 0.0) + seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the present audit began."""
        return time.perf_counter() - self._audit_began

    @property
    def share(self) -> float:
        """The share of all time that audits took, the present one among them."""
        audits = self.audits + self.elapsed
        return audits / (audits + self.training)

    def allowance(self) -> float:
        """Return the seconds that the present audit may take, so that all keep within their share and the limit."""
        if self.max_share is None:
            return self.limit
        return min(self.max_share / (1 - self.max_share) * self.training - self.audits, self.limit)

    def has_time(self, seconds: float) -> bool:
        """Whether the present audit may take so many seconds more."""
        return self.elapsed + seconds <= self.allowance()

    def state_dict(self) -> dict[str, float]:
        """Return what a checkpoint holds."""
        return {"audit_seconds": self.audits, "training_seconds": self.training}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on where the interrupted run stood."""
        self.audits, self.training = state["audit_seconds"], state["training_seconds"]


@dataclass
class ClassRecord:
    """What the audits of a run know of one class.

    Attributes:
        tried: the epoch after which it was last to be audited, −1 before.
        epoch: the epoch after which it was last audited, None before.
        suspicion: how far it stood out then.
        rows: of its striking cluster, or of those that carry its proven artifact, for `suspects.csv`.
        cluster: (m,) those in the striking cluster.
        last_test: the epoch after which it was last tested, None before.
        seconds: that its last audit ("audit") and its last test ("test") took.
        stored: the epochs whose data file of the class is on the disk, where old ones are removed.
        standing: the last epoch after which it was proven, or stood out where nothing is tested.
    """

    tried: int = -1
    epoch: int | None = None
    suspicion: Suspicion | None = None
    rows: list[Row] = field(default_factory=list)
    cluster: NDArray[np.int64] = field(default_factory=lambda: np.array([], dtype=np.int64))
    last_test: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    stored: list[int] = field(default_factory=list)
    standing: int | None = None

    def note_file(self, epoch: int, stands_out: bool) -> None:
        """Note that the class has a data file of this epoch now; stands_out: whether it is to be kept for long."""
        self.stored = [*(each for each in self.stored if each != epoch), epoch]
        self.standing = epoch if stands_out else self.standing

    def outdated(self, most: int | None) -> list[int]:
        """Return the epochs whose data file is not to be kept: all but the last ones and that in which it stood out."""
        if most is None:
            self.stored = []  # all stay, and need not be remembered
            return []
        kept = {*self.stored[-most:], self.standing}
        gone = [epoch for epoch in self.stored if epoch not in kept]
        self.stored = [epoch for epoch in self.stored if epoch in kept]
        return gone

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds: values of Python's own types, and the cluster as a tensor."""
        plain = {name: _plain(each) for name, each in asdict(self).items() if name in (*STORED, "suspicion")}
        return plain | {"cluster": torch.from_numpy(self.cluster)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassRecord:
        """Return what `state_dict` gave."""
        found = None if state["suspicion"] is None else Suspicion(**state["suspicion"])
        known = {name: state[name] for name in STORED}
        if "cluster" in state:  # not in those of earlier versions
            known["cluster"] = state["cluster"].numpy()
        return cls(**known, suspicion=found)


class ClassRecords(dict[int, ClassRecord]):
    """The records of all audited classes, by label."""

    def select(self, labels: Sequence[int]) -> ClassRecords:
        """Return the records of these classes, new ones of those that have none."""
        return ClassRecords({label: self.get(label, ClassRecord()) for label in labels})

    def seconds(self, kind: str) -> dict[int, float]:
        """Return by label the seconds that the last "audit" or the last "test" of each class took."""
        return {label: each.seconds[kind] for label, each in self.items() if kind in each.seconds}

    def own(self, team: Processes) -> list[int]:
        """Return the classes of this process: always the same, so that what is known of their images is known here."""
        return list(self)[team.rank :: team.count]

    def order(self, team: Processes) -> list[int]:
        """Return the classes of this process, the one whose last turn lies back furthest first."""
        return sorted(self.own(team), key=lambda label: (self[label].tried, label))

    def exchange(self, team: Processes, beside: Any) -> list[Any]:
        """Learn what the others know of their classes now, and return what else every process gives."""
        given = team.all(({label: self[label] for label in self.own(team)}, beside))
        found = {label: record for records, _ in given for label, record in records.items()}
        self.clear()
        self.update({label: found[label] for label in sorted(found)})
        return [each for _, each in given]

    def rank(self) -> list[Suspicion]:
        """Score the classes audited so far against each other; return them, the one that stands out most first."""
        ranking = rank_classes(each.suspicion for each in self.values() if each.suspicion is not None)
        for entry in ranking:
            self[entry.label].suspicion = entry
        return ranking

    def due(self, ranking: Sequence[int], most: int | None, last: bool) -> list[int]:
        """Return the classes to test after an audit, in this order; the others are not tested this time.

        Half of them, rounded up, are those that stand out most; the rest are those whose last test lies back furthest,
        so that every class has its turn.

        Args:
            ranking: labels of the classes audited now, the one that stands out most first.
            most: how many, at most; None is all.
            last: whether this is the last audit, after which all are tested.
        """
        if most is None or last or len(ranking) <= most:
            return list(ranking)
        first = list(ranking[: -(-most // 2)])
        tested = {label: -1 if each.last_test is None else each.last_test for label, each in self.items()}
        waiting = sorted((label for label in ranking if label not in first), key=tested.__getitem__)
        return first + waiting[: most - len(first)]

    def remove_outdated(self, folder: Path, classes: Mapping[int, str], most: int | None, first: bool) -> None:
        """Remove the data files of former audits that are not to be kept.

        Args:
            folder: of all audits.
            classes: the name of every class.
            most: audits of a class whose files stay, beside that in which it last stood out; None: all.
            first: whether this process removes files; the others note that they are gone.
        """
        for label, record in self.items():
            for epoch in record.outdated(most):
                if first:
                    (folder / f"epoch_{epoch:03d}" / f"{file_stem(label, classes[label])}.h5").unlink(missing_ok=True)

    def state_dict(self) -> dict[int, dict[str, Any]]:
        """Return what a checkpoint holds, of Python's own types."""
        return {label: each.state_dict() for label, each in self.items()}

    @classmethod
    def from_state(cls, state: Mapping[int, Mapping[str, Any]]) -> ClassRecords:
        """Return what `state_dict` gave."""
        return cls({label: ClassRecord.from_state(each) for label, each in state.items()})


def _plain(value: Any) -> Any:
    """Numbers of NumPy, also inside of a dict, as Python's own."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.item() if isinstance(value, np.generic) else value
