"""What `analysis=effect` asks of every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts import Patch, check_fill
from unhans.effects import Kind
from unhans.experiment.run import ConfigurationError
from unhans.store import digest


@dataclass(frozen=True)
class Question:
    """How artifacts are isolated and tried; raises ConfigurationError for what cannot be.

    kind: of artifact to look for; samples: to put it on; fills: how it is removed; candidates: groups of a class from
    which something is isolated; tests: artifacts of a class that are tested; most: classes to test, None is all;
    mask: (H, W), where the artifact lies; given: an artifact to test in place of an isolated one; listed: paths of the
    samples that carry it, in place of the groups.
    """

    kind: Kind = "auto"
    samples: int = 500
    fills: Sequence[str] = ("telea",)
    candidates: int = 3
    tests: int = 2
    most: int | None = None
    mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    given: Patch | None = None
    listed: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise ConfigurationError(f"analysis.most expects 1 or more, or null, got {self.most}.")
        for name in ("samples", "candidates", "tests"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"analysis.{name} expects 1 or more, got {getattr(self, name)}.")
        for fill in self.fills:
            check_fill(fill)

    @property
    def description(self) -> str:
        """What the given artifact is."""
        if self.given is None:
            return ""
        size = "in its own pixels" if self.given.size is None else f"at size {self.given.size:g}"
        return f"The picture {self.given.file.name} {size}, {self.given.placement.replace('_', ' ')}."

    def key(self, side: int) -> dict[str, Any]:
        """Return what a case depends on besides the network, the data and the clusters."""
        names = ("kind", "samples", "candidates", "tests")
        settings = {name: getattr(self, name) for name in names} | {"fills": list(self.fills)}
        mask = None if self.mask is None else digest(self.mask)
        given = None if self.given is None else digest(self.description, self.given.layer(0, side))
        listed = digest(*map(str, sorted(self.listed))) if self.listed else None
        return settings | {"mask": mask, "artifact": given, "members": listed}
