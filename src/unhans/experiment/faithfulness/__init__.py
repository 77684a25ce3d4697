"""`analysis=faithfulness`: are the heatmaps right, and which method's are?"""

from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint, epoch_checkpoints
from unhans.experiment.faithfulness.compared_methods import METHODS, Named, compared_methods
from unhans.experiment.faithfulness.faithfulness_command import measure_faithfulness
from unhans.experiment.faithfulness.permuted_labels import PermutedLabels, permuted_labels

__all__ = [
    "METHODS",
    "EpochCheckpoint",
    "Named",
    "PermutedLabels",
    "compared_methods",
    "epoch_checkpoints",
    "measure_faithfulness",
    "permuted_labels",
]
