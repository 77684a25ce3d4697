"""The analysis `compare`: which of several models is right for the right reasons?

The models are asked about the same images; what can be said of their answers is in `unhans.comparison`.
"""

from unhans.experiment.compare.compare_command import EXAMPLES, compare_models, displayed
from unhans.experiment.compare.compared_model import Asked, ComparedModel, SampleSet, Viewing
from unhans.experiment.compare.comparison_files import write_comparison
from unhans.experiment.compare.comparison_run import compare_views, sample_set
from unhans.experiment.compare.difference_groups import difference_groups
from unhans.experiment.compare.model_loading import (
    build_otherwise,
    checkpoint_epoch,
    compared_models,
    load_runs,
    preprocessing_said,
    renamed,
    split_images,
    training_settings,
)
from unhans.experiment.compare.model_settings import check_twins, differing, is_seed, twins_of

__all__ = [
    "EXAMPLES",
    "Asked",
    "ComparedModel",
    "SampleSet",
    "Viewing",
    "build_otherwise",
    "check_twins",
    "checkpoint_epoch",
    "compare_models",
    "compare_views",
    "compared_models",
    "difference_groups",
    "differing",
    "displayed",
    "is_seed",
    "load_runs",
    "preprocessing_said",
    "renamed",
    "sample_set",
    "split_images",
    "training_settings",
    "twins_of",
    "write_comparison",
]
