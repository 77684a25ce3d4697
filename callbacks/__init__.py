"""Lightning callbacks: audits, repairs and monitors while a model trains. Nothing else lives here."""

from unhans.callbacks.artifact_augmentation import ArtifactAugmentation
from unhans.callbacks.artifact_monitor import ArtifactMonitor
from unhans.callbacks.audit import Audit
from unhans.callbacks.augmentative_clarc import AClArC
from unhans.callbacks.closed_loop import UnHans, concept_of
from unhans.callbacks.curves import HeatmapQuality, MaskRelevance, RegionRelevance
from unhans.callbacks.heatmap_evolution import HeatmapEvolution
from unhans.callbacks.progress_bar import ProgressBar
from unhans.callbacks.right_reasons import RightReasons
from unhans.callbacks.spray_audit import SpRAyAudit
from unhans.callbacks.validation_curve import ValidationCurve

__all__ = [
    "AClArC",
    "ArtifactAugmentation",
    "ArtifactMonitor",
    "Audit",
    "HeatmapEvolution",
    "HeatmapQuality",
    "MaskRelevance",
    "ProgressBar",
    "RegionRelevance",
    "RightReasons",
    "SpRAyAudit",
    "UnHans",
    "ValidationCurve",
    "concept_of",
]
