"""Numbers of fixed images that are followed while a model trains: quality of heatmaps, relevance in regions."""

from unhans.callbacks.curves.heatmap_quality import HeatmapQuality
from unhans.callbacks.curves.mask_relevance import MaskRelevance
from unhans.callbacks.curves.region_relevance import RegionRelevance

__all__ = ["HeatmapQuality", "MaskRelevance", "RegionRelevance"]
