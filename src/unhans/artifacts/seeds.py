"""A number measured with several seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from unhans.artifacts.interval import Interval

_HIGH = 0.975  # of the two-sided 95 % interval


def over_seeds(values: Sequence[float], bounds: Interval = (-np.inf, np.inf)) -> tuple[float, Interval]:
    """Return the mean over seeds and its 95 % interval, Student's t with n − 1 degrees of freedom.

    bounds: what is possible, as (0, 1) for a share; the interval is clipped to it, and is all of it for one seed, which
    says nothing about others. Equal values give an interval of no width.

    Raises ValueError without values, and for values that are not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise ValueError(f"a mean over seeds needs at least one finite number and no others, got {list(values)}")
    mean, (low, high) = float(found.mean()), bounds
    if len(found) == 1:
        return mean, bounds
    half = float(stdtrit(len(found) - 1, _HIGH) * found.std(ddof=1) / np.sqrt(len(found)))
    return mean, (max(low, mean - half), min(high, mean + half))
