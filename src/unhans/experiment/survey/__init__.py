"""`analysis=spray`: heatmaps and clusters of every class, on any number of workers, resumable."""

from unhans.experiment.survey.executor import Parallel, Pool
from unhans.experiment.survey.explanation import check_explainable, explain_missing
from unhans.experiment.survey.overview import remarks, write_overview
from unhans.experiment.survey.survey import (
    ClassResult,
    Survey,
    Target,
    analysis_key,
    heatmaps_stored,
    maps_key,
    weights_of,
)
from unhans.experiment.survey.survey_command import audit_classes, audit_survey, survey_of

__all__ = [
    "ClassResult",
    "Parallel",
    "Pool",
    "Survey",
    "Target",
    "analysis_key",
    "audit_classes",
    "audit_survey",
    "check_explainable",
    "explain_missing",
    "heatmaps_stored",
    "maps_key",
    "remarks",
    "survey_of",
    "weights_of",
    "write_overview",
]
