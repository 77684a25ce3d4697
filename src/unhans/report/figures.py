"""The figures of an audit and of heatmaps, drawn with matplotlib's object interface."""

from unhans.report.class_figure import class_figure
from unhans.report.evolution import Strip, evolution_figure, evolution_sheet
from unhans.report.heatmap_figure import heatmap_figure
from unhans.report.panel_figure import mean_figure, output_figure
from unhans.report.ranking_figure import ranking_figure
from unhans.report.sheet import Look, Method

__all__ = [
    "Look",
    "Method",
    "Strip",
    "class_figure",
    "evolution_figure",
    "evolution_sheet",
    "heatmap_figure",
    "mean_figure",
    "output_figure",
    "ranking_figure",
]
