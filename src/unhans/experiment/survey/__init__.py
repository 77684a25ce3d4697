"""`analysis=spray`: heatmaps and clusters of every class, on any number of workers, resumable."""

from unhans.experiment.survey.executor import Parallel
from unhans.experiment.survey.overview import remarks, write_overview
from unhans.experiment.survey.survey import ClassResult, Survey, Target, analysis_key, maps_key, weights_of
from unhans.experiment.survey.survey_command import audit_classes, audit_survey, survey_of

__all__ = [
    "ClassResult",
    "Parallel",
    "Survey",
    "Target",
    "analysis_key",
    "audit_classes",
    "audit_survey",
    "maps_key",
    "remarks",
    "survey_of",
    "weights_of",
    "write_overview",
]
