"""What every command needs: objects from the configuration, checks, resuming, errors in one sentence, the terminal."""

from unhans.experiment.run.build import build, build_callbacks, build_classifier, build_data, build_network
from unhans.experiment.run.config_check import ConfigurationError, check
from unhans.experiment.run.context import Subject
from unhans.experiment.run.error_sentence import sentence
from unhans.experiment.run.resume import saved_config, with_run
from unhans.experiment.run.terminal import CONSOLE, keep_interrupts, quiet_lightning

__all__ = [
    "CONSOLE",
    "ConfigurationError",
    "Subject",
    "build",
    "build_callbacks",
    "build_classifier",
    "build_data",
    "build_network",
    "check",
    "keep_interrupts",
    "quiet_lightning",
    "saved_config",
    "sentence",
    "with_run",
]
