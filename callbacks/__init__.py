"""Lightning callbacks: audits that are invisible to the training they watch, and repairs that change it.

>>> from unhans.callbacks import ArtifactMonitor, HeatmapEvolution, SpRAyAudit
>>> callbacks = [HeatmapEvolution(network="model"), SpRAyAudit(network="model"), ArtifactMonitor(network="model")]
"""

from unhans.callbacks.a_clarc import AClArC
from unhans.callbacks.artifact_monitor import ArtifactMonitor
from unhans.callbacks.augmentation import ArtifactAugmentation
from unhans.callbacks.heatmap_evolution import HeatmapEvolution
from unhans.callbacks.mask_relevance import MaskRelevance
from unhans.callbacks.progress_bar import ProgressBar
from unhans.callbacks.right_reasons import RightReasons
from unhans.callbacks.spray_audit import SpRAyAudit
from unhans.callbacks.unhans import UnHans

__all__ = [
    "AClArC",
    "ArtifactAugmentation",
    "ArtifactMonitor",
    "HeatmapEvolution",
    "MaskRelevance",
    "ProgressBar",
    "RightReasons",
    "SpRAyAudit",
    "UnHans",
]
