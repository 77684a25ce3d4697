"""Distances between heatmaps: scikit-learn's, Wasserstein, Gromov-Wasserstein, or the user's own."""

from unhans.spray.metrics.barycenter import (
    chebyshev_weights,
    drawn,
    euclidean_barycenter,
    gromov_barycenter,
    wasserstein_barycenter,
)
from unhans.spray.metrics.gromov_wasserstein import GromovWasserstein
from unhans.spray.metrics.metric import (
    Advance,
    AnyMetric,
    Comparison,
    Cosine,
    Euclidean,
    Metric,
    check_metric,
    compared,
    compared_distances,
)
from unhans.spray.metrics.point_cloud import cloud, shape
from unhans.spray.metrics.wasserstein import Wasserstein

__all__ = [
    "Advance",
    "AnyMetric",
    "Comparison",
    "Cosine",
    "Euclidean",
    "GromovWasserstein",
    "Metric",
    "Wasserstein",
    "chebyshev_weights",
    "check_metric",
    "cloud",
    "compared",
    "compared_distances",
    "drawn",
    "euclidean_barycenter",
    "gromov_barycenter",
    "shape",
    "wasserstein_barycenter",
]
