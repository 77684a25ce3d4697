"""Which parts of a mark a model looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from unhans.artifacts.extent import grown

_GAP = 1 / 32  # of the shorter side: pieces nearer than twice this belong together, like the letters of a word
_RIM = 1 / 112  # relevance lies on both sides of an outline: this much beyond a part counts as the part's
_SMALL = 1 / 2500  # of the image: a smaller part is noise; 20 pixels of 224 × 224


@dataclass(frozen=True)
class Part:
    """A connected part of a mark: its pixels, and the relevance per pixel as a multiple of the map's mean.

    mask: (H, W) bool.
    """

    mask: NDArray[np.bool_]
    density: float


def parts_of(mask: NDArray[np.bool_], relevance: NDArray[np.floating]) -> list[Part]:
    """Return the parts of a mask (H, W), the largest first; relevance: (H, W), mean positive one of the members."""
    side = min(mask.shape)
    labels, count = ndimage.label(grown(mask, max(1, round(_GAP * side))), np.ones((3, 3)))
    parts = [mask & (labels == k + 1) for k in range(count)]
    large = sorted((p for p in parts if p.sum() >= max(2, _SMALL * mask.size)), key=lambda p: -p.sum())
    mean, rim = max(float(relevance.mean()), 1e-30), round(_RIM * side)
    return [Part(part, float(relevance[grown(part, rim)].mean()) / mean) for part in large]
