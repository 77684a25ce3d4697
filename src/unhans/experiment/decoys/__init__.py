"""The analysis `decoys`: trainings with an artifact at several coverages, on the same images with and without it."""

from unhans.experiment.decoys.decoy_command import study_trainings
from unhans.experiment.decoys.decoy_runs import decoy_runs

__all__ = [
    "decoy_runs",
    "study_trainings",
]
