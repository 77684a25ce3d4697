"""What is asked of a repair."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from unhans.clarc import Estimator, Spatial
from unhans.experiment.run import ConfigurationError
from unhans.repair import CORRECTING, METHODS, Method

ConceptFrom = Literal["found", "pasted"]
AUTO = "auto"


@dataclass(frozen=True)
class Settings:
    """How networks are repaired and assessed; raises ConfigurationError for what cannot be.

    layer: name of the layer that ClArC corrects, "auto" for the one with which least of the effect is left, of those
    whose concept tells held-out samples apart best; estimator, spatial: of the concept; concept: which samples it is
    fitted on, see `unhans.experiment.repair.concept_fit`; samples: with and without the artifact, at most so many of
    each; strength: of P-ClArC, in (0, 1]; weight: of the relevance in the loss of right-for-the-right-reasons training;
    images: validation images that a network is assessed on, at most; keep: epochs whose heatmaps are kept.
    """

    layer: str = AUTO
    estimator: Estimator = "pattern"
    spatial: Spatial = "positions"
    concept: ConceptFrom | None = None
    samples: int = 200
    strength: float = 1.0
    weight: float = 1.0
    images: int | None = None
    keep: tuple[int, ...] = (0, 1, 5, 10)

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise ConfigurationError(f"samples expects 2 or more, got {self.samples}.")
        if self.images is not None and self.images < 1:
            raise ConfigurationError(f"images expects 1 or more, or null for all, got {self.images}.")
        if not 0 < self.strength <= 1:
            raise ConfigurationError(f"strength expects a number above 0 and at most 1, got {self.strength}.")
        if self.weight <= 0:
            raise ConfigurationError(f"weight expects a number above 0, got {self.weight}.")

    def key(self, method: Method) -> dict[str, Any]:
        """Return what an outcome of this method depends on."""
        values = asdict(self)
        concept = ("layer", "estimator", "spatial", "concept", "samples")
        wanted = ["images", *(concept if method in CORRECTING else ())]
        wanted += {"p_clarc": ["strength"], "reactive": ["strength"], "right_reasons": ["weight"]}.get(method, [])
        return {name: values[name] for name in wanted}


def check_methods(methods: Sequence[str]) -> tuple[Method, ...]:
    """Return the methods, each once, in their order; raises ConfigurationError for none and for an unknown one."""
    for method in methods:
        if method not in METHODS:
            near = difflib.get_close_matches(method, METHODS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ConfigurationError(f"methods expects some of {', '.join(METHODS)}, got {method!r}{hint}")
    if not methods:
        raise ConfigurationError(f"methods expects one or more of {', '.join(METHODS)}, got none.")
    return tuple(dict.fromkeys(methods))  # type: ignore[arg-type]


def check_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds, each once; raises ConfigurationError for none and for a negative one."""
    if not seeds:
        raise ConfigurationError("seeds expects one or more numbers, such as [0,1], got none.")
    if min(seeds) < 0:
        raise ConfigurationError(f"seeds expects numbers of 0 or more, got {min(seeds)}.")
    return tuple(dict.fromkeys(seeds))
