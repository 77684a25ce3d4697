"""Sentences about the measures of heatmaps."""

from unhans.report.text.quality.faithfulness_text import (
    FAITHFULNESS_READING,
    MEASURE_HEADINGS,
    MEASURES_READING,
    ORDER_NAMES,
    SANITY_READING,
    TARGETS,
    ahead_sentence,
    estimate_said,
    faithfulness_cost,
    method_sentence,
    sanity_sentence,
    setting_sentence,
)

__all__ = [
    "FAITHFULNESS_READING",
    "MEASURES_READING",
    "MEASURE_HEADINGS",
    "ORDER_NAMES",
    "SANITY_READING",
    "TARGETS",
    "ahead_sentence",
    "estimate_said",
    "faithfulness_cost",
    "method_sentence",
    "sanity_sentence",
    "setting_sentence",
]
