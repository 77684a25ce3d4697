"""What SpRAy found in one class, and the clusters in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unhans.spray.spray import SpRAy

TITLES = {"kmeans": "k-means", "dbscan": "DBSCAN", "hdbscan": "HDBSCAN"}  # the others are called what they are


@dataclass(frozen=True)
class Cluster:
    """One cluster of the samples of a class: its members and how striking it is (`unhans.spray.cluster_ranking`).

    Attributes:
        method: "cut" (one side of a normalised cut along an eigenvector), "kmeans", "agglomerative", "dbscan",
            "hdbscan", "pattern" or "statistic" (`unhans.spray.groups.image_groups`).
        k, label: number of clusters of that clustering, and which of them it is, from 0.
        members: (n,) bool.
        normalised_cut: in [0, 2] in the graph of the heatmaps, 0 where no edge leads out of the cluster.
        compactness, separation, relevance_consistency, image_consistency: of the heatmaps and images, in [0, 1], 1 the
            most striking, NaN where it was not measured.
        score: in [0, 1], from those four and the size, comparable across classes.
        view: what the samples were compared by.
        strength: how far it stands apart in that view, see `unhans.spray.groups.view_groups.Group`; NaN for a cluster
            that is shown, but was not proposed for a test.
        stability: mean Jaccard index with the groups of resamples; NaN where none were drawn.
    """

    method: str
    k: int
    label: int
    members: NDArray[np.bool_]
    normalised_cut: float = math.nan
    compactness: float = math.nan
    separation: float = math.nan
    relevance_consistency: float = math.nan
    image_consistency: float = math.nan
    score: float = math.nan
    view: str = "input relevance"
    strength: float = math.nan
    stability: float = math.nan

    @property
    def proposed(self) -> bool:
        """Whether what its members share is to be isolated and tested."""
        return not math.isnan(self.strength)

    @property
    def name(self) -> str:
        """What the cluster is called, such as "cut", or "k-means 3 of 7", counted from 1."""
        title = TITLES.get(self.method, self.method)
        if self.proposed:
            return f"{self.view}, {self.members.sum()} samples"
        return title if self.method == "cut" else f"{title} {self.label + 1} of {self.k}"


@dataclass(frozen=True)
class ClassAudit:
    """The analysis of one class.

    Attributes:
        label, name: of the class.
        index: (n,) of the samples in the data set.
        heatmaps: (n, H, W) relevance summed over channels, an array or something that can be sliced like one.
        prediction: (n,) top-1 class.
        rank: (n,) of the true label, 0 = first.
        spray: fitted on the heatmaps.
        control: fitted on the raw images, or None.
        clusters: those proposed first, none where a class is too small.
        description: what a heatmap means (rule set, target, layer).
        split: (n,) 0 for training and 1 for validation samples, None where only one split was audited.
        target: (n,) the explained class, None where it is the label.
    """

    label: int
    name: str
    index: NDArray[np.int64]
    heatmaps: NDArray[np.float32]
    prediction: NDArray[np.int64]
    rank: NDArray[np.int64]
    spray: SpRAy
    control: SpRAy | None
    clusters: tuple[Cluster, ...]
    description: str = ""
    split: NDArray[np.uint8] | None = None
    target: NDArray[np.int64] | None = None

    @property
    def candidates(self) -> tuple[Cluster, ...]:
        """The clusters whose members may share an artifact, in the order in which they are tested."""
        return tuple(cluster for cluster in self.clusters if cluster.proposed)

    @property
    def cluster(self) -> Cluster | None:
        """The striking cluster: the first, or None."""
        return self.clusters[0] if self.clusters else None
