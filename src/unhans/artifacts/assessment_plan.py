"""Which samples an assessment looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.assessment import Origin
from unhans.artifacts.carried import OnBench
from unhans.artifacts.sampling import drawn, evenly

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class AssessmentPlan:
    """Which samples are measured.

    here: the artifact on a bench; samples: carriers that it is removed from, at most; most: validation images, None for
    all; most_explained: samples whose relevance is measured.
    """

    here: OnBench
    samples: int
    most: int | None
    most_explained: int

    @property
    def _usable(self) -> Indices:
        """Validation samples that have a clean image."""
        val = self.here.splits["val"]
        val = val[self.here.bench.labels[val] >= 0]
        exact = self.here.affected.source == "planted"
        return val if exact else np.setdiff1d(val, self.here.carriers("val"))

    @property
    def left_out(self) -> int:
        """Validation samples that have none."""
        return int((self.here.bench.labels[self.here.splits["val"]] >= 0).sum()) - len(self._usable)

    @property
    def pool(self) -> Indices:
        """What is predicted without and with the artifact."""
        usable, bench = self._usable, self.here.bench
        return np.sort(usable) if self.most is None else evenly(bench.labels, usable, self.most, bench.seed)

    @property
    def carriers(self) -> tuple[Origin, Indices]:
        """What the artifact is removed from: validation samples or, where none carries it, training samples."""
        split: Origin = "val" if len(self.here.carriers("val")) else "train"
        return split, drawn(self.here.carriers(split), self.samples, self.here.bench.seed)

    @property
    def explained(self) -> tuple[Origin, Indices]:
        """What is explained; without carriers, images of the class, that it is pasted on."""
        split, carriers = self.carriers
        seed, pool = self.here.bench.seed, self.pool
        if len(carriers):
            return split, drawn(carriers, self.most_explained, seed)
        own = pool[self.here.bench.labels[pool] == self.here.affected.label]
        return "pasted", drawn(own if len(own) else pool, self.most_explained, seed)
