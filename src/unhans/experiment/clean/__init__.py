"""`analysis=cleaning`: copies of the images without an artifact."""

from unhans.experiment.clean.cleaning_command import clean_data

__all__ = [
    "clean_data",
]
