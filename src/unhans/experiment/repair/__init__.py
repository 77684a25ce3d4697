"""`analysis=unhans` and `train.py repair=…`: repair a network by several methods and compare them."""

from unhans.experiment.repair.fine_tuning import accelerator_of, fine_tuning_of, fit, several_processes
from unhans.experiment.repair.initial_network import Given
from unhans.experiment.repair.outcome_store import Keys
from unhans.experiment.repair.repair_command import repair
from unhans.experiment.repair.repair_methods import Repairing
from unhans.experiment.repair.repair_options import Settings
from unhans.experiment.repair.repair_results import conclude, numbers_of
from unhans.experiment.repair.repair_training import train_and_repair
from unhans.experiment.repair.repaired_artifact import affected_by_case, affected_of

__all__ = [
    "Given",
    "Keys",
    "Repairing",
    "Settings",
    "accelerator_of",
    "affected_by_case",
    "affected_of",
    "conclude",
    "fine_tuning_of",
    "fit",
    "numbers_of",
    "repair",
    "several_processes",
    "train_and_repair",
]
