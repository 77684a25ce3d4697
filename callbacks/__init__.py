"""Lightning callbacks: audits that are invisible to the training they watch.

>>> from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, SpRAyAudit
>>> callbacks = [HeatmapEvolution(network="model"), SpRAyAudit(network="model"), ArtifactMonitor(network="model")]
"""

from unhans.callbacks.artifact_monitor import ArtifactMonitor
from unhans.callbacks.heatmap_evolution import HeatmapEvolution
from unhans.callbacks.progress_bar import ProgressBar
from unhans.callbacks.spray_audit import SpRAyAudit

__all__ = ["ArtifactMonitor", "HeatmapEvolution", "ProgressBar", "SpRAyAudit"]
