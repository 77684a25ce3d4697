"""Distances between heatmaps: scikit-learn's, Wasserstein, Gromov-Wasserstein, or the user's own."""

from unhans.spray.metrics.barycenter import (
    chebyshev_weights,
    draw_cloud,
    euclidean_barycenter,
    gromov_barycenter,
    wasserstein_barycenter,
)
from unhans.spray.metrics.gromov_wasserstein import GromovWasserstein
from unhans.spray.metrics.metric import (
    METRICS,
    AnyMetric,
    Cosine,
    Euclidean,
    Metric,
    Precomputed,
    SlicedWasserstein,
    check_metric,
    edge_lengths,
    find_neighbours,
)
from unhans.spray.metrics.point_cloud import cloud, coarsen
from unhans.spray.metrics.pruned_knn import Advance
from unhans.spray.metrics.wasserstein import Wasserstein

__all__ = [
    "METRICS",
    "Advance",
    "AnyMetric",
    "Cosine",
    "Euclidean",
    "GromovWasserstein",
    "Metric",
    "Precomputed",
    "SlicedWasserstein",
    "Wasserstein",
    "chebyshev_weights",
    "check_metric",
    "cloud",
    "coarsen",
    "draw_cloud",
    "edge_lengths",
    "euclidean_barycenter",
    "find_neighbours",
    "gromov_barycenter",
    "wasserstein_barycenter",
]
