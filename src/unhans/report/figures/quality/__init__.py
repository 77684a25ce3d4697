"""Figures about the quality of heatmaps."""

from unhans.report.figures.quality.class_maps_figure import class_maps_figure
from unhans.report.figures.quality.conservation_figure import conservation_figure, conservation_rows, conservation_table
from unhans.report.figures.quality.context_figure import (
    ContextExample,
    co_occurrence_figure,
    context_accuracy_figure,
    context_figure,
    context_gallery,
)
from unhans.report.figures.quality.faithfulness_figure import (
    PerturbedStrip,
    changes_figure,
    labels_figure,
    perturbation_figure,
    sanity_figure,
    strip_figure,
)
from unhans.report.figures.quality.group_figure import group_figure, worst_groups
from unhans.report.figures.quality.input_shift_figure import input_shift_figure
from unhans.report.figures.quality.pair_figure import ShownPair, ShownPicture, pair_figure
from unhans.report.figures.quality.stability_figure import places_figure, stability_figure
from unhans.report.figures.quality.toy_figure import toy_figure
from unhans.report.figures.quality.training_figure import quality_figure, regions_figure

__all__ = [
    "ContextExample",
    "PerturbedStrip",
    "ShownPair",
    "ShownPicture",
    "changes_figure",
    "class_maps_figure",
    "co_occurrence_figure",
    "conservation_figure",
    "conservation_rows",
    "conservation_table",
    "context_accuracy_figure",
    "context_figure",
    "context_gallery",
    "group_figure",
    "input_shift_figure",
    "labels_figure",
    "pair_figure",
    "perturbation_figure",
    "places_figure",
    "quality_figure",
    "regions_figure",
    "sanity_figure",
    "stability_figure",
    "strip_figure",
    "toy_figure",
    "worst_groups",
]
