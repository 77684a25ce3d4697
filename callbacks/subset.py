"""The samples of every class that an audit clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from unhans.callbacks.audit import LOG

from unhans.data import reading


def audit_subsets(
    labels: NDArray[np.int64],
    classes: Mapping[int, str],
    chosen: Sequence[str] | None,
    samples_per_class: int | None,
    n_neighbors: int,
    seed: int,
) -> dict[int, NDArray[np.int64]]:
    """Draw the samples (n,) of every class to audit, by label; classes too small for SpRAy are left out with a warning.

    labels: (N,) of the data set; classes: names by label; chosen: names of the classes to audit, None for all;
    samples_per_class: at most, None for all; n_neighbors: of SpRAy, which needs more samples than that. Raises
    ValueError for an unknown name, and where no class is large enough.
    """
    chosen = None if chosen is None else [str(name) for name in chosen]  # a configuration reads [3] as a number
    unknown = set(chosen or ()) - set(classes.values())
    if unknown:
        known = ", ".join(classes.values())
        raise ValueError(f"SpRAyAudit: classes expects names among {known}, got {sorted(unknown)[0]!r}.")
    drawn = reading.choose(labels, samples_per_class, seed)
    subsets = {label: index for label, index in drawn.items() if not chosen or classes[label] in chosen}
    for label, index in subsets.items():
        if len(index) <= n_neighbors:
            LOG.warning(
                "class %r has %d samples to audit; SpRAy expects more than n_neighbors=%d, so it is left out.",
                classes[label], len(index), n_neighbors,
            )  # fmt: skip
    large = {label: index for label, index in subsets.items() if len(index) > n_neighbors}
    if not large:
        raise ValueError(f"SpRAyAudit needs a class with more than n_neighbors={n_neighbors} samples, there is none.")
    return large
