"""What the audits of a run know of one class: small, so that processes send it and checkpoints hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.report.tables import Row
from unhans.spray import Suspicion

PLAIN = ("tried", "epoch", "last_test", "stored", "standing")


@dataclass
class ClassRecord:
    """What the audits of a run know of one class.

    Attributes:
        tried: the epoch after which it was last to be audited, −1 before.
        epoch: the epoch after which it was last audited, None before.
        suspicion: how far it stood out then.
        rows: of `suspects.csv`.
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

    def outdated(self, most: int) -> list[int]:
        """Return the epochs whose data file is not to be kept: all but the last ones and that in which it stood out."""
        kept = {*self.stored[-most:], self.standing}
        gone = [epoch for epoch in self.stored if epoch not in kept]
        self.stored = [epoch for epoch in self.stored if epoch in kept]
        return gone

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds, of Python's own types."""
        plain = {name: getattr(self, name) for name in PLAIN} | {"stored": list(self.stored), "rows": list(self.rows)}
        return plain | {"suspicion": None if self.suspicion is None else _plain(self.suspicion)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassRecord:
        """Return what `state_dict` gave."""
        found = None if state["suspicion"] is None else Suspicion(**state["suspicion"])
        lists = {"stored": list(state["stored"]), "rows": list(state["rows"])}
        return cls(**{name: state[name] for name in PLAIN} | lists | {"suspicion": found})


def _plain(entry: Suspicion) -> dict[str, Any]:
    plain = {key: each.item() if isinstance(each, np.generic) else each for key, each in asdict(entry).items()}
    return plain | {"strengths": {view: float(each) for view, each in entry.strengths.items()}}
