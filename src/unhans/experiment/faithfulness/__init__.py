"""`analysis=faithfulness`: are the heatmaps right, and which method's are?"""

from unhans.experiment.faithfulness.checkpoint_epochs import EpochCheckpoint, epoch_checkpoints
from unhans.experiment.faithfulness.compared_methods import METHODS, compared_methods
from unhans.experiment.faithfulness.faithfulness_command import measure_faithfulness

__all__ = [
    "METHODS",
    "EpochCheckpoint",
    "compared_methods",
    "epoch_checkpoints",
    "measure_faithfulness",
]
