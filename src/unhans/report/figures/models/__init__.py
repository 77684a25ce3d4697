"""Figures about several models on the same images."""

from unhans.report.figures.models.comparison_figure import (
    class_disagreement_figure,
    eigenvalue_figure,
    matrix_figure,
    spectra_figure,
)
from unhans.report.figures.models.decoy_figure import confusion_figure, dose_figure
from unhans.report.figures.models.swap_figure import SwapExample, swap_figure, swap_sheet

__all__ = [
    "SwapExample",
    "class_disagreement_figure",
    "confusion_figure",
    "dose_figure",
    "eigenvalue_figure",
    "matrix_figure",
    "spectra_figure",
    "swap_figure",
    "swap_sheet",
]
