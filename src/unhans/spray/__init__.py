"""Distances → graph → spectrum → clusters → separability → two-dimensional map of the heatmaps of one class."""

from unhans.spray.auditor import Auditor
from unhans.spray.estimator import SpRAy
from unhans.spray.finding import ClassAudit, Cluster
from unhans.spray.striking import striking_cluster
from unhans.spray.suspicion import Suspicion, judge, rank, ranked

__all__ = ["Auditor", "ClassAudit", "Cluster", "SpRAy", "Suspicion", "judge", "rank", "ranked", "striking_cluster"]
