"""Figures about several models on the same images."""

from unhans.report.figures.models.comparison_figure import (
    class_disagreement_figure,
    matrix_figure,
)
from unhans.report.figures.models.decoy_figure import confusion_figure, dose_figure
from unhans.report.figures.models.spectra_figure import (
    SourceClusters,
    cluster_figure,
    eigenvalue_figure,
    spectra_figure,
)
from unhans.report.figures.models.swap_class_figure import swap_bars, swap_confusions, swap_labels
from unhans.report.figures.models.swap_figure import SwapExample, swap_figure, swap_sheet

__all__ = [
    "SourceClusters",
    "SwapExample",
    "class_disagreement_figure",
    "cluster_figure",
    "confusion_figure",
    "dose_figure",
    "eigenvalue_figure",
    "matrix_figure",
    "spectra_figure",
    "swap_bars",
    "swap_confusions",
    "swap_figure",
    "swap_labels",
    "swap_sheet",
]
