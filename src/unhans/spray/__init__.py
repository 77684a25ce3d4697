"""Spectral relevance analysis (SpRAy): do the heatmaps of one class fall apart into groups?

`SpRAy` clusters maps: distances (`metrics`), neighbour graph, spectrum and separability τ (`spectral`), groups that
stand apart (`groups`), and an order of classes by how much they stand out (`suspicion`). How much of that depends
on the settings tells `stability`. Whether a group is an artifact that the network uses is not decided here, but by
`unhans.isolation` and `unhans.effects`.
"""

from unhans.spray.class_audit import Auditor, control_of, propose_groups
from unhans.spray.cluster_ranking import rank_clusters
from unhans.spray.groups import raw_pixels
from unhans.spray.metrics import Cosine, Euclidean, Metric
from unhans.spray.pooling import slices, sum_pool
from unhans.spray.projection import MapQuality, map_quality
from unhans.spray.results import ClassAudit, Cluster
from unhans.spray.spectral import neighbour_count
from unhans.spray.spray import SpRAy
from unhans.spray.stability import (
    LAYOUTS,
    MEASURES,
    REFERENCE,
    SAME,
    Agreement,
    ClassFit,
    ClassMaps,
    Holding,
    Layout,
    Measure,
    SettingAgreement,
    agreement,
    compare_settings,
    fit_class,
    holding,
    map_class,
    order_agreement,
    places,
    spectral_labels,
    variants,
)
from unhans.spray.suspicion import Suspicion, rank_classes, suspicion_of
from unhans.spray.umap_process import UmapProcess

__all__ = [
    "LAYOUTS",
    "MEASURES",
    "REFERENCE",
    "SAME",
    "Agreement",
    "Auditor",
    "ClassAudit",
    "ClassFit",
    "ClassMaps",
    "Cluster",
    "Cosine",
    "Euclidean",
    "Holding",
    "Layout",
    "MapQuality",
    "Measure",
    "Metric",
    "SettingAgreement",
    "SpRAy",
    "Suspicion",
    "UmapProcess",
    "agreement",
    "compare_settings",
    "control_of",
    "fit_class",
    "holding",
    "map_class",
    "map_quality",
    "neighbour_count",
    "order_agreement",
    "places",
    "propose_groups",
    "rank_classes",
    "rank_clusters",
    "raw_pixels",
    "slices",
    "spectral_labels",
    "sum_pool",
    "suspicion_of",
    "variants",
]
