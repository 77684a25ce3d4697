"""Telling points that differ from points that only rounding tells apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

STEPS = 16  # of the floating-point type: what scaling and summing leave between multiples of one heatmap


def same(points: NDArray[np.floating], dtype: DTypeLike | None = None, times: int = 1) -> bool:
    """Return whether points (n, ...) differ from the first of them by rounding only.

    Rounding is 16 · times the precision of a floating-point type, as a share of the first point's largest value.

    dtype: what the points were computed from, by default their own; times: how much the computation amplified it.
    """
    first = points[0].astype(np.float64)
    tolerance = times * STEPS * np.finfo(points.dtype if dtype is None else dtype).eps * np.abs(first).max(initial=0)
    return all((np.abs(one - first) <= tolerance).all() for one in points)
