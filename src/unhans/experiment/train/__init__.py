"""`train.py`: training with audits, and what is written at the end of a run."""

from unhans.experiment.train.rashomon import collect_models
from unhans.experiment.train.train_command import train

__all__ = [
    "collect_models",
    "train",
]
