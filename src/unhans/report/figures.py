"""The figures of an audit, drawn with matplotlib's object interface."""

from unhans.report.class_figure import class_figure
from unhans.report.evolution import Strip, evolution_figure, evolution_sheet
from unhans.report.ranking_figure import ranking_figure

__all__ = ["Strip", "class_figure", "evolution_figure", "evolution_sheet", "ranking_figure"]
