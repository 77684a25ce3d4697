"""The smaller analyses: heatmaps, conservation, squaring, barycenters."""

from unhans.experiment.analyses.barycenters import draw_barycenters
from unhans.experiment.analyses.conservation_analysis import conserve
from unhans.experiment.analyses.heatmap_analysis import draw_heatmaps
from unhans.experiment.analyses.squaring_analysis import compare_squarings

__all__ = [
    "compare_squarings",
    "conserve",
    "draw_barycenters",
    "draw_heatmaps",
]
