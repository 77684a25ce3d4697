"""One network, repaired by one method with one seed, assessed, and kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from unhans.clarc import Correction, corrected
from unhans.experiment.assessing import Assessing
from unhans.experiment.concepts import Concepts
from unhans.experiment.outcomes import POST_HOC, Method, Outcome, Point
from unhans.experiment.repair_files import begin_repair, load_outcome, repair_files, save_outcome
from unhans.experiment.repair_key import Keys
from unhans.experiment.tutoring import Tutoring


@dataclass(frozen=True)
class Repaired:
    """A repaired network: the seconds that it took, what was chosen, and its epochs."""

    network: nn.Module
    seconds: float = 0.0
    note: str = ""
    curve: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Repairing:
    """Repairs a network of one artifact by any method; what is finished is kept in the subject's folder."""

    keys: Keys

    def finished(self, method: Method, seed: int) -> Outcome | None:
        """Return the outcome that an earlier run left, if it is of the same network, data, artifact and settings."""
        return load_outcome(repair_files(self._out, method, seed), self.keys.of(method, seed))

    def outcome(self, method: Method, seed: int) -> Outcome:
        """Repair a network, assess it and keep it."""
        files, key = repair_files(self._out, method, seed), self.keys.of(method, seed)
        begin_repair(files, key)
        done = self._repaired(method, seed, files.folder)
        assessment = self._assessing.assess(done.network)
        outcome = Outcome(method, seed, done.seconds, assessment, done.note, done.curve, files.folder)
        save_outcome(files, outcome, done.network, self.keys.subject.data.classes, key, self._out / "config.yaml")
        return outcome

    @property
    def _out(self) -> Path:
        return self.keys.subject.out

    @property
    def _assessing(self) -> Assessing:
        return Assessing(self.keys.subject, self.keys.affected, self.keys.settings.images)

    @property
    def _concepts(self) -> Concepts:
        return Concepts(self.keys.subject, self.keys.affected, self.keys.settings)

    def _repaired(self, method: Method, seed: int, folder: Path) -> Repaired:
        network = self.keys.start.network(seed)
        if method == "uncorrected":
            return Repaired(network)
        if method in POST_HOC:
            return self._corrected(network, method, seed)
        one = self.keys
        tutoring = Tutoring(one.subject, one.tuning, one.affected, one.settings, self._concepts, self._assessing)
        return Repaired(*tutoring.taught(network, method, seed, folder))

    def _corrected(self, network: nn.Module, method: Method, seed: int) -> Repaired:
        """Put a correction layer into a network, without training."""
        began = time.perf_counter()
        concept = self._concepts.concept(network, seed)
        correction = Correction.projective(
            [concept], strength=self.keys.settings.strength, reactive=method == "reactive"
        )
        repaired = corrected(network, {concept.layer: correction}).eval()
        return Repaired(repaired, time.perf_counter() - began, self._concepts.note(concept))
