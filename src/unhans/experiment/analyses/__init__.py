"""The command `analyze.py`, and smaller analyses: heatmaps, conservation, other inputs, squaring, barycenters."""

from unhans.experiment.analyses.analyze_command import analyze
from unhans.experiment.analyses.barycenters import draw_barycenters
from unhans.experiment.analyses.group_analysis import measure_groups
from unhans.experiment.analyses.heatmap_analysis import conserve, draw_heatmaps
from unhans.experiment.analyses.input_shift_analysis import measure_input_shift
from unhans.experiment.analyses.squaring_analysis import compare_squarings

__all__ = [
    "analyze",
    "compare_squarings",
    "conserve",
    "draw_barycenters",
    "draw_heatmaps",
    "measure_groups",
    "measure_input_shift",
]
