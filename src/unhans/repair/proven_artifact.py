"""An artifact that a training run has acted on, and what it does to the network since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unhans.artifacts import covered
from unhans.clarc import Concept
from unhans.effects import Bench, Case, Effect, Proof, prove
from unhans.isolation import Isolated, packed, unpacked
from unhans.spray.groups import jaccard

SAME = 0.5  # overlap from which on two isolated artifacts of a class are one
ARRAYS = ("others", "affected", "unaffected")


@dataclass(eq=False)
class ProvenArtifact:
    """A proven artifact of one class: what measures it again on the same samples, and what was measured.

    Attributes:
        label, name: of the class.
        isolated: without the masks and the detector, which are not needed to lay it over images.
        others: samples of other classes that it is laid over.
        affected, unaffected: samples of the class with and without it.
        acted: False where it was only told what would be done.
        concept: its direction in feature space, for A-ClArC.
        epochs, effects, verdicts: of every measurement, the first one being that of the case.
    """

    label: int
    name: str
    isolated: Isolated
    others: NDArray[np.int64]
    affected: NDArray[np.int64]
    unaffected: NDArray[np.int64]
    acted: bool = True
    concept: Concept | None = None
    epochs: list[int] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)

    @classmethod
    def from_case(cls, case: Case, index: NDArray[np.int64], epoch: int) -> ProvenArtifact:
        """Return the artifact of a proven case, isolated from the samples `index` (n,).

        Raises:
            ValueError: the case is not proven: nothing is ever done about such a one.
        """
        if not case.proven or case.isolated is None or case.proof is None:
            raise ValueError(f"only a proven artifact can be acted on; that of class {case.name!r} is not proven.")
        members = case.isolated.members
        found = cls(
            label=case.label,
            name=case.name,
            isolated=replace(case.isolated, masks=np.zeros((0, 0, 0), dtype=bool), detector=None),
            others=case.proof.added[0].indices,
            affected=index[members],
            unaffected=index[~members],
        )
        found.remember(case.proof, epoch)
        return found

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ProvenArtifact:
        """Return what `state` made plain."""
        made = {key: state[key].numpy() for key in ARRAYS}
        made |= {key: list(state[key]) for key in ("epochs", "verdicts")}
        made["effects"] = [Effect(**each) for each in state["effects"]]
        made["isolated"] = unpacked(state["isolated"])
        made["concept"] = None if state["concept"] is None else Concept(**state["concept"])
        return cls(**{**state, **made})

    @property
    def since(self) -> int:
        """The epoch after which it was acted on."""
        return self.epochs[0]

    def measure(self, bench: Bench) -> Proof:
        """Measure its effect again, with the samples and controls of the first time.

        Removal decides nothing in a verdict and is left out. The verdict is that of one test alone: it is remembered
        only after it was decided among all tests of the look (`Ledger.decide`).

        Raises:
            ValueError: nothing can be measured.
        """
        none = np.array([], dtype=np.int64)
        return prove(
            bench, self.isolated, self.label, affected=none, unaffected=self.unaffected,
            samples=len(self.others), others=self.others, examples=0,
        )  # fmt: skip

    def remember(self, proof: Proof, epoch: int) -> None:
        """Keep a measurement."""
        self.epochs.append(epoch)
        self.effects.append(proof.added[0].effect)
        self.verdicts.append(proof.verdict.name)

    def is_same(self, other: ProvenArtifact) -> bool:
        """Say whether both are one artifact of one class.

        Two fixed ones overlap by half of their pixels or more (IoU); of others, half of the fewer affected samples are
        affected by both.
        """
        if self.label != other.label:
            return False
        if self.isolated.kind == other.isolated.kind == "fixed":
            return jaccard(*(covered(each.isolated.layers[0][3].numpy()) for each in (self, other))) >= SAME
        both = len(np.intersect1d(self.affected, other.affected))
        return both >= SAME * max(1, min(len(self.affected), len(other.affected)))

    def state(self) -> dict[str, Any]:
        """Return it as plain values and tensors, as a checkpoint holds them."""
        plain = {key: value for key, value in vars(self).items() if key not in (*ARRAYS, "isolated", "effects")}
        return plain | {
            "concept": None if self.concept is None else asdict(self.concept),
            **{key: torch.from_numpy(getattr(self, key)) for key in ARRAYS},
            "epochs": list(self.epochs),
            "verdicts": list(self.verdicts),
            "effects": [asdict(effect) for effect in self.effects],
            "isolated": packed(self.isolated),
        }
