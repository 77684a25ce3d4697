"""Distances → graph → spectrum → clusters → separability → two-dimensional map of the heatmaps of one class.

`unhans.spray.audit(model, dataset)` does all of it for every class of a data set (`unhans.experiment.front`).
"""

from importlib import import_module
from typing import Any

from unhans.spray.auditor import Auditor, control_of, propose
from unhans.spray.clusters import rank_clusters
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit, Cluster
from unhans.spray.groups import Group, groups_of
from unhans.spray.metric import Cosine, Euclidean, Metric
from unhans.spray.raw import raw_pixels
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
    "audit",
    "control_of",
    "groups_of",
    "judge",
    "propose",
    "rank",
    "rank_clusters",
    "ranked",
    "raw_pixels",
]


def __getattr__(name: str) -> Any:
    """Find `audit` upstairs when somebody asks for it: it explains, stores and reports, which nothing here knows."""
    if name == "audit":
        return import_module("unhans.experiment.front").audit
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
