"""Which pixels an artifact covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALF = 0.5  # of a layer's largest alpha: from there on a pixel is part of the artifact


def covered(alpha: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return the pixels (…, H, W) with more than half of the largest alpha of their layer."""
    return alpha > _HALF * alpha.max((-2, -1), keepdims=True)
