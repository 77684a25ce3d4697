"""Figures about several models on the same images."""

from unhans.report.figures.models.comparison_figure import class_disagreement_figure, matrix_figure, spectra_figure
from unhans.report.figures.models.decoy_figure import confusion_figure, dose_figure

__all__ = [
    "class_disagreement_figure",
    "confusion_figure",
    "dose_figure",
    "matrix_figure",
    "spectra_figure",
]
