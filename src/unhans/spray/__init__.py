"""Spectral relevance analysis (SpRAy): do the heatmaps of one class fall apart into groups?

`SpRAy` clusters maps: distances (`metrics`), neighbour graph, spectrum and separability τ (`spectral`), groups that
stand apart (`groups`), and an order of classes by how much they stand out (`suspicion`). Whether a group is an artifact
that the network uses is not decided here, but by `unhans.isolation` and `unhans.effects`.
"""

from unhans.spray.class_audit import Auditor, control_of, propose
from unhans.spray.cluster_ranking import rank_clusters
from unhans.spray.groups import Group, groups_of
from unhans.spray.metrics import Cosine, Euclidean, Metric
from unhans.spray.pooling import slices, sum_pool
from unhans.spray.raw_images import raw_pixels
from unhans.spray.results import ClassAudit, Cluster
from unhans.spray.spray import SpRAy
from unhans.spray.suspicion import Suspicion, judge, rank, ranked

__all__ = [
    "Auditor",
    "ClassAudit",
    "Cluster",
    "Cosine",
    "Euclidean",
    "Group",
    "Metric",
    "SpRAy",
    "Suspicion",
    "control_of",
    "groups_of",
    "judge",
    "propose",
    "rank",
    "rank_clusters",
    "ranked",
    "raw_pixels",
    "slices",
    "sum_pool",
]
