"""`analysis=faithfulness`: are the heatmaps right, and which method's are?"""

from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint, epoch_checkpoints
from unhans.experiment.faithfulness.compared_methods import METHODS, compared_methods
from unhans.experiment.faithfulness.faithfulness_command import measure_faithfulness
from unhans.experiment.faithfulness.permuted_labels import PermutedLabels, permuted_labels

__all__ = [
    "METHODS",
    "EpochCheckpoint",
    "PermutedLabels",
    "compared_methods",
    "epoch_checkpoints",
    "measure_faithfulness",
    "permuted_labels",
]
