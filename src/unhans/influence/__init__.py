"""Influence: which training images taught the network what it does with a query, by gradients of single samples.

`GradientCosine` scores training images for queries and gives Gram matrices of gradients, whose clusters are found by
SpRAy (`cluster_gradients`). Data sets, files and figures are above.
"""

from unhans.influence.gradient_clusters import GradientClusters, cluster_gradients, prefixes, two_clusters
from unhans.influence.gradient_cosine import GradientCosine, coordinates, cosines
from unhans.influence.query_influence import QueryInfluence, Training, mean_influence, query_influence
from unhans.influence.ranking_measures import (
    ChanceLevels,
    average_precision,
    chance_levels,
    precision_at,
    rank_correlation,
    ranking,
    top_overlap,
)
from unhans.influence.sample_gradients import SampleGradients, Scalar, last_stages, stages_of

__all__ = [
    "ChanceLevels",
    "GradientClusters",
    "GradientCosine",
    "QueryInfluence",
    "SampleGradients",
    "Scalar",
    "Training",
    "average_precision",
    "chance_levels",
    "cluster_gradients",
    "coordinates",
    "cosines",
    "last_stages",
    "mean_influence",
    "precision_at",
    "prefixes",
    "query_influence",
    "rank_correlation",
    "ranking",
    "stages_of",
    "top_overlap",
    "two_clusters",
]
