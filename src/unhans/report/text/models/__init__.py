"""Sentences about several models."""

from unhans.report.text.models.comparison_text import (
    MEASURE_NAMES,
    REASONS_NAMES,
    comparison_headline,
    comparison_sentences,
    furthest_group_sentence,
    is_twins,
    predictions_said,
    silent_group_sentence,
)
from unhans.report.text.models.decoy_text import (
    ALONE_READING,
    READING_DECOYS,
    class_said,
    coverage_said,
    decoy_headline,
    decoy_sentences,
    group_title,
    share_and_interval,
    verdicts_said,
)
from unhans.report.text.models.influence_text import (
    KNOWN_FROM,
    carriers_sentence,
    gradients_sentence,
    group_name,
    list_sentence,
    measure_sentence,
)

__all__ = [
    "ALONE_READING",
    "KNOWN_FROM",
    "MEASURE_NAMES",
    "READING_DECOYS",
    "REASONS_NAMES",
    "carriers_sentence",
    "class_said",
    "comparison_headline",
    "comparison_sentences",
    "coverage_said",
    "decoy_headline",
    "decoy_sentences",
    "furthest_group_sentence",
    "gradients_sentence",
    "group_name",
    "group_title",
    "is_twins",
    "list_sentence",
    "measure_sentence",
    "predictions_said",
    "share_and_interval",
    "silent_group_sentence",
    "verdicts_said",
]
