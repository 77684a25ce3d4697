"""Results in sentences and numbers as people read them."""

from unhans.report.text.audit_text import chartable, findings
from unhans.report.text.case_text import (
    STEPS,
    case_grounds,
    case_sentences,
    change_said,
    headline,
    listed,
    missing_of,
    quality_sentence,
    spread_sentences,
    trouble_said,
)
from unhans.report.text.number_format import (
    LOGIT,
    MEASURES,
    PROBABILITY,
    RANK,
    SHARE,
    UNKNOWN,
    Measure,
    percent,
    percent_range,
    plain,
    points,
    shorten,
)
from unhans.report.text.numerals import change_written, samples_said, share_said, signed
from unhans.report.text.ranking_text import class_sentence, ranking_sentences
from unhans.report.text.repair_text import (
    UNNAMED,
    Named,
    achievement,
    basis,
    group_said,
    reduced_said,
    repair_sentences,
)
from unhans.report.text.squaring_text import squaring_sentence
from unhans.report.text.truth_text import truth_sentence
from unhans.report.text.verdict_text import verdict_grounds, verdict_missing, verdict_sentence, verdict_summary

__all__ = [
    "LOGIT",
    "MEASURES",
    "PROBABILITY",
    "RANK",
    "SHARE",
    "STEPS",
    "UNKNOWN",
    "UNNAMED",
    "Measure",
    "Named",
    "achievement",
    "basis",
    "case_grounds",
    "case_sentences",
    "change_said",
    "change_written",
    "chartable",
    "class_sentence",
    "findings",
    "group_said",
    "headline",
    "listed",
    "missing_of",
    "percent",
    "percent_range",
    "plain",
    "points",
    "quality_sentence",
    "ranking_sentences",
    "reduced_said",
    "repair_sentences",
    "samples_said",
    "share_said",
    "shorten",
    "signed",
    "spread_sentences",
    "squaring_sentence",
    "trouble_said",
    "truth_sentence",
    "verdict_grounds",
    "verdict_missing",
    "verdict_sentence",
    "verdict_summary",
]
