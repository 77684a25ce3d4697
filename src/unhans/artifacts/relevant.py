"""Which parts of a mark a model looks at, and which parts belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.artifacts.extent import grown

_RIM = 1 / 112  # of the shorter side: relevance lies on both sides of an outline, so much beyond a part counts as its
_EDGE = 1 / 224  # of the shorter side: the width of an outline
_LITTLE = 0.25  # of the map's mean that is enough where no part exceeds it: at the rim relevance is rare, objects are
# central, and what the artifact does is measured by pasting it anyway
_SAME_ALPHA, _SAME_COLOR = 0.1, 0.1  # differences up to which parts look the same, beyond two standard errors


@dataclass(frozen=True)
class Part:
    """A connected part of a mark: where it is, how it looks, and its relevance as a multiple of the map's mean.

    mask: (H, W) bool; alpha: its level in [0, 1]; color: (3,), its mean; error: standard error of a pixel's mean value.
    """

    mask: NDArray[np.bool_]
    density: float
    alpha: float
    color: NDArray[np.float64]
    error: float

    def looks_like(self, other: Part) -> bool:
        """Whether alpha and colour are the same within the noise of their estimates: the sides of one border."""
        error = 2 * max(self.error, other.error)
        alike = abs(self.alpha - other.alpha) <= _SAME_ALPHA + error
        difference = np.abs(self.color - other.color).max()
        return bool(alike and difference <= _SAME_COLOR + error / max(self.alpha, other.alpha, _SAME_ALPHA))


@dataclass(frozen=True)
class Choice:
    """The parts of a mark that belong to the artifact, and those that are shared as well but hardly relevant.

    faint: the kept parts' relevance where it is below the map's mean, else None.
    """

    kept: tuple[Part, ...]
    left: tuple[Part, ...]
    faint: float | None = None


def relevance_density(mask: NDArray[np.bool_], relevance: NDArray[np.floating]) -> float:
    """Return the mean of a relevance map (H, W) on a mask or inside its outline, as a multiple of the map's mean.

    The larger of the two: of a flat surface a network sees the edge.
    """
    side = min(mask.shape)
    near, inner = grown(mask, round(_RIM * side)), mask & grown(~mask, max(1, round(_EDGE * side)))
    mean = max(float(relevance[part].mean()) for part in (near, inner) if part.any())
    return mean / max(float(relevance.mean()), 1e-30)


def choose(parts: Sequence[Part]) -> Choice:
    """Keep the parts that are relevant and those that continue one of them: of the same colour and transparency.

    Relevant: more so per pixel than the map's mean. Is none, the parts that look the same and have the most relevance
    together are kept, if that is at least a quarter of the map's mean. Nothing may be kept.
    """
    relevant = [part for part in parts if part.density > 1]
    if relevant:
        return _split(parts, [part for part in parts if any(part.looks_like(other) for other in relevant)], None)
    groups = [[part for part in parts if part.looks_like(first)] for first in parts]
    best = max(groups, key=_together, default=[])
    together = _together(best)
    return _split(parts, best, together) if together >= _LITTLE else Choice((), tuple(parts), together)


def _together(parts: Sequence[Part]) -> float:
    sizes = [part.mask.sum() for part in parts]
    return float(np.average([part.density for part in parts], weights=sizes)) if parts else 0.0


def _split(parts: Sequence[Part], kept: Sequence[Part], faint: float | None) -> Choice:
    chosen = {id(part) for part in kept}
    return Choice(tuple(kept), tuple(part for part in parts if id(part) not in chosen), faint)
