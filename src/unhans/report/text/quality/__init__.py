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
from unhans.report.text.quality.training_text import (
    QUALITY_READING,
    REGIONS_READING,
    correlation_said,
    followed_sentence,
    quality_line,
    quality_subtitle,
)

__all__ = [
    "FAITHFULNESS_READING",
    "MEASURES_READING",
    "MEASURE_HEADINGS",
    "ORDER_NAMES",
    "QUALITY_READING",
    "REGIONS_READING",
    "SANITY_READING",
    "TARGETS",
    "ahead_sentence",
    "correlation_said",
    "estimate_said",
    "faithfulness_cost",
    "followed_sentence",
    "method_sentence",
    "quality_line",
    "quality_subtitle",
    "sanity_sentence",
    "setting_sentence",
]
