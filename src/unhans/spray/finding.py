"""What SpRAy found in one class, and the striking cluster in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.spray.estimator import SpRAy


@dataclass(frozen=True)
class Cluster:
    """One cluster of one clustering: its members and how far it stands apart.

    k, label: number of clusters of that clustering, and which of them it is; members: (n,); normalised_cut: in [0, 2],
    0 where no edge of the graph leads out of the cluster.
    """

    k: int
    label: int
    members: NDArray[np.bool_]
    normalised_cut: float


@dataclass(frozen=True)
class ClassAudit:
    """The analysis of one class: samples, heatmaps, predictions, SpRAy on heatmaps and on raw images.

    index, prediction, rank: (n,) data-set index, top-1 class, rank of the true label (0 = first);
    heatmaps: (n, H, W) relevance summed over channels; cluster: the striking one, None where a class is too small;
    control: SpRAy fitted on the raw images; description: what a heatmap means (rule set, target, layer).
    """

    label: int
    name: str
    index: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    prediction: NDArray[np.int64]
    rank: NDArray[np.int64]
    spray: SpRAy
    cluster: Cluster | None
    control: SpRAy | None
    description: str = ""
