"""What every command needs: objects from the configuration, checks, resuming."""

from unhans.experiment.run.classifier import Classifier
from unhans.experiment.run.configuration import RunFolder, check, saved_config, with_run
from unhans.experiment.run.subject import (
    Subject,
    build,
    build_callbacks,
    build_classifier,
    build_data,
    build_network,
    trained_network,
)

__all__ = [
    "Classifier",
    "RunFolder",
    "Subject",
    "build",
    "build_callbacks",
    "build_classifier",
    "build_data",
    "build_network",
    "check",
    "saved_config",
    "trained_network",
    "with_run",
]
